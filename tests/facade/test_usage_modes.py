"""The usage documentation on modes, passthrough and the constructor, each statement tried as its reader would."""

import asyncio
import inspect
import socket
import threading

import aiohttp
import pytest
from support import fetch, real_server
from yarl import URL

from aiointercept import AiointerceptWarning, aiointercept
from aiointercept_dns import OriginResolver

STRIPE = "https://api.stripe.com/v1/charges"


class BillingService:
    """Code under test, with its URL hard-coded and a session of its own."""

    async def list_charges(self):
        async with aiohttp.ClientSession() as session, session.get(STRIPE) as response:
            return (await response.json())["data"]


def patched_names():
    return vars(aiohttp.TCPConnector).get("connect"), vars(aiohttp.ClientSession).get("_request")


async def test_by_default_a_client_is_pointed_at_the_servers_url():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/api/users", payload=[{"id": 1}])

        async with aiohttp.ClientSession() as session:
            resp = await session.get(f"{m.server_url}/api/users")
            assert resp.status == 200
            assert await resp.json() == [{"id": 1}]


async def test_the_servers_url_serves_as_a_base_url():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/api/users", payload=[{"id": 1}])

        async with aiohttp.ClientSession(base_url=m.server_url) as session:
            resp = await session.get("/api/users")
            assert await resp.json() == [{"id": 1}]


async def test_the_default_mode_starts_a_server_on_localhost():
    async with aiointercept() as m:
        url = URL(m.server_url)
        assert (url.scheme, url.host, url.port) == ("http", m.server_host, m.server_port)
        assert m.server_host == "127.0.0.1"
        with socket.create_connection((m.server_host, m.server_port), timeout=5):
            pass


async def test_the_default_mode_modifies_no_global_state():
    before = patched_names(), socket.getaddrinfo, aiohttp.DefaultResolver
    async with aiointercept():
        assert (patched_names(), socket.getaddrinfo, aiohttp.DefaultResolver) == before


async def test_the_default_mode_intercepts_only_requests_to_the_servers_url():
    async with real_server() as real, aiointercept() as m:
        with pytest.warns(AiointerceptWarning, match="mock_external_urls=True"):
            m.get(f"{real.url}/users", payload="mocked")

        assert (await fetch(f"{real.url}/users")).text == "real GET /users"
        m.assert_not_called()


async def test_external_urls_are_intercepted_where_the_code_under_test_has_them_hard_coded():
    async with aiointercept(mock_external_urls=True) as m:
        m.get(STRIPE, payload={"data": []})

        assert await BillingService().list_charges() == []
        m.assert_called_once_with(STRIPE)


async def test_external_urls_are_intercepted_in_the_whole_process():
    answers = []

    def elsewhere():
        answers.append(asyncio.run(BillingService().list_charges()))

    async with aiointercept(mock_external_urls=True) as m:
        m.get(STRIPE, payload={"data": ["from a thread with a loop of its own"]})
        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)

    assert answers == [["from a thread with a loop of its own"]]


async def test_interception_ends_with_the_block():
    before = patched_names()
    async with aiointercept(mock_external_urls=True):
        assert patched_names() != before
    assert patched_names() == before


async def test_bare_ip_addresses_are_not_intercepted():
    async with real_server() as real, aiointercept(mock_external_urls=True) as m:
        with pytest.warns(AiointerceptWarning, match="mock_ip_addresses=True"):
            m.get(f"http://127.0.0.1:{real.port}/", payload="mocked")

        assert (await fetch(f"http://127.0.0.1:{real.port}/")).text == "real GET /"
        m.assert_not_called()


async def test_hosts_in_passthrough_reach_the_real_server_and_others_do_not():
    async with (
        real_server() as real,
        aiointercept(mock_external_urls=True, passthrough=["https://real-api.example.com"]) as m,
    ):
        m.get("https://mocked.example.com/data", payload={"mocked": True})

        # The name lives on the local server for this session, as it would on the network.
        resolver = OriginResolver({"real-api.example.com": f"http://127.0.0.1:{real.port}"})
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
            async with session.get("https://mocked.example.com/data") as response:
                assert await response.json() == {"mocked": True}
            async with session.get("http://real-api.example.com/data") as response:
                assert await response.text() == "real GET /data"

        assert real.hits == [("GET", "/data")]
        m.assert_called_once_with("https://mocked.example.com/data")


async def test_with_passthrough_unmatched_every_other_url_reaches_the_real_server():
    async with real_server() as real, aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
        m.get("https://mocked.example.com/data", payload={"mocked": True})
        # This makes the mock responsible for the local server's name, of which one path is registered.
        m.get(f"{real.url}/mocked", payload={"mocked": "too"})

        assert (await fetch("https://mocked.example.com/data")).json == {"mocked": True}
        assert (await fetch(f"{real.url}/mocked")).json == {"mocked": "too"}
        assert (await fetch(f"{real.url}/other")).text == "real GET /other"
        assert real.hits == [("GET", "/other")]


@pytest.mark.parametrize("options", [{"passthrough": ["api.example.com"]}, {"passthrough_unmatched": True}])
def test_passthrough_requires_mock_external_urls(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}.*mock_external_urls=True"):
        aiointercept(**options)


@pytest.mark.parametrize(
    ("name", "default"),
    [("mock_external_urls", False), ("passthrough", None), ("passthrough_unmatched", False), ("param", None)],
)
def test_a_parameter_of_the_constructor_has_the_documented_default(name, default):
    assert inspect.signature(aiointercept).parameters[name].default is default


def test_the_parameters_of_the_constructor_come_in_the_documented_order():
    names = list(inspect.signature(aiointercept).parameters)
    assert names[:4] == ["mock_external_urls", "passthrough", "passthrough_unmatched", "param"]


async def test_the_parameters_of_the_constructor_may_be_given_by_position():
    async with aiointercept(True, ["api.example.com"], True, None) as m:
        m.get(STRIPE, payload={"data": []})
        assert await BillingService().list_charges() == []


async def test_param_names_the_keyword_under_which_the_decorator_injects_the_mock():
    @aiointercept(param="server")
    async def decorated(value, *, server):
        server.get(f"{server.server_url}/", payload=value)
        return (await fetch(server.server_url)).json

    assert await decorated("injected") == "injected"
