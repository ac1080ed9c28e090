"""Relay the bytes of an upgraded connection, such as that of a WebSocket, both ways."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp
from aiohttp import ClientError, ClientResponse, StreamReader

__all__ = ["ByteStream", "relay_upgrade"]

_BUFFER_SIZE = 2**16


class ByteStream(Protocol):
    """A connection that carries bytes both ways."""

    async def receive(self) -> bytes:
        """Return the next bytes, `b""` at the end."""

    async def send(self, data: bytes) -> None:
        """Send `data`, waiting while the other side does not read."""


async def relay_upgrade(client: ByteStream, response: ClientResponse) -> None:
    """Relay bytes between `client` and the server that sent the 101 `response`, until either side ends."""
    server = _UpgradedConnection(response)
    tasks = {
        asyncio.ensure_future(_relay(server.receive, client.send)),
        asyncio.ensure_future(_relay(client.receive, server.send)),
    }
    try:
        # An upgraded connection of which one half has ended is of no use.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        response.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _relay(receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]) -> None:
    # Either side may close the connection at any time: this is an end like another.
    with contextlib.suppress(OSError, ClientError):
        while data := await receive():
            await send(data)


class _UpgradedConnection:
    """The connection of a 101 response, as a `ByteStream`, and the parser that aiohttp's protocol feeds."""

    def __init__(self, response: ClientResponse) -> None:
        connection = response.connection
        # aiohttp's client keeps the connection of a 101 response open.
        assert connection is not None
        assert connection.protocol is not None
        protocol, loop = connection.protocol, asyncio.get_running_loop()
        self._reader = StreamReader(protocol, _BUFFER_SIZE, loop=loop)
        self._writer = aiohttp.http.StreamWriter(protocol, loop)
        # Its parameters are declared for the frames of a WebSocket.
        set_parser: Any = protocol.set_parser
        set_parser(self, self._reader)

    async def receive(self) -> bytes:
        return await self._reader.readany()

    async def send(self, data: bytes) -> None:
        await self._writer.write(data)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._reader.feed_eof()
