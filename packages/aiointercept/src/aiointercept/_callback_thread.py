"""The thread on which a mock runs the user's plain functions."""

import asyncio
import contextvars
import functools
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from ._cross_loop import CallbackCancelledError, call_threadsafe, set_future

__all__ = ["CallbackThread"]


class CallbackThread:
    """A daemon thread, started on first use, that runs functions one at a time, in the order in which they came.

    It is no executor, because the interpreter waits for the threads of executors when it exits.
    `on_unobserved_error` is called on the server's loop with the error of a function whose client has left.
    """

    def __init__(self, on_unobserved_error: Callable[[BaseException], object]) -> None:
        self._on_unobserved_error = on_unobserved_error
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def run(self, function: Callable[[], Any]) -> Any:
        """Return what `function` returns on the thread; called on the server's loop only.

        Raises `CallbackCancelledError` if the thread is closed before it begins.
        """
        if self._closed:
            raise CallbackCancelledError
        if self._thread is None:
            # From Python 3.14 on a thread may inherit the context of its caller; each function runs in its own.
            new: dict[str, Any] = {"context": contextvars.Context()} if sys.version_info >= (3, 14) else {}
            thread = threading.Thread(target=self._work, name="aiointercept-callbacks", daemon=True, **new)
            thread.start()
            self._thread = thread
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(functools.partial(self._run_job, function, loop, result))
        return await result

    def close(self) -> None:
        """Let the thread end; a function that is still running is not waited for."""
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _run_job(
        self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop, result: "asyncio.Future[Any]"
    ) -> None:
        if result.cancelled():
            return
        if self._closed:
            # An inner mock may have received the request, and goes on to run.
            call_threadsafe(loop, set_future, result, None, CallbackCancelledError())
            return
        try:
            value = function()
        except BaseException as exc:
            call_threadsafe(loop, self._set_error, result, exc)
        else:
            call_threadsafe(loop, set_future, result, value)

    def _set_error(self, result: "asyncio.Future[Any]", error: BaseException) -> None:
        if result.cancelled():
            self._on_unobserved_error(error)
        else:
            set_future(result, None, error)
