"""Joining two connections after an upgrade, such as that to WebSockets: bytes are passed on as they are."""

import asyncio
import contextlib
from typing import Any

from aiohttp import ClientError, ClientResponse, StreamReader, web
from aiohttp.http import StreamWriter

__all__ = ["relay_upgrade"]

_BUFFER = 2**16


class _Raw:
    """A parser, as aiohttp's protocols want one after an upgrade, that leaves everything as it is."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._reader.feed_eof()


class _Sent(web.StreamResponse):
    """A response that is on the wire already."""

    @property
    def keep_alive(self) -> bool:
        return False

    @property
    def prepared(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


async def relay_upgrade(request: web.BaseRequest, response: ClientResponse) -> web.StreamResponse:
    """Answer `request` with the real server's 101 `response`, then relay both ways until one side ends."""
    assert request.transport is not None
    connection = response.connection
    # An aiohttp client leaves the connection of an upgraded exchange to whoever asked for it.
    assert connection is not None
    assert connection.protocol is not None
    server, client = connection.protocol, request.protocol
    loop = asyncio.get_running_loop()
    from_server = StreamReader(server, _BUFFER, loop=loop)
    from_client = StreamReader(client, _BUFFER, loop=loop)
    request.transport.write(_head(response))
    server.set_parser(_Raw(from_server), from_server)
    parser: Any = _Raw(from_client)
    client.set_parser(parser)
    pumps = {
        asyncio.ensure_future(_pump(from_server, StreamWriter(client, loop))),
        asyncio.ensure_future(_pump(from_client, StreamWriter(server, loop))),
    }
    try:
        # A connection that is upgraded has no use for half of it.
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        response.close()
        for pump in pumps:
            pump.cancel()
    return _Sent(status=response.status)


async def _pump(source: StreamReader, sink: StreamWriter) -> None:
    # Either side may be gone at any time; that is an end as good as another.
    with contextlib.suppress(OSError, ClientError):
        while chunk := await source.readany():
            await sink.write(chunk)


def _head(response: ClientResponse) -> bytes:
    fields = b"".join(b"%s: %s\r\n" % field for field in response.raw_headers)
    reason = (response.reason or "").encode("utf-8", "surrogateescape")
    return b"HTTP/1.1 %d %s\r\n%s\r\n" % (response.status, reason, fields)
