"""Bare IP addresses: they reach their own server, unless `mock_ip_addresses` intercepts those that are registered."""

import asyncio
import re

import aiohttp
import pytest
from support import fetch, real_server

from aiointercept import AiointerceptWarning, aiointercept

# Addresses of documentation and of private networks: none answers.
AWAY = [
    "http://192.0.2.7/metrics",
    "https://192.0.2.7:8443/metrics",
    "http://10.1.2.3:9200/_search?q=a",
    "http://[2001:db8::1]/metrics",
    "https://[2001:db8::1]:8443/metrics",
]
LOOPBACK = ["http://127.0.0.1:{port}/x", "http://127.0.0.2:{port}/x", "http://[::1]:{port}/x", "https://127.0.0.1/x"]


def mock(**options):
    return aiointercept(mock_external_urls=True, mock_ip_addresses=True, **options)


@pytest.mark.parametrize("url", AWAY)
async def test_a_registered_address_is_intercepted(url):
    async with mock() as m:
        m.get(url, body="mocked")
        got = await fetch(url)
        assert (got.text, str(got.url)) == ("mocked", url)
        m.assert_called_once_with(url)


@pytest.mark.parametrize("url", LOOPBACK)
async def test_a_registered_loopback_address_is_intercepted_though_a_server_listens(url):
    async with real_server() as server, mock() as m:
        url = url.format(port=server.port)
        m.get(url, body="mocked")
        assert (await fetch(url)).text == "mocked"
        assert server.hits == []


async def test_a_pattern_takes_addresses_but_no_loopback():
    async with real_server() as server, mock() as m:
        m.get(re.compile(r"^https?://[0-9.]+(:\d+)?/"), body="mocked", repeat=True)
        assert [(await fetch(url)).text for url in AWAY[:2]] == ["mocked"] * 2
        assert (await fetch(f"http://127.0.0.1:{server.port}/x")).text == "real GET /x"
        assert server.hits == [("GET", "/x")]


async def test_an_address_that_is_not_registered_reaches_its_server():
    async with real_server() as server, mock() as m:
        m.get("http://192.0.2.7/", body="mocked")
        m.get("http://127.0.0.2/", body="another address")
        m.get(f"https://127.0.0.1:{server.port}/", body="another scheme")
        m.get(f"http://127.0.0.1:{server.port + 1 if server.port < 65535 else 1}/", body="another port")
        assert (await fetch(f"http://127.0.0.1:{server.port}/x")).text == "real GET /x"
        m.assert_not_called()


async def test_another_path_of_a_registered_address_is_unmatched():
    async with real_server() as server, mock() as m:
        m.get(f"http://127.0.0.1:{server.port}/known", body="mocked")
        with pytest.raises(aiohttp.ServerDisconnectedError, match="/known"):
            await fetch(f"http://127.0.0.1:{server.port}/unknown")
        assert server.hits == []


async def test_passthrough_lets_a_registered_address_out():
    async with real_server() as server, mock(passthrough=[f"127.0.0.1:{server.port}"]) as m:
        with pytest.warns(AiointerceptWarning, match="passthrough sends them to the real network"):
            m.get(f"http://127.0.0.1:{server.port}/x", body="mocked")
        assert (await fetch(f"http://127.0.0.1:{server.port}/x")).text == "real GET /x"


async def test_passthrough_unmatched_forwards_the_other_paths_of_a_registered_address():
    async with real_server() as server, mock(passthrough_unmatched=True) as m:
        m.get(f"http://127.0.0.1:{server.port}/known", body="mocked")
        texts = [(await fetch(f"http://127.0.0.1:{server.port}/{path}")).text for path in ("known", "unknown")]
        assert texts == ["mocked", "real GET /unknown"]


async def test_a_name_and_its_address_are_two_origins():
    async with real_server() as server, mock() as m:
        m.get(f"http://127.0.0.1:{server.port}/x", body="by address")
        assert (await fetch(f"http://127.0.0.1:{server.port}/x")).text == "by address"
        assert (await fetch(f"http://localhost:{server.port}/x")).text == "real GET /x"


async def test_the_mocks_own_address_works_beside_others():
    async with mock() as m:
        m.get(f"{m.server_url}/own", body="own")
        m.get("http://192.0.2.7/", body="other")
        assert [(await fetch(url)).text for url in (f"{m.server_url}/own", "http://192.0.2.7/")] == ["own", "other"]


async def test_a_connection_to_the_real_address_is_not_used_for_the_mock():
    async with real_server() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/x"

        async def text():
            async with session.get(url) as response:
                return await response.text()

        assert await text() == "real GET /x"
        async with mock() as m:
            m.get(url, body="mocked")
            assert await text() == "mocked"
        assert await text() == "real GET /x"


@pytest.mark.parametrize("url", [AWAY[0], LOOPBACK[0].format(port=1)])
async def test_without_the_option_a_registration_warns(url):
    async with aiointercept(mock_external_urls=True) as m:
        with pytest.warns(AiointerceptWarning, match="mock_ip_addresses=True"):
            m.get(url)
    async with mock() as m:
        m.get(url)


def test_the_option_needs_redirection():
    with pytest.raises(ValueError, match="mock_ip_addresses"):
        aiointercept(mock_ip_addresses=True)


def test_in_sync_code_and_as_a_decorator():
    @mock()
    def check(m):
        m.get(AWAY[0], body="mocked")
        return asyncio.run(fetch(AWAY[0])).text

    assert check() == "mocked"
