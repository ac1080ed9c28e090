"""A bounded queue from one event loop to another, with one wake-up for all items that were put in the meantime.

Waking the loop of another thread costs many times what passing on an item does. No lock is needed: each side writes
only what is its own, and looks again after it has published that it waits.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from ._cross_loop import call_threadsafe, set_future

__all__ = ["CrossLoopQueue"]

T = TypeVar("T")

# After so many items the loop runs other callbacks: if the other thread is fast enough, there is always one more.
_ITEMS_AT_A_TIME = 256


class CrossLoopQueue(Generic[T]):
    """A queue that one loop puts items into and another, or the same, gets them from, in order.

    Items have a size. Above `limit` in total the queue is full, and `drain()` waits until the other side has taken half
    of them. `taken` is the size of all items that were ever taken, `error` that with which the other side has failed.
    """

    def __init__(self, limit: int) -> None:
        self.taken = 0
        self.error: BaseException | None = None
        self._limit = limit
        self._items: deque[tuple[T, int]] = deque()
        self._put = 0
        self._left = _ITEMS_AT_A_TIME
        self._getting: asyncio.Future[None] | None = None
        self._draining: asyncio.Future[None] | None = None

    # For the loop that puts items.

    @property
    def is_full(self) -> bool:
        """Whether the items that are not taken are larger than the limit; never after an error."""
        return self._put - self.taken > self._limit and self.error is None

    def put(self, item: T, size: int) -> None:
        """Add an item, also if the queue is full."""
        self._put += size
        self._items.append((item, size))
        if self._getting is not None:
            getting, self._getting = self._getting, None
            _wake(getting)

    async def drain(self) -> None:
        """Wait while the queue is full; several tasks may wait."""
        while self.is_full:
            draining = self._draining
            if draining is None:
                draining = self._draining = asyncio.get_running_loop().create_future()
            if self.is_full:
                # Shielded, because the others wait for the same future.
                await asyncio.shield(draining)

    # For the loop that gets items.

    async def wait(self) -> None:
        """Wait until there is an item, and let the loop run other callbacks; one task at a time."""
        loop = asyncio.get_running_loop()
        if self._items:
            turn = loop.create_future()
            loop.call_soon(set_future, turn)
            await turn
        while not self._items:
            getting = self._getting = loop.create_future()
            if not self._items:
                await getting
        self._left = _ITEMS_AT_A_TIME

    def get(self) -> T | None:
        """Return the next item, `None` if there is none or it is the turn of others: `wait()` then."""
        if not self._items or not self._left:
            return None
        self._left -= 1
        item, size = self._items.popleft()
        self.taken += size
        if self._draining is not None and self._put - self.taken <= self._limit // 2:
            self._wake_putting()
        return item

    def fail(self, error: BaseException) -> None:
        """Take nothing any more because of `error`."""
        self.error = error
        self._wake_putting()

    def _wake_putting(self) -> None:
        draining, self._draining = self._draining, None
        if draining is not None:
            _wake(draining)


def _wake(future: "asyncio.Future[None]") -> None:
    call_threadsafe(future.get_loop(), set_future, future)
