"""The listening sockets of all mocks, watched in one place.

To have a running loop watch a socket, another thread has to wake it up first, which takes as long as half of a small
request does. Where there is epoll, the loop watches one all the time, and to that any thread may add a socket.
"""

import asyncio
import contextvars
import select
from collections.abc import Callable

__all__ = ["Arrivals"]


class Arrivals:
    """Sockets on which connections come in; who watches one is called on `loop` for as long as some wait there.

    Made before the loop runs. All of it but `watch` is called on the loop from then on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._arrived: dict[int, Callable[[], object]] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll is not None:
            # Not in the context of whoever asks first, which all connections would keep.
            contextvars.Context().run(loop.add_reader, self._epoll.fileno(), self._tell, self._epoll)

    def watch(self, descriptor: int, arrived: Callable[[], object]) -> None:
        """Have `arrived` called while a connection waits to be accepted. May be called from any thread."""
        if self._epoll is None:
            self.loop.call_soon_threadsafe(self.loop.add_reader, descriptor, arrived, context=contextvars.Context())
        else:
            self._arrived[descriptor] = arrived
            self._epoll.register(descriptor, select.EPOLLIN)

    def ignore(self, descriptor: int) -> None:
        """Call nobody for it any more; without effect where nobody is called."""
        if self._epoll is None:
            self.loop.remove_reader(descriptor)
        elif self._arrived.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Let go of the sockets, once the loop is closed."""
        self._arrived.clear()
        if self._epoll is not None:
            self._epoll.close()

    def _tell(self, epoll: "select.epoll") -> None:
        for descriptor, _ in epoll.poll(0):
            self._arrived[descriptor]()
