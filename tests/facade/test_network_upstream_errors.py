"""An error upstream is the error that a direct client gets, and is recorded as one request."""

import asyncio
import contextlib
import gzip
import re
import socket
import struct

import aiohttp
import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from support import Names

from aiointercept import aiointercept

# Ports are compared as one: a direct client names its own.
PORT = re.compile(r"\d{4,5}")


class Upstream:
    """A server that handles its connections by calling `behave`."""

    def __init__(self, behave) -> None:
        self._behave = behave
        self.connections = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://api.example:{self._server.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_) -> None:
        self._server.close()

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        try:
            await self._behave(reader, writer)
        finally:
            writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of an end."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def closes_after_the_request(reader, writer):
    await reader.readuntil(b"\r\n\r\n")


async def resets_after_the_request(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    reset(writer)


async def closes_in_the_head(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def speaks_no_http(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


async def closes_in_a_counted_body(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    await writer.drain()


async def closes_in_a_chunked_body(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")
    await writer.drain()


async def resets_in_a_body(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    await writer.drain()
    await asyncio.sleep(0.05)
    reset(writer)


async def sends_a_broken_coding(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    body = gzip.compress(b"x" * 100)[:-20] + b"\0" * 20
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


BEHAVIOURS = [
    closes_after_the_request,
    resets_after_the_request,
    closes_in_the_head,
    speaks_no_http,
    closes_in_a_counted_body,
    closes_in_a_chunked_body,
    resets_in_a_body,
    sends_a_broken_coding,
]


async def outcome(url: str, method: str = "GET", *, resolver=None, timeout=None, **options) -> list:
    """Return what a client sees of a request, up to the error that ends it."""
    connector = TCPConnector(resolver=resolver or Names())
    seen = []
    async with ClientSession(connector=connector, timeout=timeout or ClientTimeout(total=10)) as session:
        try:
            async with session.request(method, url, **options) as response:
                seen.append(response.status)
                async for chunk in response.content.iter_any():
                    seen.append(chunk)
        except Exception as exc:
            seen += [type(exc), exc]
    return seen


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("behave", BEHAVIOURS, ids=lambda behave: behave.__name__)
async def test_a_server_that_fails(behave, method):
    upstream = Upstream(behave)
    async with upstream as url:
        direct = await outcome(url, method)
        tried = upstream.connections
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
            forwarded = await outcome(url, method)
            assert m.call_count == 1
    *before, direct_type, direct_error = direct
    assert forwarded[:-1] == [*before, direct_type]
    if not before:
        assert PORT.sub("N", str(forwarded[-1])) == PORT.sub("N", str(direct_error))
        # aiohttp's own retry happens upstream, as often as without a mock.
        assert upstream.connections == 2 * tried


async def both(url: str, **options) -> tuple[list, list]:
    direct = await outcome(url, **options)
    async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
        forwarded = await outcome(url, **options)
        # On a busy machine a client with a short timeout may leave before its request has arrived.
        assert m.call_count == 1 or "timeout" in options
    return direct, forwarded


async def test_a_refused_connection():
    with socket.socket() as taken:
        # Bound and not listening: nobody else gets the port.
        taken.bind(("127.0.0.1", 0))
        direct, forwarded = await both(f"http://api.example:{taken.getsockname()[1]}/")
    assert forwarded[0] is direct[0] is aiohttp.ClientConnectorError
    assert str(forwarded[1]) == str(direct[1])
    assert (forwarded[1].host, forwarded[1].port, forwarded[1].ssl) == (direct[1].host, direct[1].port, direct[1].ssl)


async def test_a_name_that_does_not_exist():
    direct, forwarded = await both("https://api.example/", resolver=Names(["api.example"]))
    assert forwarded[0] is direct[0] is aiohttp.ClientConnectorDNSError
    assert str(forwarded[1]) == str(direct[1])


async def test_a_resolver_that_breaks():
    class Broken(Names):
        async def resolve(self, *_, **__):
            raise ZeroDivisionError("in the resolver")

    direct, forwarded = await both("https://api.example/", resolver=Broken())
    assert forwarded[0] is direct[0] is ZeroDivisionError
    assert str(forwarded[1]) == str(direct[1])


@pytest.mark.long
async def test_a_connection_that_is_not_accepted():
    """A listening socket whose queue is full answers nobody."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        url = f"http://api.example:{listening.getsockname()[1]}/"
        # Long enough for a busy machine to connect to the mock.
        direct, forwarded = await both(url, timeout=ClientTimeout(total=10, sock_connect=0.5))
    assert forwarded[0] is direct[0] is aiohttp.ConnectionTimeoutError
    assert str(forwarded[1]) == str(direct[1])


async def test_a_name_that_takes_too_long():
    class Slow(Names):
        async def resolve(self, *_, **__):
            await asyncio.sleep(3600)

    timeout = ClientTimeout(total=10, connect=0.1)
    direct, forwarded = await both("http://api.example/", timeout=timeout, resolver=Slow())
    assert forwarded[0] is direct[0] is aiohttp.ConnectionTimeoutError
    assert str(forwarded[1]) == str(direct[1])


@pytest.mark.parametrize("limit", ["total", "sock_read"])
async def test_a_reply_that_takes_too_long(limit):
    async def silent(reader, writer):
        await reader.read()

    async with Upstream(silent) as url:
        direct, forwarded = await both(url, timeout=ClientTimeout(**{limit: 0.1}))
    assert forwarded[0] is direct[0]
    assert issubclass(forwarded[0], TimeoutError)


async def test_an_upload_that_nobody_reads_to_its_end():
    """It is not sent again: what was read of it is gone."""
    sizes = []

    async def closes(reader, writer):
        sizes.append(len(await reader.read(1000)))
        reset(writer)

    async def upload():
        while True:
            yield b"x" * 65536

    async with Upstream(closes) as url:
        direct = await outcome(url, "PUT", data=upload())
        sizes.clear()
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
            forwarded = await outcome(url, "PUT", data=upload())
            assert m.call_count == 1
            assert not m.last_request.complete
    assert len(sizes) == 1
    assert issubclass(direct[0], aiohttp.ClientConnectionError)
    assert issubclass(forwarded[0], aiohttp.ClientConnectionError)
