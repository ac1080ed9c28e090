"""Replies that are sent again, as the bytes that go onto the wire.

Most requests of a test get a reply that was registered once. To write its head anew for each takes longer than to find
out which reply it is; so aiohttp writes it once and it is sent for a second, which is how long its Date is right.
"""

import asyncio
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpVersion11, StreamWriter
from multidict import CIMultiDict

from aiointercept_core import Response

from ._clock import now

__all__ = ["JOINED_BODY", "ReadyReplies", "ReadyResponse"]

# A larger body, in bytes, is not copied to join it to its head.
JOINED_BODY = 64 * 1024

# How many replies of a mock are kept.
_KEPT = 64


class ReadyResponse(web.StreamResponse):
    """A whole message for any number of requests, also at once: it knows nothing of them."""

    def __init__(self, message: bytes) -> None:
        super().__init__()
        self._message = message

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write all of it."""
        await request.writer.write_eof(self._message)

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing: it is written."""


@dataclass(slots=True)
class _Kept:
    # As long as it is kept, its `id` is that of no other.
    reply: Response
    second: int = 0
    response: ReadyResponse | None = None


class ReadyReplies:
    """Of the replies that a mock sent of late, the messages of those that it sent more than once."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def find(self, request: web.BaseRequest, reply: Response) -> ReadyResponse | None:
        """Return the message that answers `request` with `reply`, if there is one."""
        kept = self._kept.get(id(reply))
        if kept is None or kept.second != int(now()) or not _is_ordinary(request):
            return None
        return kept.response

    async def keep(
        self, request: web.BaseRequest, reply: Response, second: int, status_line: str, headers: CIMultiDict[str]
    ) -> None:
        """Take note of what is sent, with a Date of `second`, on a connection that stays open."""
        kept = self._kept.get(id(reply))
        if kept is not None and _is_ordinary(request):
            kept.response = ReadyResponse(await _head(status_line, headers) + reply.body)
            kept.second = second
        elif kept is None and len(reply.body) <= JOINED_BODY:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[id(reply)] = _Kept(reply)


class _Memory(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data


async def _head(status_line: str, headers: CIMultiDict[str]) -> bytes:
    """Return the head of a message as aiohttp writes it."""
    loop = asyncio.get_running_loop()
    protocol, memory = BaseProtocol(loop), _Memory()
    protocol.transport = memory
    writer = StreamWriter(protocol, loop)
    await writer.write_headers(status_line, headers)
    writer.send_headers()
    return memory.written


def _is_ordinary(request: web.BaseRequest) -> bool:
    """Tell whether it is answered by a whole message on a connection that stays open."""
    return request.keep_alive and request.method != hdrs.METH_HEAD and request.version == HttpVersion11
