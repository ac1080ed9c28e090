"""A request method is any token, including those that aiohttp's compiled parser does not know."""

import asyncio

import aiohttp
import pytest
from mock_server import Mock, connect, eventually
from support import fetch

from aiointercept_core import CloseConnection, Reply
from aiointercept_server import AiointerceptRequest
from aiointercept_server._handler import handle_request
from aiointercept_server._protocol import Server

UNKNOWN = ["BREW", "X-Y", "GETX", "G", "!#$%&'*+-.^_`|~1A", "PRI"]
KNOWN = ["GET", "PATCH", "TRACE", "CONNECT", "PROPFIND", "QUERY", "M-SEARCH", "MKCALENDAR", "PURGE"]


@pytest.mark.parametrize("method", UNKNOWN + [method for method in KNOWN if method != "CONNECT"])
async def test_a_method_is_served_and_recorded(mock: Mock, method: str):
    mock.registry.add(f"{mock.url}/pot?size=1", method, status=418)
    response = await fetch(f"{mock.url}/pot?size=1", method, data=b"tea")
    assert response.status == 418
    assert (mock.last.method, mock.last.captured_body) == (method, b"tea")
    assert str(mock.last.url) == f"{mock.url}/pot?size=1"


async def test_in_any_order_on_one_connection(mock: Mock):
    order = ["GET", "BREW", "GET", "HEAD", "POST", "X-Y", "X-Y", "HEAD", "PURGE", "BREW", "HEAD"]
    async with connect(mock.port) as connection:
        for method in order:
            mock.registry.add("http://api.example/", method)
            request = f"{method} / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 4\r\n\r\ndata"
            assert (await connection.exchange(request.encode(), bodiless=method == "HEAD")).status == 200
    assert [(request.method, request.captured_body) for request in mock.received] == [(m, b"data") for m in order]


async def test_the_headers_are_as_sent(mock: Mock):
    mock.registry.add("http://api.example/", "BREW")
    async with connect(mock.port) as connection:
        await connection.exchange(b"BREW / HTTP/1.1\r\nhOST: api.example\r\nX-a: 1\r\nx-A: 2\r\n\r\n")
    assert list(mock.last.headers.items()) == [("hOST", "api.example"), ("X-a", "1"), ("x-A", "2")]


async def test_limits_are_as_wide(mock: Mock):
    url = f"{mock.url}/{'p' * 100_000}"
    mock.registry.add(url, "BREW")
    body = bytes(range(256)) * 4000
    assert (await fetch(url, "BREW", headers={"X-Long": "x" * 100_000}, data=body)).status == 200
    assert mock.last.captured_body == body


async def test_compressed_and_chunked_bodies_are_as_sent(mock: Mock):
    async def chunks():
        for number in range(100):
            yield b"%d " % number

    mock.registry.add(f"{mock.url}/", "BREW", repeat=True)
    await fetch(f"{mock.url}/", "BREW", data=chunks(), headers={"Content-Encoding": "x-own"})
    assert mock.last.captured_body == b"".join([b"%d " % number for number in range(100)])
    await fetch(f"{mock.url}/", "BREW", data=b"text " * 100, compress=True)
    assert mock.last.captured_body == b"text " * 100
    assert mock.last.encoded_body != b"text " * 100


async def test_an_unmatched_method_is_recorded_and_its_connection_closed(mock: Mock):
    mock.registry.get(f"{mock.url}/", repeat=True)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{mock.url}/"):
            pass
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.request("BREW", f"{mock.url}/")
    assert [request.method for request in mock.received] == ["GET", "BREW"]


async def test_a_body_that_looks_like_a_request_is_a_body(mock: Mock):
    mock.registry.post("http://api.example/", repeat=True)
    body = b"BREW /pot HTTP/1.1\r\nHost: api.example\r\n\r\n"
    async with connect(mock.port) as connection:
        for _ in range(2):
            await connection.send(b"POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: %d\r\n\r\n" % len(body))
            # The head has arrived before the body, which is then a segment of its own.
            await eventually(lambda: len(mock.heads) > len(mock.received))
            await connection.send(body)
            assert (await connection.response()).status == 200
    assert [(request.method, request.captured_body) for request in mock.received] == [("POST", body)] * 2


async def test_a_body_that_looks_like_a_request_is_a_body_of_a_request_that_waits(mock: Mock):
    bodies = {b"/one": b"", b"/two": b"BREW /pot HTTP/1.1\r\nHost: api.example\r\n\r\n", b"/three": b"end"}
    for path in bodies:
        mock.registry.add(f"http://api.example{path.decode()}", "X-Y" if path == b"/three" else "POST")
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()
    match = mock.answer

    async def answer(request: AiointerceptRequest) -> Reply:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))
        return await match(request)

    mock.answer = answer
    async with connect(mock.port) as connection:
        one, two = (
            b"POST %s HTTP/1.1\r\nHost: api.example\r\nContent-Length: %d\r\n\r\n" % (path, len(bodies[path]))
            for path in (b"/one", b"/two")
        )
        await connection.send(one + two)
        await eventually(lambda: mock.heads)
        await connection.send(bodies[b"/two"])
        # Until it has arrived in a segment of its own.
        await asyncio.sleep(0.05)
        await connection.send(b"X-Y /three HTTP/1.1\r\nHost: api.example\r\nContent-Length: 3\r\n\r\nend")
        await asyncio.sleep(0.05)
        go_on.set()
        assert [(await connection.response()).status for _ in bodies] == [200, 200, 200]
    assert [request.captured_body or b"" for request in mock.received] == list(bodies.values())
    assert [request.method for request in mock.received] == ["POST", "POST", "X-Y"]


class Transport(asyncio.Transport):
    """A transport without a socket, which keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reads = True

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize("method", [b"POST", b"BREW"])
async def test_a_chunk_that_fills_the_buffer_does_not_stop_the_rest(method: bytes):
    """It arrives at once, so that aiohttp stops reading; the rest is read later."""
    bodies = []

    async def handle(request: AiointerceptRequest):
        bodies.append((request.method.encode(), await request.receive(), request.encoded_body))
        return await handle_request(respond, request)

    async def respond(request: AiointerceptRequest) -> Reply:
        return CloseConnection()

    connection = Server(handle, ("http", "api.example"))()
    transport = Transport()
    connection.connection_made(transport)
    connection.data_received(method + b" / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.sleep(0)
    connection.data_received(b"40000\r\n" + bytes(0x40000) + b"\r\n")
    async with asyncio.timeout(2):
        while not transport.reads:
            await asyncio.sleep(0)
    connection.data_received(b"5\r\nhello\r\n0\r\n\r\n")
    await eventually(lambda: bodies, 2)
    assert bodies == [(method, True, bytes(0x40000) + b"hello")]
    connection.connection_lost(None)


async def test_in_pieces_the_first_of_which_shows_it(mock: Mock):
    mock.registry.add("http://api.example/", "BREW", repeat=True)
    async with connect(mock.port) as connection:
        for piece in (b"BREW / HT", b"TP/1.1\r\nHost: api", b".example\r\n", b"\r\n"):
            await connection.send(piece)
            await asyncio.sleep(0.01)
        assert (await connection.response()).status == 200


async def test_a_method_in_two_pieces_is_refused_and_not_misread(mock: Mock):
    mock.registry.add("http://api.example/", "BREW", repeat=True)
    async with connect(mock.port) as connection:
        await connection.send(b"B")
        await asyncio.sleep(0.01)
        await connection.send(b"REW / HTTP/1.1\r\nHost: api.example\r\n\r\n")
        assert (await connection.response()).status in (200, 400)
    assert {request.method for request in mock.received} <= {"BREW"}


async def test_connect_has_no_body(mock: Mock):
    """The bytes after it would be those of a tunnel, which has no known end."""
    mock.registry.add("http://api.example:443/", "CONNECT", status=405)
    async with connect(mock.port) as connection:
        await connection.send(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
        assert (await connection.response()).status == 405
    assert mock.last.captured_body is None
