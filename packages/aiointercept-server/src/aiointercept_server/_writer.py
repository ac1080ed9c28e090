"""Write replies, all but WebSockets: everything that writes HTTP.

The head is written here and not by `web.Response`, because a mock sends what was registered: `web.Response` drops or
corrects headers that the reply to a HEAD request, or one with status 204 or 304, may have.
"""

import asyncio
import contextlib
import logging
from http import HTTPStatus
from typing import TypeAlias
from wsgiref.handlers import format_date_time

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from aiointercept_core import (
    CloseConnection,
    Fault,
    FaultReply,
    Response,
    Stream,
    Upgrade,
    checked_chunks,
    close_iterable,
    error_response,
    format_error,
)
from aiointercept_core._user_code import ReportedError

from ._clock import now, sleep
from ._faults import abort_with_reset, corrupt_encoding, response_of, show_fault
from ._upgrade import RawConnection

__all__ = ["UnwrittenResponse", "WrittenReply", "write_continue", "write_reply"]

logger = logging.getLogger("aiointercept")

# All replies but a `WebSocket`, whose handshake and frames are aiohttp's own.
WrittenReply: TypeAlias = Response | Stream | CloseConnection | FaultReply | Upgrade

# A larger body is not copied to join it to its head, and is sent in pieces: a transport copies what the socket does not
# take at once, and nothing else runs meanwhile. In bytes.
_JOINED_BODY = 64 * 1024
_PIECE = 2 * 1024 * 1024

# How long the head of a stream waits for the first chunk, in seconds.
_FIRST_CHUNK_TIMEOUT = 0.1

# Ended by an empty line as well: aiohttp's pure Python parser reads no line before that.
_MALFORMED = b"this is not an HTTP status line\r\n\r\n"

_REASONS = {status.value: status.phrase for status in HTTPStatus}


class _WrittenResponse(web.StreamResponse):
    """A response that is written already, so that aiohttp writes nothing."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._stays_open = keep_alive

    @property
    def keep_alive(self) -> bool:
        return self._stays_open

    @property
    def prepared(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write nothing."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


class UnwrittenResponse(_WrittenResponse):
    """A response that writes `reply` when aiohttp asks it to, and closes the connection."""

    def __init__(self, reply: Response) -> None:
        super().__init__(keep_alive=False)
        self._reply = reply

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the reply."""
        await write_reply(request, self._reply)
        return None


# They have no state: any number of requests may have the same one.
_STAYS_OPEN = _WrittenResponse(keep_alive=True)
_CLOSES = _WrittenResponse(keep_alive=False)


async def write_continue(writer: AbstractStreamWriter) -> None:
    """Write `100 Continue`, for which some clients wait before they send a body."""
    await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def write_reply(request: web.BaseRequest, reply: WrittenReply) -> web.StreamResponse:
    """Write the whole `reply` to `request`, and return a response that says whether the connection stays open.

    Writing begins after the delay of `reply`. A reply that fails, such as a stream whose iterable raises, becomes an
    error reply as long as nothing is written.
    """
    if reply.delay:
        await sleep(reply.delay)
    if isinstance(reply, FaultReply) and reply.fault is Fault.CORRUPT_ENCODING:
        reply = corrupt_encoding(response_of(reply))
    if isinstance(reply, CloseConnection):
        return _close_connection(request)
    head = _Head(request, response_of(reply) if isinstance(reply, FaultReply) else reply)
    try:
        if isinstance(reply, Response):
            await _write_response(head, reply)
        elif isinstance(reply, Stream):
            await _write_stream(head, reply)
        elif isinstance(reply, FaultReply):
            await _write_fault(head, reply)
            return _close_connection(request)
        else:
            await _run_upgrade(head, reply)
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as exc:
        transport = request.transport
        has_left = transport is None or transport.is_closing()
        if not isinstance(exc, ReportedError) and not (has_left and isinstance(exc, ConnectionError)):
            logger.error("sending the reply to %s %s failed:\n%s", request.method, request.url, format_error(exc))
        if transport is not None and not has_left:
            if not head.is_written:
                return await write_reply(request, error_response(exc))
            if head.is_complete:
                return _STAYS_OPEN if head.keep_alive else _CLOSES
            if head.body_ends_with_connection:
                abort_with_reset(transport)
        # Too late for another status: the client sees the error by the missing rest of the body.
        return _close_connection(request)
    return _STAYS_OPEN if head.keep_alive else _CLOSES


class _Head:
    """Status line and headers of one reply, written once; `keep_alive` says whether the connection stays open."""

    def __init__(self, request: web.BaseRequest, reply: Response | Stream | Upgrade) -> None:
        self.request = request
        self.writer = request.writer
        self.is_written = False
        self.is_bodiless = request.method == hdrs.METH_HEAD or reply.status in (204, 304)
        self.body_ends_with_connection = False
        # The connection is closed where a part of the request is not read, because the next request could not be found.
        self.keep_alive = request.keep_alive and not request.can_read_body
        self._reply = reply

    @property
    def is_complete(self) -> bool:
        """Whether a body has been written up to its Content-Length."""
        return self.is_written and self.writer.length == 0

    async def write(self) -> None:
        """Write the head; it is sent together with the first bytes of the body."""
        if self.is_written:
            return
        reply, version = self._reply, self.request.version
        headers = CIMultiDict(reply.headers)
        if isinstance(reply, Upgrade):
            self.keep_alive = False
        else:
            self._add_framing(reply, headers)
            self._add_connection(headers)
            if hdrs.DATE not in headers:
                headers[hdrs.DATE] = format_date_time(now())
        reason = _REASONS.get(reply.status, "") if reply.reason is None else reply.reason
        await self.writer.write_headers(f"HTTP/{version.major}.{version.minor} {reply.status:d} {reason}", headers)
        # After what may fail: the error reply is written by the same writer.
        if isinstance(reply, Stream) and not self.is_bodiless:
            if hdrs.CONTENT_LENGTH in headers:
                self.writer.length = int(headers[hdrs.CONTENT_LENGTH])
            elif hdrs.TRANSFER_ENCODING in headers:
                self.writer.enable_chunking()
        self.is_written = True

    def _add_framing(self, reply: Response | Stream, headers: CIMultiDict[str]) -> None:
        """Add the headers that say where the body ends."""
        if self.is_bodiless:
            # The reply to a HEAD request has the Content-Length that the reply to a GET would have.
            length = len(reply.body) if isinstance(reply, Response) else 0
            if length and self.request.method == hdrs.METH_HEAD and hdrs.TRANSFER_ENCODING not in headers:
                headers.setdefault(hdrs.CONTENT_LENGTH, str(length))
            return
        headers.popall(hdrs.TRANSFER_ENCODING, None)
        if isinstance(reply, Response):
            headers[hdrs.CONTENT_LENGTH] = str(len(reply.body))
        elif hdrs.CONTENT_LENGTH in headers:
            pass
        elif self.request.version >= HttpVersion11:
            headers[hdrs.TRANSFER_ENCODING] = "chunked"
        else:
            self.body_ends_with_connection = True
            self.keep_alive = False

    def _add_connection(self, headers: CIMultiDict[str]) -> None:
        """Add the header that says whether the connection stays open, unless the reply has it."""
        if hdrs.CONNECTION in headers:
            if "close" in ",".join(headers.getall(hdrs.CONNECTION)).lower():
                self.keep_alive = False
        elif not self.keep_alive:
            headers[hdrs.CONNECTION] = "close"
        elif self.request.version < HttpVersion11:
            headers[hdrs.CONNECTION] = "keep-alive"


async def _write_response(head: _Head, reply: Response) -> None:
    await head.write()
    writer = head.writer
    body = b"" if head.is_bodiless else reply.body
    if len(body) > _JOINED_BODY:
        writer.send_headers()
        pieces = memoryview(body)
        for start in range(0, len(body), _PIECE):
            await writer.write(pieces[start : start + _PIECE])
        body = b""
    await writer.write_eof(body)


async def _write_stream(head: _Head, reply: Stream) -> None:
    writer = head.writer
    if head.is_bodiless:
        await close_iterable(reply.body)
        await head.write()
        await writer.write_eof()
        return
    body = aiter(reply.body)
    chunks = checked_chunks(reply._replace(body=body))
    late_head = asyncio.ensure_future(_send_head_late(head))
    try:
        async for chunk in chunks:
            await head.write()
            await writer.write(chunk)
        await head.write()
        await writer.write_eof()
    finally:
        late_head.cancel()
        await chunks.aclose()
        await close_iterable(body)


async def _send_head_late(head: _Head) -> None:
    """Send the head if the first chunk takes long.

    Before the head is sent, an error can still be answered with a status; but the body may be waiting for something
    that the client does once it has the head.
    """
    await sleep(_FIRST_CHUNK_TIMEOUT)
    # An error shows again when the first chunk is written.
    with contextlib.suppress(Exception):
        await head.write()
        head.writer.send_headers()


async def _run_upgrade(head: _Head, reply: Upgrade) -> None:
    await head.write()
    head.writer.send_headers()
    await reply.run(RawConnection(head.request))


async def _write_fault(head: _Head, reply: FaultReply) -> None:
    if isinstance(reply.fault, Fault) and reply.fault.has_body:
        await head.write()
        head.writer.send_headers()
        if not head.is_bodiless:
            body = response_of(reply).body
            await head.writer.write(body[: len(body) // 2])
    if reply.fault is not Fault.MALFORMED:
        await show_fault(head.request, reply.fault)
    elif head.request.transport is not None:
        head.request.transport.write(_MALFORMED)


def _close_connection(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection of `request` once everything written is sent."""
    request.protocol.force_close()
    return _CLOSES
