"""Replies on the wire: how each kind of core's replies looks in HTTP.

The head is written here and not by `web.Response`, because a mock sends what was registered: `web.Response` drops
or corrects headers that a HEAD, 204 or 304 reply may well carry.
"""

import asyncio
import contextlib
import functools
import logging
import socket
import struct
import sys
from collections.abc import AsyncIterable, Awaitable, Callable
from email.utils import formatdate
from typing import TypeAlias

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict

from aiointercept_core import Reply, Response, Stream, error_response, format_error

from ._clock import now

__all__ = ["ClosedResponse", "WireResponse", "send_reply"]

logger = logging.getLogger("aiointercept")

# A larger body is not copied to join it to its head, and goes out piece by piece: a transport copies what the socket
# does not take at once, and stands still meanwhile.
_JOINED_BODY = 64 * 1024
_PIECE = 2 * 1024 * 1024

# How long the head of a stream waits for the first chunk, in seconds.
_FIRST_CHUNK_GRACE = 0.1

Keep: TypeAlias = Callable[[int, str, CIMultiDict[str]], Awaitable[None]]

_LINGER = "hh" if sys.platform == "win32" else "ii"


class WireResponse(web.StreamResponse):
    """A response with the head that was asked for. The body of a `Stream` is written by whoever makes this of it.

    `keep` is given the second of its Date, its status line and its headers, if it is a whole message on a connection
    that stays open.
    """

    def __init__(self, reply: Response | Stream, keep: Keep | None = None) -> None:
        super().__init__(status=reply.status, reason=reply.reason, headers=reply.headers)
        self._keep = keep
        self._known = reply.body if isinstance(reply, Response) else None
        self._writer: AbstractStreamWriter | None = None
        self._stays_open = False
        self._is_bodiless = False
        self.ends_with_connection = False

    @property
    def keep_alive(self) -> bool:
        return self._stays_open

    @property
    def prepared(self) -> bool:
        return self._writer is not None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the head, once."""
        if self._writer is not None:
            return self._writer
        writer = self._writer = request.writer
        headers, status, version = self.headers, self.status, request.version
        self._is_bodiless = _is_bodiless(request, status)
        self._stays_open = request.keep_alive
        if not self._is_bodiless:
            self._frame(request, writer, headers)
        elif self._known and request.method == hdrs.METH_HEAD and hdrs.TRANSFER_ENCODING not in headers:
            headers.setdefault(hdrs.CONTENT_LENGTH, str(len(self._known)))
        if hdrs.CONNECTION in headers:
            if "close" in ",".join(headers.getall(hdrs.CONNECTION)).lower():
                self._stays_open = False
        elif not self._stays_open:
            headers[hdrs.CONNECTION] = "close"
        elif version < HttpVersion11:
            headers[hdrs.CONNECTION] = "keep-alive"
        second = int(now())
        if hdrs.DATE not in headers:
            headers[hdrs.DATE] = _date(second)
        status_line = f"HTTP/{version.major}.{version.minor} {status} {self.reason}"
        await writer.write_headers(status_line, headers)
        if self._keep is not None and self._stays_open and not self._is_bodiless:
            await self._keep(second, status_line, headers)
        return writer

    def _frame(self, request: web.BaseRequest, writer: AbstractStreamWriter, headers: CIMultiDict[str]) -> None:
        """Say in the head where the body ends."""
        if self._known is not None:
            headers.popall(hdrs.TRANSFER_ENCODING, None)
            headers[hdrs.CONTENT_LENGTH] = str(len(self._known))
        elif hdrs.CONTENT_LENGTH in headers:
            writer.length = int(headers[hdrs.CONTENT_LENGTH])
        elif request.version >= HttpVersion11:
            writer.enable_chunking()
            headers[hdrs.TRANSFER_ENCODING] = "chunked"
        else:
            self.ends_with_connection = True
            self._stays_open = False

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write one piece of the body."""
        assert self._writer is not None
        await self._writer.write(data)

    async def write_eof(self, data: bytes = b"") -> None:
        """Write what is left of the body and end the response."""
        writer = self._writer
        if writer is None or self._eof_sent:
            return
        self._eof_sent = True
        body = b"" if self._is_bodiless else self._known or b""
        if len(body) > _JOINED_BODY:
            writer.send_headers()
            pieces = memoryview(body)
            for start in range(0, len(body), _PIECE):
                await writer.write(pieces[start : start + _PIECE])
            body = b""
        await writer.write_eof(body)


class ClosedResponse(web.StreamResponse):
    """No response: the connection is closed, without a byte if none was sent before."""

    def __init__(self, request: web.BaseRequest) -> None:
        super().__init__()
        request.protocol.force_close()

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


async def send_reply(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Put `reply` on the wire, a known body as far as aiohttp's server does not do it when it gets the response."""
    if isinstance(reply, Response):
        return WireResponse(reply)
    if isinstance(reply, Stream):
        return await _send_stream(request, reply)
    return ClosedResponse(request)


async def _send_stream(request: web.BaseRequest, reply: Stream) -> web.StreamResponse:
    response = WireResponse(reply)
    if _is_bodiless(request, reply.status):
        await _close(reply.body)
        return response
    chunks = aiter(reply.body)
    head = asyncio.ensure_future(_send_head_at_last(request, response))
    try:
        async for chunk in chunks:
            if not isinstance(chunk, bytes | bytearray | memoryview):
                raise TypeError(f"body: expected the async iterable to yield bytes, got {chunk!r}")
            await response.prepare(request)
            await response.write(chunk)
        await response.prepare(request)
        if missing := request.writer.length:
            raise ValueError(f"body: expected as many bytes as its Content-Length says, got {missing} bytes less")
        await response.write_eof()
        return response
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as exc:
        transport = request.transport
        if transport is None or transport.is_closing():
            # The client left.
            return ClosedResponse(request)
        logger.error("the body of the reply to %s %s failed:\n%s", request.method, request.url, format_error(exc))
        if not response.prepared:
            return await send_reply(request, error_response(exc))
        # Too late for a status: a body cut short is what tells the client.
        if response.ends_with_connection:
            _reset(transport)
        return ClosedResponse(request)
    finally:
        head.cancel()
        await _close(chunks)


async def _send_head_at_last(request: web.BaseRequest, response: WireResponse) -> None:
    """Send the head without waiting for the first chunk any longer.

    An error before the first chunk can still be told, yet the body may be waiting for something that the client does
    once it has the head.
    """
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=_FIRST_CHUNK_GRACE)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        request.writer.send_headers()


async def _close(body: AsyncIterable[bytes]) -> None:
    """Close a generator, so that its `finally` runs now and not when it is collected."""
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        with contextlib.suppress(Exception):
            await aclose()


def _reset(transport: asyncio.Transport) -> None:
    """End a connection in a way that no client takes for the end of a body."""
    wire = transport.get_extra_info("socket")
    if wire is not None:
        # To linger for 0 seconds makes the kernel send a reset when the socket is closed.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
    transport.abort()


def _is_bodiless(request: web.BaseRequest, status: int) -> bool:
    """Tell whether no body is sent, whatever the headers say."""
    return request.method == hdrs.METH_HEAD or status in (204, 304)


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Return the Date header; making one takes longer than all other headers together, so it is kept for a second."""
    return formatdate(second, usegmt=True)
