"""How replies and errors reach the caller: callbacks get its arguments, and exceptions are raised there."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientConnectionError, ClientResponse

from aiointercept_core import (
    CallbackResult,
    CloseConnection,
    FaultReply,
    Record,
    Registry,
    Reply,
    Route,
    error_response,
    request_details,
)
from aiointercept_dns import OutgoingRequest
from aiointercept_server import AiointerceptRequest

from .._parts import CallbackRunner, raised_by, run_on_loop
from ._calls import PendingCall, normalize_url

__all__ = ["AioresponsesReplies", "ReplyOverrides"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


@dataclass(frozen=True, slots=True)
class ReplyOverrides:
    """Reply options of a route that aioresponses treats in its own way.

    `callback` and `exception` come before the route's own reply. `response_class` is the class of the caller's
    response. `result` is made into a reply for each request, because the test may change its payload in between.
    """

    callback: Callable[..., Any] | None = None
    exception: BaseException | type[BaseException] | None = None
    response_class: type[ClientResponse] | None = None
    result: CallbackResult | None = None


class AioresponsesReplies:
    """Reply as `overrides` say, or else as the route was registered."""

    def __init__(
        self,
        registry: Registry[AiointerceptRequest],
        callbacks: CallbackRunner,
        overrides: Mapping[Route, ReplyOverrides],
        pending_call: Callable[[OutgoingRequest | None], PendingCall | None],
    ) -> None:
        self._registry = registry
        self._callbacks = callbacks
        self._overrides = overrides
        self._pending_call = pending_call

    async def reply(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Reply:
        """Return the reply of the record's route, or have an exception raised at the caller."""
        assert record.route is not None
        overrides = self._overrides.get(record.route, ReplyOverrides())
        result = None
        if overrides.callback is not None:
            try:
                result = await self._call_back(overrides.callback, record.request, client_request)
            except _CallbackError as exc:
                # The callback has not answered, so the next request gets the same route, as with aioresponses.
                self._registry.release(record.route)
                return _raise_at_caller(exc.error, client_request)
        exception = overrides.exception
        if exception is not None:
            return _raise_at_caller(exception() if isinstance(exception, type) else exception, client_request)
        if result is None:
            result = overrides.result
        if result is None:
            return await self._registry.reply(record, use_callback=False)
        reply = await self._registry.reply_from(result, record.request, record.route)
        if result.response_class is not None and client_request is not None:
            _set_response_class(client_request, result.response_class)
        return reply

    def reply_to_error(
        self, error: BaseException, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None
    ) -> Reply:
        """Have `error` raised at the caller."""
        return _raise_at_caller(error, client_request)

    def reply_to_unmatched(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Reply:
        """Have the exception of aioresponses raised at the caller, with the explanation."""
        method, url = record.key
        if client_request is not None:
            client_request.set_exception(
                ClientConnectionError(f"Connection refused: {method} {normalize_url(url)}: {record.explanation}")
            )
        return CloseConnection(record.explanation)

    async def _call_back(
        self, callback: Callable[..., Any], request: AiointerceptRequest, client_request: OutgoingRequest | None
    ) -> Any:
        """Call with the caller's own arguments on the caller's event loop, as aioresponses does."""
        call = self._pending_call(client_request)
        if client_request is None or call is None:
            details = request_details(request, ("headers", "query", "json", "data"))
            return await self._callbacks.context().call(callback, request.canonical_url, **details)

        async def call_back() -> Any:
            # Any exception is wrapped, because futures and tasks treat some kinds in ways of their own.
            try:
                result = callback(normalize_url(request.url), **call.callback_options())
                return await result if inspect.isawaitable(result) else result
            except BaseException as exc:
                who, where = raised_by(exc, "callback", callback)
                note = f"{who} raised this ({where})"
                # The caller gets the error without its traceback; the same one may be raised again and again.
                if where and note not in getattr(exc, "__notes__", ()):
                    exc.add_note(note)
                raise _CallbackError(exc) from None

        run: Awaitable[Any] = run_on_loop(client_request.loop, client_request.context, call_back)
        return await run


class _CallbackError(Exception):
    """A callback raised `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def _raise_at_caller(error: BaseException, client_request: OutgoingRequest | None) -> Reply:
    """Have `error` itself raised at the caller; a client that is not aiohttp gets a reply that reports it."""
    return error_response(error) if client_request is None else FaultReply(error)


def _set_response_class(request: OutgoingRequest, response_class: type[ClientResponse]) -> None:
    """Have the caller get an instance of `response_class`.

    aiohttp made the response when it sent the request, before the callback chose the class: only the `__class__` of the
    response can still be changed.
    """
    client_request = request.client_request
    client_request.response_class = response_class
    # aiohttp 4 has made the attribute private.
    response = getattr(client_request, "response", None) or getattr(client_request, "_response", None)
    if response is not None:
        response.__class__ = response_class
