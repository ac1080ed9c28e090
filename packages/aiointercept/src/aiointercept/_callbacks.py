"""Run user callbacks: coroutine functions on the event loop that registered them, plain functions on a thread.

Requests are served on the server's thread. A callback that waits for the test's own `asyncio.Event` has to run on the
test's loop, and a callback that blocks must not delay other replies.
"""

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from aiointercept_core import WebSocketConnection, close_iterable
from aiointercept_server import RecordedWebSocket

from ._callback_thread import CallbackThread
from ._core import is_coroutine_function
from ._cross_loop import call_threadsafe, future_safe, run_on_loop, running_loop, set_future
from ._errors import CallbackErrors
from ._websocket import run_handler

__all__ = ["CallbackContext", "CallbackRunner"]


class CallbackRunner:
    """The threads and event loops on which the functions registered with one mock run.

    `default_loop` runs coroutine functions that were registered outside of an event loop; the server's loop does if it
    is `None`. `errors` gets the errors of plain functions whose client has left.
    """

    def __init__(self, default_loop: asyncio.AbstractEventLoop | None, errors: CallbackErrors) -> None:
        self._default_loop = default_loop
        self._thread = CallbackThread(errors.keep_unobserved)

    def context(self) -> "CallbackContext":
        """Return the context of a route that is registered now."""
        return CallbackContext(running_loop() or self._default_loop, contextvars.copy_context(), self._thread)

    def close(self) -> None:
        """Let the thread end; a function that is still running on it is not waited for."""
        self._thread.close()


class CallbackContext:
    """The event loop (`None` for the server's), the context variables and the thread of one route's functions."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None, variables: contextvars.Context, thread: CallbackThread
    ) -> None:
        self._loop = loop
        self._variables = variables
        self._thread = thread

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `function` and return what it returns, awaited if it is awaitable."""
        call = functools.partial(function, *args, **kwargs)
        if is_coroutine_function(function):
            return await self._run(call)
        result = await self._thread.run(functools.partial(self._variables.copy().run, call))
        if inspect.isawaitable(result):
            return await self._run(lambda: result)
        return result

    async def iterate(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yield the items of `body`, which one task on the loop iterates over, at most one item ahead."""
        here = asyncio.get_running_loop()
        items: asyncio.Queue[tuple[bytes, Callable[[], None]]] = asyncio.Queue()
        iterating = asyncio.ensure_future(self._run(functools.partial(_put_items, body, here, items)))
        getting = asyncio.ensure_future(items.get())
        try:
            while True:
                await asyncio.wait({iterating, getting}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    await iterating
                    return
                item, go_on = getting.result()
                yield item
                getting = asyncio.ensure_future(items.get())
                go_on()
        finally:
            getting.cancel()
            iterating.cancel()
            # Also marks the exception of an iteration that nobody waits for as retrieved.
            await asyncio.gather(iterating, getting, return_exceptions=True)

    async def run_handler(self, handler: Callable[[Any], Awaitable[None]], connection: WebSocketConnection) -> None:
        """Have `handler` talk to the client over a `ServerWebSocket`, in one task on the loop."""
        assert isinstance(connection, RecordedWebSocket)
        await run_handler(connection, handler, self._run)

    async def _run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Await `make()` in a task on the loop."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop() or loop.is_closed():
            try:
                return await make()
            except (KeyboardInterrupt, SystemExit) as exc:
                raise future_safe(exc) from exc
        return await run_on_loop(loop, self._variables, make)


async def _put_items(
    body: AsyncIterable[bytes],
    reader_loop: asyncio.AbstractEventLoop,
    items: "asyncio.Queue[tuple[bytes, Callable[[], None]]]",
) -> None:
    """Put each item of `body` into the queue of another loop, and wait until it was taken."""
    loop = asyncio.get_running_loop()
    iterator = aiter(body)
    try:
        async for item in iterator:
            taken = loop.create_future()
            go_on = functools.partial(call_threadsafe, loop, set_future, taken)
            call_threadsafe(reader_loop, items.put_nowait, (item, go_on))
            await taken
    finally:
        await close_iterable(iterator)
