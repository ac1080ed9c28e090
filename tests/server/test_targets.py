"""Every request is recorded under a URL: the one that its target and its Host header name, if they name one."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mock_server import Mock, connect

from aiointercept_core import normalize_url


async def ask(mock: Mock, target: str, *headers: str, method: str = "GET", version: str = "1.1") -> str | int:
    """Send one request and return the URL it was recorded under, or the status where it was refused."""
    before = len(mock.received)
    head = "\r\n".join([f"{method} {target} HTTP/{version}", *headers, "Connection: close", "", ""])
    async with connect(mock.port) as connection:
        await connection.send(head.encode("latin-1"))
        answer = await connection.rest()
    if answer:
        return int(answer.split()[1])
    if len(mock.received) == before:
        # aiohttp's parser refused it.
        return 400
    [request] = mock.received[before:]
    assert request.method == method
    assert request.canonical_url == normalize_url(request.url)
    return str(request.url)


@pytest.mark.parametrize(
    ("target", "host", "url"),
    [
        ("/", "api.example", "http://api.example/"),
        ("/a?b=c", "api.example:8080", "http://api.example:8080/a?b=c"),
        ("/a%2Fb?c=%41&c=+", "api.example", "http://api.example/a%2Fb?c=%41&c=+"),
        ("//a//b", "api.example", "http://api.example//a//b"),
        ("/", "[::1]:81", "http://[::1]:81/"),
        ("/?u=http://other.example/", "api.example", "http://api.example/?u=http://other.example/"),
        ("/http://other.example/", "api.example", "http://api.example/http://other.example/"),
        # As clients send it to a proxy: the target is the URL.
        ("http://other.example/a?b", "api.example", "http://other.example/a?b"),
        ("http://other.example:81", "api.example", "http://other.example:81"),
        ("https://other.example/", "api.example", "https://other.example/"),
        ("http://user:word@other.example/", "api.example", "http://user:word@other.example/"),
    ],
)
async def test_the_url_of_target_and_host(mock: Mock, target: str, host: str, url: str):
    assert await ask(mock, target, f"Host: {host}") == url


async def test_an_absolute_target_matches_a_route(mock: Mock):
    mock.registry.get("http://other.example/a", body="found", repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(2):
            response = await connection.exchange(b"GET http://other.example/a HTTP/1.1\r\nHost: api.example\r\n\r\n")
            assert response.body == b"found"


async def test_the_server_as_a_whole(mock: Mock):
    assert await ask(mock, "*", "Host: api.example", method="OPTIONS") == "http://api.example/*"


async def test_a_tunnel(mock: Mock):
    assert await ask(mock, "other.example:443", "Host: x", method="CONNECT") == "http://other.example:443/"


async def test_no_host_header(mock: Mock):
    assert await ask(mock, "/a", version="1.0") == f"{mock.url}/a"
    assert await ask(mock, "/a") in (f"{mock.url}/a", 400)
    assert await ask(mock, "/a", "Host:") in (f"{mock.url}/a", 400)


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "user@api.example",
        "api.example/path",
        "api.example?",
        "[::1",
        "a:99999",
        "a:b",
        ":80",
        "a\\b",
        "\xff",
        "xn--",
    ],
)
async def test_a_host_header_that_names_no_host(mock: Mock, host: str):
    assert await ask(mock, "/a?b", f"Host: {host}") in ("http://invalid/a?b", 400)


@pytest.mark.parametrize(
    "target",
    [
        "http://[::1/",
        "http://a:99999/",
        "http:///a",
        "http://",
        "http:/a",
        "a",
        "?a",
        "#",
        "/\xff",
        "/#a",
        "*",
        "/\x7f",
    ],
)
async def test_a_target_that_is_no_url(mock: Mock, target: str):
    recorded = await ask(mock, target, "Host: api.example")
    assert recorded == 400 or recorded.startswith("http://")


LINE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), min_size=1, max_size=40)


def test_any_target_and_any_host(mock: Mock):
    """Each is recorded or refused, and the next is served."""
    import asyncio

    @given(LINE, LINE)
    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def check(target: str, host: str) -> None:
        recorded = runner.run(ask(mock, target, f"Host: {host}"))
        assert recorded == 400 or "://" in recorded

    with asyncio.Runner() as runner:
        check()
