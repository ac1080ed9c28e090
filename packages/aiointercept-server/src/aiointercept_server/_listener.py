"""The listening sockets of one mock: one port for http origins, one for https origins, on loopback only.

The scheme of a request is known by its port, so that no header is needed.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import socket
from collections.abc import Awaitable, Callable

from ._clock import sleep
from ._handler import Answer
from ._port import Port
from ._thread import SERVER_THREAD

__all__ = ["Listener", "is_served_here"]

# The pauses between checks whether all connections are closed, in seconds. Aborted connections are closed within a few
# loop iterations; the last pause is for handlers that do not end when they are cancelled.
_CLOSING_PAUSES = 0, 0, 0, 0, 0.01


class Listener:
    """A mock's addresses, open from the constructor until `close()`, served by one thread for the whole process.

    `answer` is asked about each request as soon as its head has arrived, on the server's thread. The port for http
    origins is open from the beginning, the others from when their address is first asked for.
    """

    host = "127.0.0.1"

    def __init__(self, answer: Answer) -> None:
        self._answer: Answer | None = answer
        self._loop = SERVER_THREAD.loop()
        self._ports: list[Port] = []
        self._addresses: dict[tuple[str, int], tuple[str, int]] = {}
        self._on_closed: list[Callable[[], object]] = []
        self._is_closing = self._is_closed = False
        self._closing: asyncio.Task[None] | None = None
        try:
            SERVER_THREAD.listeners.add(self)
            self.address("http")
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port for http origins."""
        return self.address("http")[1]

    def address(self, scheme: str, family: int = socket.AF_UNSPEC) -> tuple[str, int]:
        """Return host and port for origins of `scheme`, for a client whose connections are of address family `family`.

        For `socket.AF_INET6` it is a port on `::1`. Raises `OSError` if a port has to be opened and cannot be.
        """
        key = scheme, socket.AF_INET6 if family == socket.AF_INET6 else socket.AF_INET
        address = self._addresses.get(key)
        return SERVER_THREAD.call_unforked(self._open, *key) if address is None else address

    def addresses(self) -> list[tuple[str, int]]:
        """Return host and port of all ports that are open."""
        return [port.address for port in self._ports]

    def close(self) -> "concurrent.futures.Future[None]":
        """Close all sockets and abort all connections; the future is done when none is left.

        Closing again does nothing and returns a future that is done at the same time.
        """
        closed: concurrent.futures.Future[None] = concurrent.futures.Future()
        # A running future cannot be cancelled by a caller that stops waiting for it.
        closed.set_running_or_notify_cancel()
        self.close_soon(functools.partial(closed.set_result, None))
        return closed

    def close_soon(self, on_closed: Callable[[], object], cleanup: Callable[[], Awaitable[None]] | None = None) -> None:
        """Close as `close()` does, and call `on_closed` when no connection is left, on the server's thread or this one.

        `cleanup` is awaited before that, on the server's loop, if this is the first call that closes.
        """
        # If this is interrupted, closing begins at the next call.
        self._is_closing = True
        if self._is_closed:
            on_closed()
            return
        self._on_closed.append(on_closed)
        if SERVER_THREAD.is_running(self._loop):
            self._loop.call_soon_threadsafe(self._start_closing, cleanup)
        else:
            # The interpreter ends, or this is a forked child, also of a parent that was closing the listener.
            for port in self._ports:
                port.close_socket()
            self._finish_closing()

    def _open(self, scheme: str, family: socket.AddressFamily) -> tuple[str, int]:
        """Open a port, unless another thread has; called by one thread at a time."""
        if (address := self._addresses.get((scheme, family))) is not None:
            return address
        if self._answer is None or self._is_closing:
            raise OSError(f"the mock is stopped: it cannot open a port for {scheme} origins")
        if not SERVER_THREAD.is_running(self._loop):
            raise OSError(
                f"the mock was started in the parent process: it cannot open a port for {scheme} origins in this "
                "forked child; start another mock here"
            )
        # In one step, so that an interrupt leaves no port that `close` does not know.
        self._ports.append(port := Port(self._answer, scheme, family, self._loop))
        # In a new context: all connections would keep that of the caller.
        self._loop.call_soon_threadsafe(port.accept_connections, context=contextvars.Context())
        # Last, because a port whose address is known must accept connections.
        self._addresses[scheme, family] = port.address
        return port.address

    def _start_closing(self, cleanup: Callable[[], Awaitable[None]] | None) -> None:
        if self._is_closed:
            self._finish_closing()
        elif self._closing is None:
            self._closing = self._loop.create_task(self._close(cleanup))

    async def _close(self, cleanup: Callable[[], Awaitable[None]] | None) -> None:
        try:
            for port in self._ports:
                # A port that fails to close keeps no other open.
                with contextlib.suppress(Exception):
                    port.close()
            for pause in _CLOSING_PAUSES:
                if not any(port.is_busy for port in self._ports):
                    break
                await sleep(pause)
            if cleanup is not None:
                await cleanup()
        finally:
            self._finish_closing()

    def _finish_closing(self) -> None:
        # The answer function is a part of the mock, which refers to this listener: without the reference back, a
        # stopped mock and all that it has received is freed without the garbage collector.
        self._answer = None
        self._ports = []
        self._closing = None
        self._is_closed = True
        SERVER_THREAD.listeners.discard(self)
        while self._on_closed:
            self._on_closed.pop(0)()


def is_served_here(port: int) -> bool:
    """Return whether `port` on loopback belongs to an open listener of this process.

    May be called from any thread. In a forked child, the listeners of its parent do not count.
    """
    listeners = list(SERVER_THREAD.listeners)
    return any(port == served for listener in listeners for _, served in listener.addresses())
