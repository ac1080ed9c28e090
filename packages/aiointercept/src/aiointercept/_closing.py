"""Close a mock from sync and async code, and the results of `start()` and `stop()`."""

import abc
import functools
import logging
import queue
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

from ._cross_loop import call_threadsafe, running_loop, set_future

__all__ = ["CloseHandle", "StartResult", "StopResult"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

logger = logging.getLogger("aiointercept")

T = TypeVar("T")

# How long sync code waits for a mock to close, in seconds.
_CLOSE_TIMEOUT = 5.0


class Closable(Protocol):
    """A listener that closes on another thread."""

    def close_soon(self, on_closed: Callable[[], object], cleanup: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin to close, if that has not begun; await `cleanup` at the end, then call `on_closed`."""


class CloseHandle:
    """The closing of a mock: sync code waits for it, async code awaits it on the loop on which it began.

    That loop is notified of the end instead of asking a `concurrent.futures.Future`, whose `done()` takes a lock and so
    counts as a blocking call. `on_closed` is called at the end, on any thread. Without a `closable` this is the end.
    """

    def __init__(
        self, closable: Closable | None, cleanup: Callable[[], Awaitable[None]] | None, on_closed: Callable[[], object]
    ) -> None:
        self._loop = running_loop()
        self._closed = self._loop.create_future() if self._loop is not None else None
        self._is_closed = False
        # No future: an interrupt while waiting may leave its lock held, and then the server's thread would hang.
        self._end: queue.SimpleQueue[None] = queue.SimpleQueue()
        if closable is None:
            self._set_closed(on_closed)
        else:
            closable.close_soon(functools.partial(self._set_closed, on_closed), cleanup)

    def __await__(self) -> Generator[Any, None, None]:
        if self._closed is None or running_loop() is not self._loop:
            # Awaited on another loop, or by a library such as trio that has none.
            self.wait()
        elif not self._closed.done():
            yield from self._closed

    def wait(self) -> None:
        """Block until the mock is closed, for at most `_CLOSE_TIMEOUT` seconds."""
        if self._is_closed:
            return
        try:
            self._end.get(timeout=_CLOSE_TIMEOUT)
        except queue.Empty:
            logger.warning("the mock did not close within %s s: its thread is blocked", _CLOSE_TIMEOUT)
        else:
            # For another thread that waits.
            self._end.put(None)

    def _set_closed(self, on_closed: Callable[[], object]) -> None:
        on_closed()
        self._is_closed = True
        self._end.put(None)
        if self._loop is None or self._closed is None:
            return
        if running_loop() is self._loop:
            set_future(self._closed)
        else:
            call_threadsafe(self._loop, set_future, self._closed)


class _Result(Coroutine[Any, Any, T]):
    """A coroutine that may be awaited more than once, and need not be awaited."""

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name
        self._awaiting: Generator[Any, Any, T] | None = None

    @abc.abstractmethod
    def __await__(self) -> Generator[Any, Any, T]: ...

    def send(self, value: Any, /) -> Any:
        if self._awaiting is None:
            self._awaiting = self.__await__()
        try:
            return self._awaiting.send(value)
        except BaseException:
            self._awaiting = None
            raise

    def throw(self, *error: Any) -> Any:
        awaiting, self._awaiting = self._awaiting or self.__await__(), None
        result = awaiting.throw(*error)
        self._awaiting = awaiting
        return result

    def close(self) -> None:
        awaiting, self._awaiting = self._awaiting, None
        if awaiting is not None:
            awaiting.close()


class StartResult(_Result[T]):
    """The result of `start()`: the mock runs already, and awaiting this gives the mock."""

    def __init__(self, mock: T) -> None:
        super().__init__("aiointercept.start")
        self._mock = mock

    def __await__(self) -> Generator[Any, Any, T]:
        yield from ()
        return self._mock


class StopResult(_Result[None]):
    """The result of `stop()`: awaiting it waits until the mock is closed, then calls `finish` with `None`.

    If the wait is interrupted, for example by a cancellation, `finish` is called with the exception.

    In sync code both has happened when this is made; there is no `closing` if the mock was not running. With
    `on_unawaited` this must be awaited in async code: if it is not, that is called, and there is a `RuntimeWarning`.
    """

    _on_unawaited: Callable[[], object] | None = None

    def __init__(
        self,
        closing: CloseHandle | None = None,
        finish: Callable[[BaseException | None], None] = lambda exc: None,
        *,
        on_unawaited: Callable[[], object] | None = None,
    ) -> None:
        super().__init__("aiointercept.stop")
        self._closing = closing
        self._finish = finish
        if closing is not None and running_loop() is None:
            self._closing = None
            closing.wait()
            finish(None)
        elif closing is not None:
            self._on_unawaited = on_unawaited

    def __await__(self) -> Generator[Any, Any, None]:
        self._on_unawaited = None
        return self._wait_closed()

    def close(self) -> None:
        self._on_unawaited = None
        super().close()

    def _wait_closed(self) -> Generator[Any, Any, None]:
        if self._closing is not None:
            interruption = None
            try:
                yield from self._closing.__await__()
            except BaseException as exc:
                interruption = exc
                raise
            finally:
                self._finish(interruption)

    def __del__(self) -> None:
        if self._on_unawaited is not None:
            self._on_unawaited()
            unawaited = "coroutine 'aiointercept.stop' was never awaited"
            warnings.warn(unawaited, RuntimeWarning, stacklevel=2, source=self)
