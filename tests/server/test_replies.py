"""Replies arrive as they were registered, and the connection stays usable."""

import asyncio
import gzip
import io
import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
import pytest
from mock_server import Mock, connect
from multidict import CIMultiDict, CIMultiDictProxy
from support import fetch

from aiointercept_core import CallbackResult, Response

GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
URL = "http://api.example/"


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("POST", 204), ("GET", 304), ("HEAD", 304)]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Length": "1234"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "gzip", "Content-Length": "77", "ETag": '"a"'},
    ],
    ids=lambda headers: ",".join(headers) or "none",
)
async def test_no_body_and_the_headers_as_given(mock: Mock, method: str, status: int, headers: dict[str, str]):
    mock.registry.add(URL, method, status=status, headers=headers, repeat=True)
    mock.registry.get(URL + "next", body="next", repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(2):
            response = await connection.exchange(GET.replace(b"GET", method.encode()), bodiless=True)
            assert response.status == status
            names = ("Content-Length", "Transfer-Encoding", "Content-Encoding", "ETag")
            assert {name: value for name, value in response.headers if name in names} == headers
            # A byte of a body would be the beginning of the next response.
            following = await connection.exchange(GET.replace(b"/ ", b"/next "))
            assert (following.status, following.body) == (200, b"next")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("body", ["known", "streamed"])
async def test_a_registered_body_is_not_sent(mock: Mock, method: str, status: int, body: str):
    async def chunks():
        yield b"body"

    mock.registry.add(URL, method, status=status, body=b"body" if body == "known" else chunks, repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(3):
            response = await connection.exchange(GET.replace(b"GET", method.encode()), bodiless=True)
            assert response.status == status
            expected = ["4"] if (method, body) == ("HEAD", "known") else []
            assert response.values("Content-Length") == expected


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "4"}])
async def test_a_known_body_with_copied_framing_headers(mock: Mock, headers: dict[str, str]):
    mock.registry.get(URL, body=b"body", headers=headers, repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(3):
            response = await connection.exchange(GET)
            assert response.body == b"body"
            assert len(response.values("Content-Length")) + len(response.values("Transfer-Encoding")) == 1


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "4"}])
async def test_a_streamed_body_with_copied_framing_headers(mock: Mock, headers: dict[str, str]):
    async def chunks():
        yield b"bo"
        yield b""
        yield b"dy"

    mock.registry.get(URL, body=chunks, headers=headers, repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(3):
            assert (await connection.exchange(GET)).body == b"body"


async def test_an_answer_with_contradicting_framing_headers(mock: Mock):
    """The registry refuses or drops them; from another answer function they do not break the connection."""

    async def answer(request):
        headers = CIMultiDict({"Transfer-Encoding": "chunked", "Content-Length": "99"})
        headers.add("Content-Length", "77")
        return Response(200, None, CIMultiDictProxy(headers), b"body")

    mock.answer = answer
    async with connect(mock.port) as connection:
        for _ in range(2):
            response = await connection.exchange(GET)
            assert response.body == b"body"
            assert (response.values("Content-Length"), response.values("Transfer-Encoding")) == (["4"], [])


async def test_an_aiohttp_client_reads_every_one_of_them(mock: Mock):
    async def chunks():
        yield b"body"

    for number, headers in enumerate(({}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "4"})):
        for method in ("GET", "HEAD", "POST"):
            for status in (200, 204, 304, 404):
                mock.registry.add(f"{mock.url}/{number}", method, status=status, headers=headers, body="body")
                mock.registry.add(f"{mock.url}/{number}", method, status=status, headers=headers, body=chunks)
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        for number in range(3):
            for method in ("GET", "HEAD", "POST"):
                for status in (200, 200, 204, 204, 304, 304, 404, 404):
                    async with session.request(method, f"{mock.url}/{number}") as response:
                        bodiless = method == "HEAD" or status in (204, 304)
                        assert (response.status, await response.read()) == (status, b"" if bodiless else b"body")


async def test_a_gzip_body_is_sent_as_it_is(mock: Mock):
    packed = gzip.compress(b"text " * 1000)
    mock.registry.get(f"{mock.url}/", body=packed, headers={"Content-Encoding": "gzip"}, repeat=True)
    async with aiohttp.ClientSession(auto_decompress=False) as session, session.get(f"{mock.url}/") as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.read() == packed
    assert (await fetch(f"{mock.url}/")).body == b"text " * 1000


async def test_duplicate_headers_arrive_as_several_in_order(mock: Mock):
    headers = CIMultiDict([("Set-Cookie", "a=1"), ("X-A", "1"), ("set-cookie", "b=2; Path=/"), ("X-a", "2")])
    mock.registry.get(URL, headers=headers)
    async with connect(mock.port) as connection:
        response = await connection.exchange(GET)
    assert response.headers[:4] == list(headers.items())


async def test_only_headers_that_http_needs_are_added(mock: Mock):
    mock.registry.get(URL, body="{}", headers={"x-CASE": "1"})
    async with connect(mock.port) as connection:
        response = await connection.exchange(GET)
    assert [name for name, _ in response.headers] == ["x-CASE", "Content-Type", "Content-Length", "Date"]
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response.values("Date")[0])


async def test_the_date_is_that_of_the_reply(mock: Mock):
    mock.registry.get(URL, repeat=True)
    dates = set()
    async with connect(mock.port) as connection, asyncio.timeout(5):
        while len(dates) < 2:
            earliest = int(time.time())
            (date,) = (await connection.exchange(GET)).values("Date")
            assert earliest <= parsedate_to_datetime(date).timestamp() <= time.time()
            dates.add(date)
            await asyncio.sleep(0.05)


async def test_registered_date_and_server_headers_are_sent(mock: Mock):
    mock.registry.get(URL, headers={"Date": "yesterday", "Server": "mine"})
    async with connect(mock.port) as connection:
        response = await connection.exchange(GET)
    assert (response.values("Date"), response.values("Server")) == (["yesterday"], ["mine"])


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, None, "200 OK"),
        (418, None, "418 I'm a Teapot"),
        (200, "Very Well", "200 Very Well"),
        (200, "", "200 "),
        (599, None, "599 "),
        (999, "Odd", "999 Odd"),
        (HTTPStatus.CREATED, None, "201 Created"),
        (200, "Grün", "200 Grün"),
    ],
)
async def test_status_and_reason(mock: Mock, status: int, reason: str | None, line: str):
    mock.registry.get(URL, status=status, reason=reason)
    async with connect(mock.port) as connection:
        response = await connection.exchange(GET)
    received = response.status_line.encode("latin-1").decode()
    # The phrases of the standard library differ in case between its versions.
    assert received.lower() == f"HTTP/1.1 {line}".lower()


async def test_every_status(mock: Mock):
    statuses = range(200, 1000)
    for status in statuses:
        mock.registry.get(URL, status=status, body="body")
    async with connect(mock.port) as connection:
        for status in statuses:
            assert (await connection.exchange(GET, bodiless=status in (204, 304))).status == status


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_000])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_bodies_of_any_size(mock: Mock, size: int, version: bytes):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    mock.registry.get(URL, body=body, repeat=True)
    request = GET.replace(b"1.1", version).replace(b"Host", b"Connection: keep-alive\r\nHost")
    async with connect(mock.port) as connection:
        for _ in range(2):
            received = (await connection.exchange(request)).body
            assert len(received) == size
            assert received == body


@pytest.mark.parametrize(
    ("version", "asked", "registered", "stays"),
    [
        ("1.1", None, None, True),
        ("1.1", "keep-alive", None, True),
        ("1.1", "close", None, False),
        ("1.1", None, "close", False),
        ("1.1", None, "Close", False),
        ("1.1", None, "keep-alive, close", False),
        ("1.1", None, "keep-alive", True),
        ("1.0", None, None, False),
        ("1.0", "keep-alive", None, True),
        ("1.0", "keep-alive", "close", False),
    ],
)
@pytest.mark.parametrize("body", ["known", "empty", "streamed"])
async def test_whether_the_connection_stays(mock: Mock, version, asked, registered, stays, body):
    async def chunks():
        yield b"body"

    bodies = {"known": b"body", "empty": b"", "streamed": chunks}
    headers = {} if registered is None else {"Connection": registered}
    mock.registry.get(URL, body=bodies[body], headers=headers, repeat=True)
    header = "" if asked is None else f"Connection: {asked}\r\n"
    request = f"GET / HTTP/{version}\r\nHost: api.example\r\n{header}\r\n".encode()
    if version == "1.0" and body == "streamed":
        # Only the end of the connection can tell where such a body ends.
        stays = False
    async with connect(mock.port) as connection:
        response = await connection.exchange(request)
        assert response.status_line == f"HTTP/{version} 200 OK"
        sent = response.values("Connection")
        if registered is not None:
            assert sent == [registered]
        elif stays:
            assert sent == (["keep-alive"] if version == "1.0" else [])
        else:
            assert sent == ["close"]
        if stays:
            assert (await connection.exchange(request)).status == 200
        else:
            rest = await connection.rest()
            assert response.body + rest == (b"" if body == "empty" else b"body")


async def test_a_callback_that_fails_is_a_500_with_its_traceback(mock: Mock):
    def fail(url, **_):
        raise LookupError("grün \udcff")

    mock.registry.get(URL, callback=fail, repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(2):
            response = await connection.exchange(GET)
            assert response.status == 500
            assert response.values("Content-Type") == ["text/plain; charset=utf-8"]
            text = response.body.decode()
            assert text.startswith("your function Mock._answer() raised LookupError: grün \\udcff\n\nTraceback")
            assert ", in fail\n" in text
            assert "LookupError: grün \\udcff" in text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopAsyncIteration()])
async def test_the_server_survives_any_exception_of_a_callback(mock: Mock, error: BaseException):
    def fail(url, **_):
        raise error

    mock.registry.get(URL, callback=fail)
    mock.registry.get(URL, callback=lambda url, **_: CallbackResult(body="served"))
    async with connect(mock.port) as connection:
        assert (await connection.exchange(GET)).status == 500
    async with connect(mock.port) as connection:
        assert (await connection.exchange(GET)).body == b"served"


async def test_a_websocket_handshake_gets_the_registered_reply(mock: Mock):
    """It is a request like any other unless the reply is an `Upgrade`; the connection goes on with HTTP."""
    mock.registry.get(URL, status=403, repeat=True)
    handshake = GET.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nHost")
    async with connect(mock.port) as connection:
        for _ in range(2):
            assert (await connection.exchange(handshake)).status == 403
            assert (await connection.exchange(GET)).status == 403


@pytest.mark.long
async def test_fifty_megabytes_both_ways(mock: Mock):
    body = bytes(50 * 2**20)
    mock.registry.post(f"{mock.url}/", body=body)
    response = await fetch(f"{mock.url}/", "POST", data=io.BytesIO(body))
    assert len(response.body) == len(mock.last.captured_body) == len(body)
