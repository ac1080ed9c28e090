"""The one thread of the process on which every mock is served.

Process-wide state, in one object: a daemon thread with an event loop, made on first use. A mock only opens sockets
on it, which costs a fraction of starting a thread.
"""

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import selectors
import threading
from typing import Protocol

from ._arrivals import Arrivals
from ._clock import monotonic

__all__ = ["SERVER_THREAD", "ServerThread"]

_EXIT_TIMEOUT = 2.0

# As many as a request takes from when it has come until it is answered.
_TURNS_WITHOUT_LOOK = 3


def _make_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that looks for what has come in less often while it has other things to do.

    A request goes through several turns of the loop. To ask the kernel in each of them takes longer than most of the
    turns do, and hands the interpreter to the test's thread in the middle of the work.
    """
    # Neither has a class of its own: the interpreter makes asyncio's code fast for one class at a time, and the loop of
    # the test runs through the same code.
    selector = selectors.DefaultSelector()
    look, turns_left = selector.select, 0

    def select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        nonlocal turns_left
        if timeout == 0 and turns_left:
            turns_left -= 1
            return []
        turns_left = _TURNS_WITHOUT_LOOK
        return look(timeout)

    selector.select = select  # type: ignore[method-assign]
    loop = asyncio.SelectorEventLoop(selector)
    # Tests replace the clock that it would ask.
    loop.time = monotonic  # type: ignore[method-assign]
    return loop


class Closable(Protocol):
    """What is open on the thread."""

    def serve(self) -> None:
        """Have it served from now on, if it was not."""

    def close(self) -> "concurrent.futures.Future[None]":
        """Begin to close it, or return the future of the closing that has begun."""


class ServerThread:
    """A daemon thread that runs one event loop, started when the loop is first asked for.

    Who opens something on it is in `open` until that is closed.
    """

    def __init__(self) -> None:
        self.open: set[Closable] = set()
        self._lock = threading.Lock()
        self._arrivals: Arrivals | None = None
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the running loop. May be called from any thread."""
        return self.arrivals().loop

    def arrivals(self) -> Arrivals:
        """Return what has the running loop accept connections. May be called from any thread."""
        # Read once without the lock: this is asked for at every start of a mock.
        arrivals = self._arrivals
        if arrivals is not None:
            return arrivals
        with self._lock:
            if self._arrivals is None:
                self._arrivals = Arrivals(_make_loop())
                self._thread = threading.Thread(
                    target=self._run, args=(self._arrivals,), name="aiointercept-server", daemon=True
                )
                self._thread.start()
            return self._arrivals

    def runs(self, arrivals: Arrivals) -> bool:
        """Tell whether it is the loop of `arrivals` that runs: not after the thread ended, nor in a forked child."""
        return arrivals is self._arrivals

    def stop(self) -> None:
        """Close what is open, end the thread and close its loop; the next `loop()` starts another."""
        # Also what is being closed already: a block that was left just before the interpreter ends.
        closing = [one.close() for one in list(self.open)]
        concurrent.futures.wait(closing, _EXIT_TIMEOUT)
        with self._lock:
            arrivals, thread = self._arrivals, self._thread
            self._arrivals = self._thread = None
        if arrivals is not None and thread is not None:
            arrivals.loop.call_soon_threadsafe(arrivals.loop.stop)
            thread.join(_EXIT_TIMEOUT)

    def serve_all(self) -> None:
        """Serve what is open, for a forked child, in which nothing could be."""
        for one in list(self.open):
            with contextlib.suppress(OSError):
                one.serve()

    def forget(self) -> None:
        """Let go of a thread that did not survive a fork."""
        # They must outlive this: collecting them would close the parent's selectors.
        _lost_in_fork.append(self._arrivals)
        self.open = set()
        self._lock = threading.Lock()
        self._arrivals = self._thread = None

    @staticmethod
    def _run(arrivals: Arrivals) -> None:
        loop = arrivals.loop
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
            arrivals.close()


_lost_in_fork: list[Arrivals | None] = []

SERVER_THREAD = ServerThread()

atexit.register(SERVER_THREAD.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=SERVER_THREAD.serve_all, after_in_child=SERVER_THREAD.forget)
