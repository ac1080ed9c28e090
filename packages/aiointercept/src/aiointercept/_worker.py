"""A thread for the user's sync functions, and bringing outcomes from one thread's loop to another's."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Worker", "call_threadsafe", "contained", "settle"]


class Worker:
    """A daemon thread, made on first use, that runs functions one at a time in the order in which they came.

    Not an executor: that one is waited for when the interpreter exits. `orphaned` is told, on the server's loop, of an
    error for which nobody waits any more.
    """

    def __init__(self, orphaned: Callable[[BaseException], object]) -> None:
        self._orphaned = orphaned
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def run(self, function: Callable[[], Any]) -> Any:
        """Return what `function` returns on the thread; called on the server's loop only."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def job() -> None:
            if done.cancelled() or self._closed:
                return
            try:
                result = function()
            except BaseException as exc:
                call_threadsafe(loop, self._fail, done, exc)
            else:
                call_threadsafe(loop, settle, done, result)

        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="aiointercept-callbacks", daemon=True)
            self._thread.start()
        return await done

    def _fail(self, done: "asyncio.Future[Any]", error: BaseException) -> None:
        if done.cancelled():
            self._orphaned(error)
        else:
            settle(done, None, error)

    def close(self) -> None:
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def call_threadsafe(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    # A loop that is closed has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)


def settle(future: "asyncio.Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration | KeyboardInterrupt | SystemExit):
        substitute = contained(error)
        substitute.__cause__ = error
        future.set_exception(substitute)
    else:
        future.set_exception(error)


def contained(error: BaseException) -> RuntimeError:
    """Return what stands for an error that a future refuses, or that an event loop does not survive."""
    return RuntimeError(f"a callback raised {error!r}")
