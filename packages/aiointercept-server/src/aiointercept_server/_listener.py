"""The listening sockets of one mock: one port for http origins, one for https origins, on loopback only.

The port a request arrives on tells its scheme, so that no header has to.
"""

import concurrent.futures
import contextlib
import functools
import socket
import threading
from collections.abc import Awaitable, Callable

from ._door import TURNS_TO_ABORT, Door
from ._exchange import Owner
from ._thread import SERVER_THREAD

__all__ = ["Listener"]


class Listener:
    """A mock's addresses, open from its making until `close()`, and served from when they are first asked for.

    `owner` is asked about every request, on the server's thread. `https` opens the port for https origins too.
    """

    host = "127.0.0.1"

    def __init__(self, owner: Owner, *, https: bool = False) -> None:
        self._owner = owner
        self._arrivals = SERVER_THREAD.arrivals()
        self._lock = threading.Lock()
        self._doors: dict[tuple[str, socket.AddressFamily], Door] = {}
        self._closed = False
        # Who is told when all is closed; nobody any more once it is.
        self._waiting: list[Callable[[], object]] | None = []
        SERVER_THREAD.open.add(self)
        try:
            for scheme in ("http", "https") if https else ("http",):
                self._doors[scheme, socket.AF_INET] = Door(owner, scheme, socket.AF_INET, self._arrivals)
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
        door = self._doors.get(key)
        if door is None or not door.serves:
            door = self._serve(*key)
        return door.address

    def serve(self) -> None:
        """Serve what is open, though nobody has asked for its address."""
        for scheme, family in list(self._doors):
            self.address(scheme, family)

    def close(self) -> "concurrent.futures.Future[None]":
        """Close all sockets and abort all connections; the future is done when nothing is left of them.

        Closing again does nothing and returns a future of the same end.
        """
        closed: concurrent.futures.Future[None] = concurrent.futures.Future()
        # A future that runs cannot be cancelled by whoever stops waiting for it.
        closed.set_running_or_notify_cancel()
        self.begin_closing(functools.partial(closed.set_result, None))
        return closed

    def begin_closing(self, then: Callable[[], object], also: Callable[[], Awaitable[None]] | None = None) -> None:
        """Close as `close()` does, and call `then` when nothing is left, on the server's thread or this one.

        `also` is awaited before that, on the server's loop, where this is the first call.
        """
        with self._lock:
            begins, self._closed = not self._closed, True
            is_over = self._waiting is None
            if self._waiting is not None:
                self._waiting.append(then)
        if is_over:
            then()
        elif begins:
            self._begin(also)

    def _serve(self, scheme: str, family: socket.AddressFamily) -> Door:
        """Return the door for a client, which is served from now on, and opened where there was none."""
        with self._lock:
            door = self._doors.get((scheme, family))
            if self._closed:
                if door is None:
                    raise OSError("expected a mock that runs, this one is stopped: it opens no port any more")
                return door
            if not SERVER_THREAD.runs(self._arrivals):
                raise OSError(
                    "expected the process that started the mock, this is a forked child, in which nobody would "
                    "serve another port; start a mock in the child"
                )
            if door is None:
                door = self._doors[scheme, family] = Door(self._owner, scheme, family, self._arrivals)
            if not door.serves:
                door.serve()
        return door

    def _begin(self, also: Callable[[], Awaitable[None]] | None) -> None:
        is_served = also is not None or any(door.serves for door in self._doors.values())
        if is_served and SERVER_THREAD.runs(self._arrivals):
            self._arrivals.loop.call_soon_threadsafe(self._close_doors, also)
            return
        # Nobody has asked for an address, the interpreter ends, or this is a forked child, in which nobody serves.
        for door in self._doors.values():
            door.drop()
        self._end()

    def _close_doors(self, also: Callable[[], Awaitable[None]] | None) -> None:
        # A door that fails to close keeps no other open.
        for door in self._doors.values():
            with contextlib.suppress(Exception):
                door.close()
        self._go_on_closing(also, TURNS_TO_ABORT)

    def _go_on_closing(self, also: Callable[[], Awaitable[None]] | None, turns: int) -> None:
        """Let what is left end by itself within so many turns of the loop, or else end it."""
        is_busy = any(door.is_busy for door in self._doors.values())
        if is_busy and turns:
            self._arrivals.loop.call_soon(self._go_on_closing, also, turns - 1)
        elif is_busy or also is not None:
            task = self._arrivals.loop.create_task(self._finish_closing(also))
            task.add_done_callback(lambda _: self._end())
        else:
            self._end()

    async def _finish_closing(self, also: Callable[[], Awaitable[None]] | None) -> None:
        for door in self._doors.values():
            with contextlib.suppress(Exception):
                await door.clear()
        if also is not None:
            await also()

    def _end(self) -> None:
        # They refer to their owner, and it to this: all of it would wait for the garbage collector, with all that was
        # received.
        del self._owner
        for door in self._doors.values():
            door.let_go()
        SERVER_THREAD.open.discard(self)
        with self._lock:
            waiting, self._waiting = self._waiting, None
        for then in waiting or ():
            then()
