"""A body that has been received, as a stream of aiohttp."""

import asyncio

import aiohttp
from aiohttp import StreamReader

__all__ = ["body_stream"]

_PIECE = 2**16


def body_stream(body: bytes) -> StreamReader:
    """Return a stream of `body` from its beginning, for the running event loop."""
    loop = asyncio.get_running_loop()
    # Not over the connection of the request: that may have other requests by now, on another thread.
    reader = StreamReader(aiohttp.base_protocol.BaseProtocol(loop), len(body) + 1, loop=loop)
    # In pieces: a reader that takes back what it has read too far copies the whole piece.
    for start in range(0, len(body), _PIECE):
        reader.feed_data(body[start : start + _PIECE])
    reader.feed_eof()
    return reader
