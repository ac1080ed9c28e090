"""Callback contexts: where the functions of the user run, such as callbacks and handlers of WebSockets."""

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from ._replies import WebSocketConnection

__all__ = ["CallbackContext", "DirectContext"]


class CallbackContext(Protocol):
    """Run a user's functions where they belong, for example on the event loop that registered them."""

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Call `function` and return its result, awaited if it is awaitable."""

    def iterate(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Iterate over the user's async iterable."""

    def run_handler(
        self, handler: Callable[[Any], Awaitable[None]], connection: WebSocketConnection
    ) -> Awaitable[None]:
        """Have the user's handler of a WebSocket talk to the client of `connection`."""


class DirectContext:
    """Run a user's functions in place: in the task that asks for the reply."""

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `function` and return its result, awaited if it is awaitable."""
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    def iterate(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Iterate over the user's async iterable."""
        return aiter(body)

    async def run_handler(self, handler: Callable[[Any], Awaitable[None]], connection: WebSocketConnection) -> None:
        """Call `handler` with `connection`."""
        await handler(connection)
