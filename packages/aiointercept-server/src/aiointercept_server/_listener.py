"""The listening sockets of one mock: one port for http origins, one for https origins, on loopback only.

The port a request arrives on tells its scheme, so that no header has to.
"""

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
import types
from collections.abc import Awaitable, Callable, Generator

from aiohttp import web

from ._connection import Server
from ._exchange import Exchange, Owner
from ._resend import ResendDetector
from ._thread import SERVER_THREAD

__all__ = ["Listener"]

_BACKLOG = 1024

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
        self._lock = threading.Lock()
        self._doors: dict[tuple[str, socket.AddressFamily], _Door] = {}
        self._closed: concurrent.futures.Future[None] | None = None
        SERVER_THREAD.open.add(self)
        try:
            for scheme in ("http", "https") if https else ("http",):
                self.address(scheme)
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
        key = scheme, socket.AF_INET6 if family == socket.AF_INET6 else socket.AF_INET
        door = self._doors.get(key) or self._open(*key)
        return door.address

    def close(self, also: Callable[[], Awaitable[None]] | None = None) -> "concurrent.futures.Future[None]":
        """Close all sockets and abort all connections; the future is done when nothing is left of them.

        `also` is awaited after that, on the server's loop. Closing again returns the same future.
        """
        with self._lock:
            if self._closed is not None:
                return self._closed
            closed = self._closed = concurrent.futures.Future()
        # A future that runs cannot be cancelled by whoever stops waiting for it.
        closed.set_running_or_notify_cancel()
        closed.add_done_callback(lambda _: SERVER_THREAD.open.discard(self))
        if SERVER_THREAD.runs(self._loop):
            self._loop.call_soon_threadsafe(self._begin_closing, closed, also)
        else:
            # The interpreter ends, or this is a forked child, in which nobody serves.
            for door in self._doors.values():
                door.drop()
            closed.set_result(None)
        return closed

    def _open(self, scheme: str, family: socket.AddressFamily) -> "_Door":
        with self._lock:
            if self._closed is not None:
                raise OSError("expected a mock that runs, this one is stopped: it opens no port any more")
            door = self._doors.get((scheme, family))
            if door is None:
                if not SERVER_THREAD.runs(self._loop):
                    raise OSError(
                        "expected the process that started the mock, this is a forked child, in which nobody would "
                        "serve another port; start a mock in the child"
                    )
                door = self._doors[scheme, family] = _Door(self._owner, scheme, family)
                self._loop.call_soon_threadsafe(door.open)
        return door

    def _begin_closing(
        self, closed: "concurrent.futures.Future[None]", also: Callable[[], Awaitable[None]] | None
    ) -> None:
        task = self._loop.create_task(self._close(also))
        task.add_done_callback(lambda _: closed.set_result(None))

    async def _close(self, also: Callable[[], Awaitable[None]] | None) -> None:
        # A door that fails to close keeps no other open.
        await asyncio.gather(*(door.close() for door in self._doors.values()), return_exceptions=True)
        if also is not None:
            await also()


class _Door:
    """One listening socket and the connections that came in through it. Lives on the server's loop."""

    def __init__(self, owner: Owner, scheme: str, family: socket.AddressFamily) -> None:
        self._owner = owner
        self._scheme = scheme
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.bind((_LOOPBACK[family], 0))
            # From here on the kernel accepts connections: nobody has to wait for the server's loop.
            self._socket.listen(_BACKLOG)
            self._socket.setblocking(False)
        except BaseException:
            self._socket.close()
            raise
        host, port = self._socket.getsockname()[:2]
        self.address: tuple[str, int] = host, port

    def open(self) -> None:
        """Begin to serve."""
        host, port = self.address
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._resends = ResendDetector(self._unused_connections)
        handler = Exchange(self._owner, self._resends)
        self._server = Server(handler, scheme=self._scheme, authority=authority)
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_server(self._server, sock=self._socket, backlog=_BACKLOG))

    async def close(self) -> None:
        """Close the socket and abort the connections."""
        listening = await self._opening
        # No more is accepted. Yet asyncio's server has to stay open for what was accepted just now: CPython up to 3.13
        # fails on a connection whose server was closed before it was made, and leaves its socket open.
        asyncio.get_running_loop().remove_reader(self._socket)
        self._resends.clear()
        self._server.abort()
        for _ in range(_TURNS_TO_ABORT):
            await _next_turn()
        listening.close()
        with contextlib.suppress(Exception):
            await self._server.shutdown(_SHUTDOWN_TIMEOUT)

    def _unused_connections(self) -> list[web.RequestHandler]:
        return self._server.unused_connections()

    def drop(self) -> None:
        """Close the socket where no loop runs that would."""
        self._socket.close()


@types.coroutine
def _next_turn() -> Generator[None, None, None]:
    """Let the loop go round once; unlike `asyncio.sleep`, tests do not replace it."""
    yield
