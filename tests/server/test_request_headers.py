"""The recorded headers are exactly those that were sent, in order, case and number."""

import aiohttp
import pytest
from mock_server import Mock, connect
from support import fetch

HEADERS = [
    ("hOST", "api.example"),
    ("X-Twice", "1"),
    ("accept", "*/*"),
    ("x-twice", "2"),
    ("X-Empty", ""),
    ("X-Spaces", "a  b\tc"),
    ("X-Utf8", "grüße"),
    ("COOKIE", "a=1; b=2"),
    ("Cookie", "c=3"),
]


def head(*fields: tuple[str, str], request_line: str = "GET / HTTP/1.1") -> bytes:
    return "\r\n".join([request_line, *(f"{name}: {value}" for name, value in fields), "", ""]).encode()


async def test_order_case_and_duplicates(mock: Mock):
    mock.registry.get("http://api.example/", repeat=True)
    async with connect(mock.port) as connection:
        assert (await connection.exchange(head(*HEADERS))).status == 200
    assert list(mock.last.headers.items()) == HEADERS
    assert mock.last.raw_headers == tuple((name.encode(), value.encode()) for name, value in HEADERS)


async def test_also_on_a_kept_alive_connection_and_after_a_body(mock: Mock):
    mock.registry.post("http://api.example/", repeat=True)
    fields = [("Host", "api.example"), ("content-length", "2"), ("b", "1"), ("A", "2")]
    async with connect(mock.port) as connection:
        for _ in range(3):
            assert (await connection.exchange(head(*fields, request_line="POST / HTTP/1.1") + b"{}")).status == 200
            assert list(mock.last.headers.items()) == fields


async def test_only_the_headers_of_an_aiohttp_client_are_recorded(mock: Mock):
    mock.registry.get(f"{mock.url}/")
    async with aiohttp.ClientSession(headers={"X-Token": "t"}) as session, session.get(f"{mock.url}/") as response:
        sent = list(response.request_info.headers.items())
    assert list(mock.last.headers.items()) == sent


@pytest.mark.parametrize("size", [60_000, 1_000_000])
async def test_a_long_header(mock: Mock, size: int):
    mock.registry.get(f"{mock.url}/")
    assert (await fetch(f"{mock.url}/", headers={"X-Long": "x" * size})).status == 200
    assert mock.last.headers["X-Long"] == "x" * size


async def test_many_headers(mock: Mock):
    fields = [("Host", "api.example"), *((f"X-{number}", "x" * 60) for number in range(2000))]
    mock.registry.get("http://api.example/")
    async with connect(mock.port) as connection:
        assert (await connection.exchange(head(*fields))).status == 200
    assert list(mock.last.headers.items()) == fields


async def test_a_long_url(mock: Mock):
    url = f"{mock.url}/{'p' * 30_000}?q={'v' * 30_000}"
    mock.registry.get(url)
    assert (await fetch(url)).status == 200
    assert str(mock.last.url) == url
