"""What `start()` and `stop()` return: their work is done at once, and who likes may await the rest."""

import concurrent.futures
import functools
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol

from ._home import running_loop
from ._worker import call_threadsafe, settle

__all__ = ["Closing", "Started", "Stopped"]

logger = logging.getLogger("aiointercept")

# A teardown that takes longer than this, in seconds, is left to itself.
_TEARDOWN_TIMEOUT = 5.0


class Closable(Protocol):
    """What is closed on another thread."""

    def close(self) -> "concurrent.futures.Future[None]":
        """Begin to close, if that has not begun; the future is done at the end."""

    def begin_closing(self, then: Callable[[], object], also: Callable[[], Awaitable[None]] | None) -> None:
        """Begin to close, await `also` at the end and call `then` after that."""


class Closing:
    """The closing of a mock, from its beginning: waited for in sync code, awaited on the loop on which it began.

    The loop is told of its end. To ask a future of another thread whether it is done may block for a moment, which
    those who watch for blocking calls make an error of. `then` is called at its end, on whichever thread that is.
    """

    def __init__(
        self, closable: Closable, also: Callable[[], Awaitable[None]] | None, then: Callable[[], object]
    ) -> None:
        self._loop = running_loop()
        self._left = self._loop.create_future() if self._loop is not None else None
        self._closable = closable
        closable.begin_closing(functools.partial(self._tell, then), also)

    def __await__(self) -> Generator[Any, None, None]:
        if self._left is None or running_loop() is not self._loop:
            # Another kind of async code, trio's, or another loop.
            self.wait()
        elif not self._left.done():
            yield from self._left

    def wait(self) -> None:
        """Block until all is closed, or for as long as that is worth it."""
        try:
            self._closable.close().result(_TEARDOWN_TIMEOUT)
        except TimeoutError:
            logger.warning("the mock was not torn down within %s s; its thread is stuck", _TEARDOWN_TIMEOUT)

    def _tell(self, then: Callable[[], object]) -> None:
        then()
        if self._loop is None:
            return
        if running_loop() is self._loop:
            settle(self._left)
        else:
            call_threadsafe(self._loop, settle, self._left)


class Started:
    """What `start()` returns: done already, awaitable for those who write `await m.start()`."""

    def __init__(self, mock: Any) -> None:
        self._mock = mock

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self._mock


class Stopped:
    """What `stop()` returns: awaiting it waits until all is closed and raises what callbacks raised."""

    def __init__(self, closing: Closing | None, finish: Callable[[], None]) -> None:
        self._closing = closing
        self._finish = finish

    def __await__(self) -> Generator[Any, None, None]:
        if self._closing is not None:
            yield from self._closing.__await__()
        self._finish()

    def wait(self) -> None:
        if self._closing is not None:
            self._closing.wait()
        self._finish()
