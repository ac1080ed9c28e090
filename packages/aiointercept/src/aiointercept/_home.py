"""Where a user's functions run: async ones at home, sync ones on a thread of their mock.

Requests are served on the server's thread. A test's callback that waits for the test's own Event has to run on the
test's loop, and one that blocks may not stall other replies.
"""

import asyncio
import contextvars
import copy
import functools
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from aiointercept_core import CallbackResult

from ._place import Place
from ._worker import Worker

__all__ = ["Home", "running_loop"]


class Home:
    """The loop and the thread on which the functions registered with one mock run.

    `orphaned` is told of an error in a sync function whose client has left.
    """

    def __init__(
        self, entered_on: asyncio.AbstractEventLoop | None, orphaned: Callable[[BaseException], object]
    ) -> None:
        self._entered_on = entered_on
        self._worker = Worker(orphaned)

    def close(self) -> None:
        """Let the thread end; a function that still runs on it is not waited for."""
        self._worker.close()

    async def run_at(
        self,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        function: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Return what `function` returns, called, and awaited if need be, on `loop` in a copy of `context`."""

        async def call() -> Any:
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return await Place(loop, context, self._worker).run(call)

    def bind(self, function: Any) -> Any:
        """Return an async function, for the server's loop, that runs `function` where it belongs.

        What cannot be called is returned as it is, for whoever checks arguments.
        """
        return _Callback(function, self._place()) if callable(function) else function

    def bind_body(self, body: Any) -> Any:
        """Return `body`, if it is a function or an async iterable so that the user's code in it runs at home."""
        return body if isinstance(body, str | bytes) else _bind_body(body, self._place())

    def _place(self) -> Place:
        return Place(running_loop() or self._entered_on, contextvars.copy_context(), self._worker)


class _Callback:
    """A user's callback as an async function for the server's loop. In messages it is the user's."""

    def __init__(self, function: Callable[..., Any], place: Place) -> None:
        self._function = function
        self._place = place
        self._is_async = _is_async(function)

    def __repr__(self) -> str:
        return repr(self._function)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = functools.partial(self._function, *args, **kwargs)
        result = await self._place.call(function, is_async=self._is_async)
        if isinstance(result, CallbackResult) and not isinstance(result.body, str | bytes):
            # The user's own object stays as it is: it may be returned again.
            result = copy.copy(result)
            result.body = _bind_body(result.body, self._place)
        return result


class _Stream:
    """An async iterable that can be iterated again, each time at home."""

    def __init__(self, source: AsyncIterable[Any], place: Place) -> None:
        self._source = source
        self._place = place

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._place.stream(self._source)


def _bind_body(body: Any, place: Place) -> Any:
    if isinstance(body, AsyncIterator):
        return place.stream(body)
    if isinstance(body, AsyncIterable):
        return _Stream(body, place)
    if callable(body):

        async def fresh() -> Any:
            return _bind_body(await place.call(body, is_async=_is_async(body)), place)

        return fresh
    return body


def _is_async(function: Any) -> bool:
    """Tell whether calling `function` gives something to await: also for a partial, or an object with `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
