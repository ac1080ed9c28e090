"""Run a coroutine on an event loop of another thread, and pass results from one thread's loop to another's."""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["CallbackCancelledError", "call_threadsafe", "future_safe", "run_on_loop", "running_loop", "set_future"]

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
    task: asyncio.Task[Any] | None = None

    async def run() -> Any:
        return await make()

    def start() -> None:
        nonlocal task
        # The result is there already if the client left or the start came too late.
        if not result.done():
            task = asyncio.get_running_loop().create_task(run())
            task.add_done_callback(set_result)

    def set_result(task: "asyncio.Task[Any]") -> None:
        error = CallbackCancelledError() if task.cancelled() else task.exception()
        value = task.result() if error is None else None
        call_threadsafe(here, set_future, result, value, error)

    def cancel() -> None:
        if task is not None:
            task.cancel()

    def fail_unless_started() -> None:
        if task is None:
            error = RuntimeError(
                f"a callback could not start within {_START_TIMEOUT:g} s: its event loop {loop!r} is blocked; "
                "make blocking calls in a thread, or use a sync callback"
            )
            set_future(result, None, error)

    loop.call_soon_threadsafe(start, context=variables.copy())
    timer = here.call_later(_START_TIMEOUT, fail_unless_started)
    try:
        return await result
    except asyncio.CancelledError:
        call_threadsafe(loop, cancel)
        if result.done() and not result.cancelled():
            # Otherwise asyncio logs the exception as never retrieved.
            result.exception()
        raise
    finally:
        timer.cancel()


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
        future.set_exception(future_safe(error))


def future_safe(error: BaseException) -> BaseException:
    """Return `error`, or a `RuntimeError` caused by it if it would end the event loop or a future refuses it."""
    if not isinstance(error, StopIteration | KeyboardInterrupt | SystemExit):
        return error
    substitute = RuntimeError(f"a callback raised {error!r}")
    substitute.__cause__ = error
    return substitute
