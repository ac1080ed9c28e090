"""Which requests a mock of external URLs answers, which reach their own server, how unmatched ones are explained."""

import logging
import re
import socket

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector
from support import Names, fetch, real_server
from yarl import URL

from aiointercept import aiointercept


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@pytest.mark.parametrize(
    ("host", "listens"),
    [
        ("localhost", "127.0.0.1"),
        ("LOCALHOST", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        pytest.param("[::1]", "::1", marks=ipv6),
    ],
)
@pytest.mark.parametrize("options", [{}, {"passthrough_unmatched": True}])
async def test_a_local_server_is_never_redirected(host, listens, options):
    async with real_server(host=listens) as real, aiointercept(mock_external_urls=True, **options) as m:
        # A pattern does not match a local server, however wide it is.
        m.get(re.compile(".*"), repeat=True)
        assert (await fetch(f"http://{host}:{real.port}/x")).text == "real GET /x"
        assert m.call_count == 0


@pytest.mark.parametrize("registered", [str, URL])
async def test_a_registered_localhost_origin_is_redirected(registered):
    async with real_server() as real, real_server() as other, aiointercept(mock_external_urls=True) as m:
        m.get(registered(f"{real.url}/mocked"), body="mocked")
        assert (await fetch(f"{real.url}/mocked")).text == "mocked"
        # The whole origin is redirected, not the one path; other ports and names are not.
        with pytest.raises(aiohttp.ServerDisconnectedError, match="differs in path"):
            await fetch(f"{real.url}/other")
        assert (await fetch(f"{other.url}/")).text == "real GET /"
        assert (await fetch(f"http://127.0.0.1:{real.port}/")).text == "real GET /"
        assert real.hits == [("GET", "/")]


async def test_a_localhost_origin_has_a_scheme():
    async with real_server() as real, aiointercept(mock_external_urls=True) as m:
        m.get(f"https://localhost:{real.port}/", body="mocked")
        assert (await fetch(f"https://localhost:{real.port}/")).text == "mocked"
        assert (await fetch(f"http://localhost:{real.port}/")).text == "real GET /"


@pytest.mark.parametrize("url", ["http://nobody.example/x?y=1", "https://nobody.example:8443/x?y=1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unmatched_request_is_explained_without_resolving_its_host(url, method, caplog):
    names = Names()
    with caplog.at_level(logging.DEBUG, "aiointercept"):
        async with aiointercept(mock_external_urls=True) as m:
            m.get("https://api.example/other")
            async with ClientSession(connector=TCPConnector(resolver=names)) as session:
                with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
                    await session.request(method, url, data=b"body" if method == "POST" else None)
    text = str(caught.value)
    assert text.startswith(f"no route matches {method} {url}; nearest: GET https://api.example/other (differs")
    # The exception says it: a warning would repeat it.
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("DEBUG", text)]
    assert names.asked == []
    assert (m.call_count, list(m.requests)) == (1, [(method, URL(url))])
    # The explanation is all there is to see: no disconnect that carried it.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_a_mock_without_routes_answers_every_request():
    async with aiointercept(mock_external_urls=True) as m:
        with pytest.raises(aiohttp.ServerDisconnectedError, match="no route is registered"):
            await fetch("https://nobody.example/")
        assert m.call_count == 1


async def test_a_registered_exception_has_the_text_of_a_disconnect():
    async with aiointercept(mock_external_urls=True) as m:
        m.get("https://api.example/", exception=True)
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await fetch("https://api.example/")
        assert str(caught.value) == "Server disconnected"


async def test_a_websocket_is_a_request_to_its_https_origin():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get("https://api.example/live", status=503)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect("wss://api.example/live")
        assert refused.value.status == 503
        with pytest.raises(aiohttp.ServerDisconnectedError, match=r"matches GET http://api\.example/live"):
            await session.ws_connect("ws://api.example/live")
        assert list(m.requests) == [("GET", URL("https://api.example/live")), ("GET", URL("http://api.example/live"))]
        assert m.last_request.headers["Upgrade"] == "websocket"


@pytest.mark.parametrize("host", ["API.Example", "api.example.", "api.example"])
async def test_a_host_is_the_same_in_any_spelling(host):
    async with aiointercept(mock_external_urls=True) as m:
        m.get("https://api.example/", body="here")
        assert (await fetch(f"https://{host}/")).text == "here"
