"""A connection after a reply that upgrades it: bytes as they come, in both directions, without HTTP."""

import asyncio
from typing import Any

from aiohttp import StreamReader, web

__all__ = ["RawConnection"]

# How many bytes are received before the client is held back; twice as many at most.
_BUFFER = 2**16


class RawConnection:
    """The client's connection of `request`, as `aiointercept_core.UpgradedConnection`.

    From the constructor on the connection is not read as HTTP any more.
    """

    def __init__(self, request: web.BaseRequest) -> None:
        protocol = request.protocol
        self._writer = request.writer
        self._reader = StreamReader(protocol, _BUFFER, loop=asyncio.get_running_loop())
        # aiohttp's signature names its WebSocket parser, of which only these two methods are called.
        parser: Any = _RawParser(self._reader)
        protocol.set_parser(parser)

    async def receive(self) -> bytes:
        """Return the next bytes from the client, `b""` at the end."""
        return await self._reader.readany()

    async def send(self, data: bytes) -> None:
        """Send `data` to the client; waits while the client does not read, raises `ConnectionError` if it has left."""
        await self._writer.write(data)


class _RawParser:
    """What aiohttp hands the received bytes to after an upgrade; it leaves them as they are."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._reader.feed_eof()
