"""A thread for the user's sync functions, and bringing outcomes from one thread's loop to another's."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Worker", "call_threadsafe", "contained", "settle"]

# Most callbacks only build a reply. To wait for those where they are asked for takes half of what the way through the
# loop takes; what takes longer is waited for there, so that other requests go on. In seconds.
_ON_THE_SPOT = 0.001


class Worker:
    """A daemon thread, made on first use, that runs functions one at a time in the order in which they came.

    Not an executor: that one is waited for when the interpreter exits. `orphaned` is told, on the server's loop, of an
    error for which nobody waits any more.
    """

    def __init__(self, orphaned: Callable[[BaseException], object]) -> None:
        self._orphaned = orphaned
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    async def run(self, function: Callable[[], Any]) -> Any:
        """Return what `function` returns on the thread; called on the server's loop only."""
        job = _Job(function, asyncio.get_running_loop(), self._orphaned)
        is_next = not self._waiting
        self._waiting += 1
        try:
            self._jobs.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="aiointercept-callbacks", daemon=True)
                self._thread.start()
            result, error = (job.take(_ON_THE_SPOT) if is_next else None) or await job.outcome()
        finally:
            self._waiting -= 1
        if error is not None:
            raise bearable(error)
        return result

    def close(self) -> None:
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._closed:
                job.do()


class _Job:
    """One function to be called on the thread, for a coroutine on the server's loop that waits for its outcome."""

    def __init__(
        self,
        function: Callable[[], Any],
        loop: asyncio.AbstractEventLoop,
        orphaned: Callable[[BaseException], object],
    ) -> None:
        self._function = function
        self._loop = loop
        self._orphaned = orphaned
        self._outcome: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._done: asyncio.Future[None] | None = None
        self._given_up = False

    def do(self) -> None:
        """Call the function, on the thread."""
        if self._given_up:
            return
        try:
            outcome: tuple[Any, BaseException | None] = self._function(), None
        except BaseException as exc:
            outcome = None, exc
        self._outcome.put(outcome)
        # Who begins to wait for it from now on finds the outcome there.
        if self._done is not None:
            call_threadsafe(self._loop, self._tell)

    async def outcome(self) -> tuple[Any, BaseException | None]:
        """Wait for what the function returns or raises."""
        self._done = self._loop.create_future()
        outcome = self.take()
        if outcome is None:
            try:
                await self._done
            except asyncio.CancelledError:
                self._given_up = True
                self._tell()
                raise
            outcome = self._outcome.get_nowait()
        return outcome

    def take(self, patience: float = 0.0) -> tuple[Any, BaseException | None] | None:
        """Return what the function returned or raised; the loop stands still for that for `patience` seconds at most.

        Returns `None` where that takes longer.
        """
        try:
            # Not a lock: those who watch for blocking calls in loops would make an error of the short wait.
            return self._outcome.get(timeout=patience) if patience else self._outcome.get_nowait()
        except queue.Empty:
            return None

    def _tell(self) -> None:
        if not self._given_up:
            settle(self._done)
        elif (outcome := self.take()) is not None and outcome[1] is not None:
            self._orphaned(outcome[1])


def call_threadsafe(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    # A loop that is closed has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)


def settle(future: "asyncio.Future[Any] | None", result: Any = None, error: BaseException | None = None) -> None:
    if future is None or future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(bearable(error))


def bearable(error: BaseException) -> BaseException:
    """Return `error`, or what stands for one that a coroutine or a future may not raise."""
    if not isinstance(error, StopIteration | KeyboardInterrupt | SystemExit):
        return error
    substitute = contained(error)
    substitute.__cause__ = error
    return substitute


def contained(error: BaseException) -> RuntimeError:
    """Return what stands for an error that a future refuses, or that an event loop does not survive."""
    return RuntimeError(f"a callback raised {error!r}")
