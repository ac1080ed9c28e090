"""Replies that are sent again, as the bytes that go onto the wire.

Most requests of a suite get one of a few replies. To write its head anew for each takes longer than to find out which
reply it is; so aiohttp writes it once and it is sent for a second, which is how long its Date is right.
"""

import asyncio
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpVersion11, StreamWriter
from multidict import CIMultiDict

from aiointercept_core import Response

from ._clock import now
from ._wire import WireResponse

__all__ = ["READY_REPLIES", "ReadyReplies"]

# How many replies are kept, and up to which size of their bodies in bytes.
_KEPT = 64
_LARGEST = 16 * 1024


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


class ReadyReplies:
    """The replies that were sent of late, each as a message once it is sent again. Lives on the server's thread."""

    def __init__(self) -> None:
        self._sent: dict[int, _Sent] = {}

    def response(self, request: web.BaseRequest, reply: Response) -> web.StreamResponse:
        """Return what answers `request` with `reply`."""
        sent = self._sent.get(id(reply))
        if sent is None:
            if len(reply.body) <= _LARGEST:
                if len(self._sent) >= _KEPT:
                    self._sent.clear()
                self._sent[id(reply)] = _Sent(reply)
            return WireResponse(reply)
        if not (request.keep_alive and request.method != hdrs.METH_HEAD and request.version == HttpVersion11):
            return WireResponse(reply)
        if sent.response is not None and sent.second == int(now()):
            return sent.response
        return WireResponse(reply, sent.keep)


@dataclass(slots=True)
class _Sent:
    # As long as it is kept, its `id` is that of no other.
    reply: Response
    second: int = 0
    response: ReadyResponse | None = None

    async def keep(self, second: int, status_line: str, headers: CIMultiDict[str]) -> None:
        """Keep the message with this head and a Date of `second`."""
        self.response = ReadyResponse(await _head(status_line, headers) + self.reply.body)
        self.second = second


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


# Of all mocks: a suite has the same replies in each of its tests.
READY_REPLIES = ReadyReplies()
