"""A place for the user's code to run: an event loop, a context and a thread, as they were at a registration."""

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from aiointercept_core import CallbackResult

from ._worker import Worker, call_threadsafe, contained, settle

__all__ = ["CallbackCancelledError", "Place"]

# How long a loop may take to start a callback, in seconds; once started, a callback has no limit.
_START_TIMEOUT = 5.0


class CallbackCancelledError(Exception):
    """A callback was cancelled on its own loop: its block or its loop ended."""


class Place:
    """A loop (`None` for the server's), a context and a thread, as they were at a registration."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None, context: contextvars.Context, worker: Worker) -> None:
        self._loop = loop
        self._context = context
        self._worker = worker
        self._watch: _Watch | None = None

    def call(self, function: Callable[[], Any], *, is_async: bool) -> Awaitable[Any]:
        """Return what `function` returns, awaited if need be."""
        return self.run(function) if is_async else self._call(function)

    async def _call(self, function: Callable[[], Any]) -> Any:
        result = await self._worker.run(functools.partial(self._context.copy().run, function))
        # Most are no awaitable, which is known at once of this type.
        if not isinstance(result, CallbackResult) and inspect.isawaitable(result):
            return await self.run(lambda: result)
        return result

    async def run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Await `make()` in a task on the loop."""
        home, here = self._loop, asyncio.get_running_loop()
        if home is None or home is here or home.is_closed():
            try:
                return await make()
            except (KeyboardInterrupt, SystemExit) as exc:
                raise contained(exc) from exc
        done: asyncio.Future[Any] = here.create_future()
        visit = _Visit(here, home, done, make)
        home.call_soon_threadsafe(visit.begin, context=self._context.copy())
        watch = self._watch = self._watch or _Watch(here)
        watch.add(visit)
        try:
            return await done
        except asyncio.CancelledError:
            visit.abandoned = True
            call_threadsafe(home, visit.cancel)
            if done.done():
                _mark_retrieved(done)
            raise
        finally:
            watch.discard(visit)

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
                    release = functools.partial(call_threadsafe, home, settle, taken)
                    call_threadsafe(here, chunks.put_nowait, (chunk, release))
                    await taken
            finally:
                aclose = getattr(iterator, "aclose", None)
                if aclose is not None:
                    await aclose()

        pumping = asyncio.ensure_future(self.run(pump))
        pumping.add_done_callback(_mark_retrieved)
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


class _Watch:
    """The visits from one loop that are not over, with one timer for all that may begin too late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # In the order of their deadlines.
        self._deadlines: dict[_Visit, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, visit: "_Visit") -> None:
        deadline = self._deadlines[visit] = self._loop.time() + _START_TIMEOUT
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._look)

    def discard(self, visit: "_Visit") -> None:
        # The timer stays: mostly there is a next one soon.
        self._deadlines.pop(visit, None)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for visit, deadline in list(self._deadlines.items()):
            if deadline > now:
                self._timer = self._loop.call_at(deadline, self._look)
                break
            self.discard(visit)
            visit.abandon_unless_begun()


class _Visit:
    """One awaitable that runs as a task on another loop, with its outcome brought back."""

    def __init__(
        self,
        here: asyncio.AbstractEventLoop,
        home: asyncio.AbstractEventLoop,
        done: "asyncio.Future[Any]",
        make: Callable[[], Awaitable[Any]],
    ) -> None:
        self.abandoned = False
        self._begun = False
        self._here = here
        self._home = home
        self._done = done
        self._make = make
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        if self.abandoned:
            return
        self._begun = True
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._finish)

    def abandon_unless_begun(self) -> None:
        if self._begun:
            return
        self.abandoned = True
        error = RuntimeError(
            f"a callback could not start within {_START_TIMEOUT:g} s: its event loop {self._home!r} is blocked; "
            "make blocking calls in a thread, or use a sync callback"
        )
        settle(self._done, None, error)

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
            call_threadsafe(self._here, settle, self._done, None, error)
        else:
            call_threadsafe(self._here, settle, self._done, task.result())


def _mark_retrieved(future: "asyncio.Future[Any]") -> None:
    """Keep asyncio from logging an outcome for which nobody waits any more."""
    if not future.cancelled():
        future.exception()
