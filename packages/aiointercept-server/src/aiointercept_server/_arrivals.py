"""The listening sockets of all mocks, watched in one place.

To have a running loop watch a socket, another thread has to wake it up first, which takes as long as half of a small
request does. What it watches all the time instead is a selector, and to that a socket is added from any thread.
"""

import asyncio
import contextlib
import contextvars
import selectors
import threading
from collections.abc import Callable

__all__ = ["Arrivals"]


class Arrivals:
    """Sockets on which connections come in; who watches one is called on `loop` for as long as some wait there.

    Made before the loop runs. All of it but `watch` is called on the loop from then on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        # On Windows a selector cannot be watched: there the loop is woken up.
        self._nested = hasattr(self._selector, "fileno")
        if self._nested:
            # Not in the context of whoever asks first, which all connections would keep.
            contextvars.Context().run(loop.add_reader, self._selector.fileno(), self._tell)

    def watch(self, descriptor: int, arrived: Callable[[], object]) -> None:
        """Have `arrived` called while a connection waits to be accepted. May be called from any thread."""
        if self._nested:
            with self._lock:
                self._selector.register(descriptor, selectors.EVENT_READ, arrived)
        else:
            self.loop.call_soon_threadsafe(self.loop.add_reader, descriptor, arrived, context=contextvars.Context())

    def ignore(self, descriptor: int) -> None:
        """Call nobody for it any more; without effect where nobody is called."""
        if self._nested:
            with self._lock, contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        else:
            self.loop.remove_reader(descriptor)

    def close(self) -> None:
        """Let go of the sockets, once the loop is closed."""
        self._selector.close()

    def _tell(self) -> None:
        with self._lock:
            ready = self._selector.select(0)
        for key, _ in ready:
            key.data()
