"""The one thread of the process that serves all mocks.

Process-wide state, in one object: a daemon thread with an event loop, started on first use. Opening a socket on a
running loop costs a fraction of starting a thread.
"""

import asyncio
import atexit
import concurrent.futures
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from ._clock import server_loop
from ._inherited import replace_sockets

__all__ = ["SERVER_THREAD", "ServerThread"]

T = TypeVar("T")

_EXIT_TIMEOUT = 2.0


class Closable(Protocol):
    """A listener, as far as the thread uses it."""

    def close(self) -> "concurrent.futures.Future[None]":
        """Start closing, or return a future of the closing that has started."""

    def addresses(self) -> Iterable[tuple[str, int]]:
        """Return the addresses of all ports that are open."""


class ServerThread:
    """A daemon thread that runs one event loop, started when the loop is first asked for.

    `listeners` are those that are open; each adds and removes itself, so iterate over a copy. Ports are opened by
    functions that `call_unforked` calls.
    """

    def __init__(self) -> None:
        self.listeners: set[Closable] = set()
        # Reentrant, because a mock may be collected, and closed, while its thread holds the lock.
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the running loop, from any thread; raises what the system says if no thread can be started."""
        return self.call_unforked(self._started_loop)

    def call_unforked(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function` with the lock held, and return what it returns.

        The process does not fork meanwhile, so a child knows every port that is open.
        """
        # On one line: an interrupt before a line that only leaves the block would keep the lock locked.
        with self._lock: return function(*args)  # fmt: skip # noqa: E701

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            # The loop keeps the context in which it is made, and from Python 3.14 on the thread may inherit one.
            loop = contextvars.Context().run(server_loop)
            new: dict[str, Any] = {"context": contextvars.Context()} if sys.version_info >= (3, 14) else {}
            try:
                thread = threading.Thread(target=_run, args=(loop,), name="aiointercept-server", daemon=True, **new)
                thread.start()
                self._loop, self._thread = loop, thread
            except Exception:
                loop.close()
                raise
            except BaseException:
                # Interrupted, perhaps while it waited for the thread: that ends as soon as it has started.
                loop.call_soon_threadsafe(loop.stop)
                raise
        return self._loop

    def is_running(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether `loop` runs on this thread; it does not after the thread has ended, or in a forked child."""
        return loop is self._loop

    def stop(self) -> None:
        """Close all listeners, end the thread and close its loop; the next `loop()` starts another thread."""
        # Also those that are being closed: a mock may have been stopped just before the interpreter ends.
        concurrent.futures.wait([listener.close() for listener in list(self.listeners)], _EXIT_TIMEOUT)
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_EXIT_TIMEOUT)

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork_in_parent(self) -> None:
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        """Start anew: the thread does not exist in the child."""
        # A connection ends for its client, and a port refuses connections, only when no process has its socket open.
        replace_sockets({address for listener in self.listeners for address in listener.addresses()})
        # The loop must not be freed: closing it here would unregister sockets of the parent's selector.
        _loops_of_parents.append(self._loop)
        self.listeners = set()
        self._lock = threading.RLock()
        self._loop = self._thread = None


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


_loops_of_parents: list[asyncio.AbstractEventLoop | None] = []

SERVER_THREAD = ServerThread()

atexit.register(SERVER_THREAD.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=SERVER_THREAD._before_fork,
        after_in_parent=SERVER_THREAD._after_fork_in_parent,
        after_in_child=SERVER_THREAD._after_fork_in_child,
    )
