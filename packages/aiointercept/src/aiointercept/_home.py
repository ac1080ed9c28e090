"""Where a user's functions run: async ones at home, sync ones on a thread of their mock.

Requests are served on the server's thread. A test's callback that waits for the test's own Event has to run on the
test's loop, and one that blocks may not stall other replies.
"""

import asyncio
import contextlib
import contextvars
import copy
import functools
import inspect
import queue
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from aiointercept_core import CallbackResult

__all__ = ["CallbackCancelledError", "Home"]

# How long a loop may take to start a callback, in seconds; once started, a callback has no limit.
_START_TIMEOUT = 5.0


class CallbackCancelledError(Exception):
    """A callback was cancelled on its own loop: its block or its loop ended."""


class Home:
    """The loop and the thread on which the functions registered with one mock run."""

    def __init__(self, entered_on: asyncio.AbstractEventLoop | None) -> None:
        self._entered_on = entered_on
        self._worker = _Worker()

    def close(self) -> None:
        """Let the thread end; a function that still runs on it is not waited for."""
        self._worker.close()

    async def run_at(
        self, loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Return what `function` returns, called, and awaited if need be, on `loop`."""

        async def call() -> Any:
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return await _Place(loop, contextvars.copy_context(), self._worker).run(call)

    def bind(self, function: Any) -> Any:
        """Return an async function, for the server's loop, that runs `function` where it belongs.

        What cannot be called is returned as it is, for whoever checks arguments.
        """
        return _Callback(function, self._place()) if callable(function) else function

    def bind_body(self, body: Any) -> Any:
        """Return `body`, if it is a function or an async iterable so that the user's code in it runs at home."""
        return body if isinstance(body, str | bytes) else _bind_body(body, self._place())

    def _place(self) -> "_Place":
        return _Place(_running_loop() or self._entered_on, contextvars.copy_context(), self._worker)


class _Callback:
    """A user's callback as an async function for the server's loop. In messages it is the user's."""

    def __init__(self, function: Callable[..., Any], place: "_Place") -> None:
        self._function = function
        self._place = place

    def __repr__(self) -> str:
        return repr(self._function)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = self._function
        result = await self._place.call(functools.partial(function, *args, **kwargs), is_async=_is_async(function))
        if isinstance(result, CallbackResult):
            # The user's own object stays as it is: it may be returned again.
            result = copy.copy(result)
            result.body = _bind_body(result.body, self._place)
        return result


class _Place:
    """A loop (`None` for the server's), a context and a thread, as they were at a registration."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None, context: contextvars.Context, worker: "_Worker") -> None:
        self._loop = loop
        self._context = context
        self._worker = worker

    async def call(self, function: Callable[[], Any], *, is_async: bool) -> Any:
        """Return what `function` returns, awaited if need be."""
        if is_async:
            return await self.run(function)
        result = await self._worker.run(functools.partial(self._context.copy().run, function))
        if inspect.isawaitable(result):
            return await self.run(lambda: result)
        return result

    async def run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Await `make()` in a task on the loop."""
        home, here = self._loop, asyncio.get_running_loop()
        if home is None or home is here or home.is_closed():
            try:
                return await make()
            except (KeyboardInterrupt, SystemExit) as exc:
                raise _contained(exc) from exc
        started: asyncio.Future[None] = here.create_future()
        done: asyncio.Future[Any] = here.create_future()
        visit = _Visit(here, started, done, make)
        home.call_soon_threadsafe(visit.begin, context=self._context.copy())
        try:
            await asyncio.wait({started}, timeout=_START_TIMEOUT)
            if not started.done():
                visit.abandoned = True
                raise RuntimeError(
                    f"a callback could not start within {_START_TIMEOUT:g} s: its event loop {home!r} is blocked; "
                    "make blocking calls in a thread, or use a sync callback"
                )
            return await done
        except asyncio.CancelledError:
            visit.abandoned = True
            if not home.is_closed():
                home.call_soon_threadsafe(visit.cancel)
            raise

    async def stream(self, source: AsyncIterable[Any]) -> AsyncIterator[Any]:
        """Yield what `source` yields, which is iterated by one task on the loop, one item ahead at most."""
        here = asyncio.get_running_loop()
        chunks: asyncio.Queue[tuple[Any, Callable[[], None]]] = asyncio.Queue()

        async def pump() -> None:
            home = asyncio.get_running_loop()
            iterator = aiter(source)
            try:
                async for chunk in iterator:
                    taken = home.create_future()
                    release = functools.partial(_call_threadsafe, home, _settle, taken)
                    _call_threadsafe(here, chunks.put_nowait, (chunk, release))
                    await taken
            finally:
                aclose = getattr(iterator, "aclose", None)
                if aclose is not None:
                    await aclose()

        pumping = asyncio.ensure_future(self.run(pump))
        getting = asyncio.ensure_future(chunks.get())
        try:
            while True:
                await asyncio.wait({pumping, getting}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    await pumping
                    return
                chunk, release = getting.result()
                yield chunk
                getting = asyncio.ensure_future(chunks.get())
                release()
        finally:
            getting.cancel()
            pumping.cancel()
            await asyncio.wait({pumping, getting})


class _Visit:
    """One awaitable that runs as a task on another loop, with its outcome brought back."""

    def __init__(
        self,
        here: asyncio.AbstractEventLoop,
        started: "asyncio.Future[None]",
        done: "asyncio.Future[Any]",
        make: Callable[[], Awaitable[Any]],
    ) -> None:
        self.abandoned = False
        self._here = here
        self._started = started
        self._done = done
        self._make = make
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        if self.abandoned:
            return
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._finish)
        _call_threadsafe(self._here, _settle, self._started)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> Any:
        return await self._make()

    def _finish(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelled():
            error: BaseException | None = CallbackCancelledError()
        else:
            error = task.exception()
        if error is not None:
            _call_threadsafe(self._here, _settle, self._done, None, error)
        else:
            _call_threadsafe(self._here, _settle, self._done, task.result())


class _Worker:
    """A daemon thread, made on first use, that runs functions one at a time in the order in which they came.

    Not an executor: that one is waited for when the interpreter exits.
    """

    def __init__(self) -> None:
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
                _call_threadsafe(loop, _settle, done, None, exc)
            else:
                _call_threadsafe(loop, _settle, done, result)

        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="aiointercept-callbacks", daemon=True)
            self._thread.start()
        return await done

    def close(self) -> None:
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _bind_body(body: Any, place: _Place) -> Any:
    if isinstance(body, AsyncIterator):
        return place.stream(body)
    if isinstance(body, AsyncIterable):
        return _Stream(body, place)
    if callable(body):

        async def fresh() -> Any:
            return _bind_body(await place.call(body, is_async=_is_async(body)), place)

        return fresh
    return body


class _Stream:
    """An async iterable that can be iterated again, each time at home."""

    def __init__(self, source: AsyncIterable[Any], place: _Place) -> None:
        self._source = source
        self._place = place

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._place.stream(self._source)


def _is_async(function: Any) -> bool:
    """Tell whether calling `function` gives something to await: also for a partial, or an object with `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _call_threadsafe(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    # A loop that is closed has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)


def _settle(future: "asyncio.Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration | KeyboardInterrupt | SystemExit):
        contained = _contained(error)
        contained.__cause__ = error
        future.set_exception(contained)
    else:
        future.set_exception(error)


def _contained(error: BaseException) -> RuntimeError:
    """Return what stands for an error that a future refuses, or that an event loop does not survive."""
    return RuntimeError(f"a callback raised {error!r}")
