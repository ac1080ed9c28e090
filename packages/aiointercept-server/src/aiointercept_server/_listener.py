"""The listening sockets of one mock: one port for http origins, one for https origins, on loopback only.

The port a request arrives on tells its scheme, so that no header has to.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import socket
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from aiohttp import web

from ._exchange import Exchange, Owner
from ._request import AiointerceptRequest
from ._resend import ResendDetector
from ._thread import SERVER_THREAD

__all__ = ["Listener"]

_BACKLOG = 1024

# As wide as any real service: a mock must not be what refuses a request.
_LIMITS: dict[str, Any] = {"max_line_size": 2**24, "max_field_size": 2**24, "max_headers": 2**16}
_OPTIONS: dict[str, Any] = {
    **_LIMITS,
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": 3600.0,
    "lingering_time": 0.0,
    "tcp_keepalive": False,
}

# For a handler that does not end when its connection is gone; in seconds.
_SHUTDOWN_TIMEOUT = 0.01

# A connection that was accepted just before is made two turns of the loop later, and told that it is lost one more
# turn later.
_TURNS_TO_ABORT = 4

_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class Listener:
    """A mock's addresses, open from its making until `close()`.

    `owner` is asked about every request, on the server's thread. `https` opens the port for https origins too.
    """

    host = _LOOPBACK[socket.AF_INET]

    def __init__(self, owner: Owner, *, https: bool = False) -> None:
        self._owner = owner
        self._loop = SERVER_THREAD.loop()
        self._sockets: dict[tuple[str, socket.AddressFamily], socket.socket] = {}
        self._doors: list[_Door] = []
        try:
            for scheme in ("http", "https") if https else ("http",):
                self._open(scheme, socket.AF_INET)
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port for http origins."""
        return self.address("http")[1]

    def address(self, scheme: str, family: int = socket.AF_UNSPEC) -> tuple[str, int]:
        """Return host and port for origins of `scheme`, for a client that is bound to `family`.

        The first client that can only do IPv6 has a port opened on `::1`; `OSError` where there is none.
        """
        family = socket.AF_INET6 if family == socket.AF_INET6 else socket.AF_INET
        listening = self._sockets.get((scheme, family)) or self._open(scheme, family)
        host, port = listening.getsockname()[:2]
        return host, port

    def close(self, also: Callable[[], Awaitable[None]] | None = None) -> "concurrent.futures.Future[None]":
        """Close all sockets and abort all connections; the future is done when nothing is left of them.

        `also` is awaited after that, on the server's loop.
        """
        closed: concurrent.futures.Future[None] = concurrent.futures.Future()
        # A future that runs cannot be cancelled by whoever stops waiting for it.
        closed.set_running_or_notify_cancel()
        if self._loop.is_closed():
            closed.set_result(None)
        else:
            self._loop.call_soon_threadsafe(self._begin_closing, closed, also)
        return closed

    def _open(self, scheme: str, family: socket.AddressFamily) -> socket.socket:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.bind((_LOOPBACK[family], 0))
            # From here on the kernel accepts connections: nobody has to wait for the server's loop.
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
        self._sockets[scheme, family] = listening
        door = _Door(self._owner, scheme, listening)
        self._doors.append(door)
        self._loop.call_soon_threadsafe(door.open)
        return listening

    def _begin_closing(
        self, closed: "concurrent.futures.Future[None]", also: Callable[[], Awaitable[None]] | None
    ) -> None:
        task = self._loop.create_task(self._close(also))
        task.add_done_callback(lambda _: closed.set_result(None))

    async def _close(self, also: Callable[[], Awaitable[None]] | None) -> None:
        await asyncio.gather(*(door.close() for door in self._doors))
        if also is not None:
            await also()


class _Door:
    """One listening socket and the connections that came in through it. Lives on the server's loop."""

    def __init__(self, owner: Owner, scheme: str, listening: socket.socket) -> None:
        self._owner = owner
        self._scheme = scheme
        self._socket = listening
        self._opening: asyncio.Task[None] | None = None

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._resends = ResendDetector(lambda: self._server.connections)
        self._server = _Server(
            Exchange(self._owner, self._resends),
            request_factory=functools.partial(_make_request, loop, self._scheme),
            handler_cancellation=True,
            **_OPTIONS,
        )
        self._opening = loop.create_task(self._listen(loop))

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self._listening = await loop.create_server(self._server, sock=self._socket, backlog=_BACKLOG)

    async def close(self) -> None:
        assert self._opening is not None
        await self._opening
        self._resends.clear()
        # No more is accepted, yet asyncio's server stays open for what it has just accepted: that would leak.
        asyncio.get_running_loop().remove_reader(self._socket)
        self._server.abort()
        for _ in range(_TURNS_TO_ABORT):
            await _next_turn()
        self._listening.close()
        with contextlib.suppress(Exception):
            await self._server.shutdown(_SHUTDOWN_TIMEOUT)


class _Server(web.Server):
    """A server that can give up all its connections, also those that are only coming to be."""

    _aborted = False

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if self._aborted:
            transport.abort()

    def abort(self) -> None:
        # An idle keep-alive connection would keep a shutdown waiting for ever.
        self._aborted = True
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.abort()


@types.coroutine
def _next_turn() -> Generator[None, None, None]:
    """Let the loop go round once; unlike `asyncio.sleep`, tests do not replace it."""
    yield


def _make_request(
    loop: asyncio.AbstractEventLoop,
    scheme: str,
    message: Any,
    payload: Any,
    protocol: web.RequestHandler,
    writer: Any,
    task: "asyncio.Task[None]",
    *_future: Any,
) -> AiointerceptRequest:
    return AiointerceptRequest(message, payload, protocol, writer, task, loop, scheme=scheme)
