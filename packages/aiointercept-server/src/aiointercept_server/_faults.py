"""How a connection shows a fault to its client."""

import asyncio
import socket
import struct
import sys

from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import CloseConnection, Fault, FaultReply, Reply, Response

from ._clock import sleep
from ._upgrade import RawConnection

if sys.platform == "linux":
    import fcntl
    import termios

__all__ = ["abort_with_reset", "corrupt_encoding", "reply_to_retry", "response_of", "show_fault"]

_BODY = b"the body of a reply that fails"
_GZIP_MAGIC = b"\x1f\x8b"

# A reset waits until the client's kernel has acknowledged what was sent before it: the number of checks, and the pause
# between them, in seconds. The last is the pause on a system that does not count unacknowledged bytes.
_CHECKS = 500
_PAUSE = 0.002
_PAUSE_IF_UNKNOWN = 0.05

_LINGER = "hh" if sys.platform == "win32" else "ii"


def reply_to_retry(reply: Reply) -> Reply | None:
    """Return what aiohttp's retry of a request that got `reply` gets; `None` if there is no retry.

    A new value, because `reply` may hold an exception whose traceback refers to a test.
    """
    if isinstance(reply, FaultReply):
        fault = reply.fault
        if fault is Fault.RESET:
            return FaultReply(fault)
        if isinstance(fault, Fault) and (fault.has_body or fault in (Fault.MALFORMED, Fault.HANG)):
            return None
        return CloseConnection()
    return CloseConnection() if isinstance(reply, CloseConnection) else None


def response_of(reply: FaultReply) -> Response:
    """Return the response of which a part is sent; it has a body."""
    response = reply.response or Response(200, None, CIMultiDictProxy(CIMultiDict()), b"")
    return response if response.body else response._replace(body=_BODY)


def corrupt_encoding(response: Response) -> Response:
    """Return `response` with a head that says that its body is gzip; the body is not."""
    headers = CIMultiDict(response.headers)
    headers[hdrs.CONTENT_ENCODING] = "gzip"
    body = response.body
    if len(body) < len(_GZIP_MAGIC) or body.startswith(_GZIP_MAGIC):
        # It may be gzip, or too short for a client to see that it is not.
        body = _BODY
    return response._replace(headers=CIMultiDictProxy(headers), body=body)


async def show_fault(request: web.BaseRequest, fault: Fault | BaseException) -> None:
    """Show `fault` on the connection of `request`, before it is closed; return at once if the client has left."""
    transport = request.transport
    if transport is None:
        return
    if fault is Fault.HANG:
        # Reading to the end of the connection shows on every server of aiohttp that the client has left.
        connection = RawConnection(request)
        while await connection.receive():
            pass
    elif fault is Fault.RESET:
        abort_with_reset(transport)
    elif fault is Fault.RESET_IN_BODY:
        await _wait_until_sent(transport)
        abort_with_reset(transport)


def abort_with_reset(transport: asyncio.Transport) -> None:
    """Abort a connection so that no client takes it for the regular end of a body."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        # To linger for 0 seconds makes the kernel send a reset when the socket is closed.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
    transport.abort()


async def _wait_until_sent(transport: asyncio.Transport) -> None:
    """Wait until the client's kernel has all that was written, for a limited time: a reset discards the rest."""
    for _ in range(_CHECKS):
        if transport.is_closing():
            return
        waiting = transport.get_write_buffer_size() or _count_unacknowledged(transport)
        if waiting is None:
            await sleep(_PAUSE_IF_UNKNOWN)
        if not waiting:
            return
        await sleep(_PAUSE)


def _count_unacknowledged(transport: asyncio.Transport) -> int | None:
    """Return how many bytes the client's kernel has not acknowledged yet; `None` if the system does not count them."""
    sock = transport.get_extra_info("socket")
    if sys.platform != "linux" or sock is None:
        return None
    return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
