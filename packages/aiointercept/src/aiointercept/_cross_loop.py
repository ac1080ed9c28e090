"""Run a coroutine on an event loop of another thread, and hand results from one thread's loop to another's."""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = [
    "CallbackCancelledError",
    "call_threadsafe",
    "run_on_loop",
    "running_loop",
    "set_future",
    "wrapped_base_exception",
]

# How long a loop may take to start a callback, in seconds; a callback that has started has no limit.
_START_TIMEOUT = 5.0


class CallbackCancelledError(Exception):
    """A callback was cancelled on its own event loop, because its block or its loop ended."""


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running event loop, `None` outside of one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def run_on_loop(
    loop: asyncio.AbstractEventLoop, variables: contextvars.Context, make: Callable[[], Awaitable[Any]]
) -> Any:
    """Await `make()` in a task on `loop`, in a copy of the context `variables`, and return its result.

    Raises what it raises, `CallbackCancelledError` if the task is cancelled on its loop, and `RuntimeError` if the loop
    does not start it within `_START_TIMEOUT` seconds.
    """
    here = asyncio.get_running_loop()
    result: asyncio.Future[Any] = here.create_future()
    task = _CrossLoopTask(loop, make, here, result)
    loop.call_soon_threadsafe(task.start, context=variables.copy())
    timer = here.call_later(_START_TIMEOUT, task.fail_unless_started)
    try:
        return await result
    except asyncio.CancelledError:
        task.abandoned = True
        call_threadsafe(loop, task.cancel)
        if result.done() and not result.cancelled():
            # The result came in the same turn: asyncio must not log its exception as never retrieved.
            result.exception()
        raise
    finally:
        timer.cancel()


class _CrossLoopTask:
    """One task on `loop` whose result is set on the future `result` of the loop `here`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        make: Callable[[], Awaitable[Any]],
        here: asyncio.AbstractEventLoop,
        result: "asyncio.Future[Any]",
    ) -> None:
        self.abandoned = False
        self._loop = loop
        self._make = make
        self._here = here
        self._result = result
        self._started = False
        self._task: asyncio.Task[Any] | None = None

    def start(self) -> None:
        """Start the task; called on its loop."""
        if self.abandoned:
            return
        self._started = True
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._set_result)

    def cancel(self) -> None:
        """Cancel the task; called on its loop."""
        if self._task is not None:
            self._task.cancel()

    def fail_unless_started(self) -> None:
        """Fail if the task's loop is blocked; called on the waiting loop."""
        if self._started:
            return
        self.abandoned = True
        error = RuntimeError(
            f"a callback could not start within {_START_TIMEOUT:g} s: its event loop {self._loop!r} is blocked; "
            "make blocking calls in a thread, or use a sync callback"
        )
        set_future(self._result, None, error)

    async def _run(self) -> Any:
        return await self._make()

    def _set_result(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelled():
            call_threadsafe(self._here, set_future, self._result, None, CallbackCancelledError())
        elif (error := task.exception()) is not None:
            call_threadsafe(self._here, set_future, self._result, None, error)
        else:
            call_threadsafe(self._here, set_future, self._result, task.result())


def call_threadsafe(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    """Call `function` soon on `loop`; without effect if the loop is closed, since nothing waits there any more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)


def set_future(future: "asyncio.Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    """Set the result or the exception of `future`, unless it is done."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(_future_safe(error))


def _future_safe(error: BaseException) -> BaseException:
    """Return `error`, or a `RuntimeError` caused by it if a coroutine or a future may not raise it."""
    if not isinstance(error, StopIteration | KeyboardInterrupt | SystemExit):
        return error
    substitute = wrapped_base_exception(error)
    substitute.__cause__ = error
    return substitute


def wrapped_base_exception(error: BaseException) -> RuntimeError:
    """Return a `RuntimeError` in place of an error that would end an event loop."""
    return RuntimeError(f"a callback raised {error!r}")
