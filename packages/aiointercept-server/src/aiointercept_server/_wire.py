"""Replies on the wire: how each kind of core's replies looks in HTTP.

The head is written here and not by `web.Response`, because a mock sends what was registered: `web.Response` drops
or corrects headers that a HEAD, 204 or 304 reply may well carry.
"""

import asyncio
import contextlib
import functools
import http
import time
import traceback
from collections.abc import AsyncIterable
from email.utils import formatdate

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import Reply, Response, Stream

__all__ = ["ClosedResponse", "error_reply", "send_reply"]

# A larger body is handed to the transport by itself, so that it is not copied to join it to its head.
_JOINED_BODY = 64 * 1024

# How long the head of a stream waits for the first chunk, in seconds: an error before it can still be told as 500.
_FIRST_CHUNK_GRACE = 0.1


class WireResponse(web.StreamResponse):
    """A response with the head that was asked for and a body that is known or written piece by piece."""

    def __init__(self, status: int, reason: str | None, headers: CIMultiDictProxy[str], body: bytes | None) -> None:
        super().__init__(status=status, reason=_phrase(status) if reason is None else reason, headers=headers)
        self._payload = body
        self._writer: AbstractStreamWriter | None = None
        self._stays_open = False
        self._empty = False

    @property
    def keep_alive(self) -> bool:
        return self._stays_open

    @property
    def prepared(self) -> bool:
        return self._writer is not None

    @property
    def bodiless(self) -> bool:
        """Whether no body is sent, whatever the headers say; known once it is prepared."""
        return self._empty

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the head, once."""
        if self._writer is not None:
            return self._writer
        writer = self._writer = request.writer
        headers = self.headers
        self._empty = request.method == hdrs.METH_HEAD or self.status in (204, 304)
        self._stays_open = request.keep_alive and not _asks_to_close(headers)
        if not self._empty:
            self._frame(request, writer, headers)
        elif self._payload and request.method == hdrs.METH_HEAD:
            headers.setdefault(hdrs.CONTENT_LENGTH, str(len(self._payload)))
        headers.setdefault(hdrs.DATE, _date(int(time.time())))
        if hdrs.CONNECTION not in headers:
            if not self._stays_open:
                headers[hdrs.CONNECTION] = "close"
            elif request.version < HttpVersion11:
                headers[hdrs.CONNECTION] = "keep-alive"
        version = request.version
        await writer.write_headers(f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}", headers)
        return writer

    def _frame(self, request: web.BaseRequest, writer: AbstractStreamWriter, headers: CIMultiDict[str]) -> None:
        """Say in the head where the body ends."""
        if self._payload is not None:
            headers[hdrs.CONTENT_LENGTH] = str(len(self._payload))
        elif hdrs.CONTENT_LENGTH in headers:
            writer.length = int(headers[hdrs.CONTENT_LENGTH])
        elif request.version >= HttpVersion11:
            writer.enable_chunking()
            headers[hdrs.TRANSFER_ENCODING] = "chunked"
        else:
            self._stays_open = False

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write one piece of the body."""
        assert self._writer is not None
        # In a chunked body an empty chunk is the last one.
        if data:
            await self._writer.write(data)

    async def write_eof(self, data: bytes = b"") -> None:
        """Write what is left of the body and end the response."""
        writer = self._writer
        if writer is None or self._eof_sent:
            return
        self._eof_sent = True
        body = b"" if self._empty else self._payload or b""
        if len(body) > _JOINED_BODY:
            writer.send_headers()
            await writer.write(body)
            body = b""
        await writer.write_eof(body)


class ClosedResponse(web.StreamResponse):
    """No response: the connection is closed without a byte."""

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
        return WireResponse(reply.status, reply.reason, reply.headers, reply.body)
    if isinstance(reply, Stream):
        return await _send_stream(request, reply)
    return ClosedResponse(request)


def error_reply(error: BaseException) -> Response:
    """Return the reply that tells the client of `error`: 500 with the traceback as text."""
    text = "".join(traceback.format_exception(error))
    headers = CIMultiDict({hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"})
    return Response(500, None, CIMultiDictProxy(headers), text.encode("utf-8", "backslashreplace"))


async def _send_stream(request: web.BaseRequest, reply: Stream) -> web.StreamResponse:
    response = WireResponse(reply.status, reply.reason, reply.headers, None)
    if request.method == hdrs.METH_HEAD or reply.status in (204, 304):
        await _close(reply.body)
        return response
    chunks = aiter(reply.body)
    try:
        # The first chunk is asked for before the head goes out, yet not waited for at length: the body may be
        # waiting for something that the client does once it has the head.
        first = asyncio.ensure_future(anext(chunks))
        try:
            await asyncio.wait({first}, timeout=_FIRST_CHUNK_GRACE)
            if first.done() and (error := first.exception()) and not isinstance(error, StopAsyncIteration):
                return await send_reply(request, error_reply(error))
            await response.prepare(request)
            request.writer.send_headers()
            with contextlib.suppress(StopAsyncIteration):
                await response.write(await first)
                while True:
                    await response.write(await anext(chunks))
        finally:
            if not first.done():
                first.cancel()
                await asyncio.wait({first})
        await response.write_eof()
    except ConnectionError:
        # The client left.
        return ClosedResponse(request)
    except Exception:
        # Too late for a status: a body cut short is what tells the client.
        if request.transport is not None:
            request.transport.abort()
        return ClosedResponse(request)
    finally:
        await _close(chunks)
    return response


async def _close(body: AsyncIterable[bytes]) -> None:
    """Close a generator, so that its `finally` runs now and not when it is collected."""
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        with contextlib.suppress(Exception):
            await aclose()


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _asks_to_close(headers: CIMultiDict[str]) -> bool:
    return any("close" in value.lower() for value in headers.getall(hdrs.CONNECTION, ()))


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Return the Date header; making one takes longer than all other headers together, so it is kept for a second."""
    return formatdate(second, usegmt=True)
