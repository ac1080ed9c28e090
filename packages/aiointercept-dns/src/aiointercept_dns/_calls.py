"""One call of a user's session, and the requests that aiohttp sends for it.

aiohttp may send several requests for one call: it follows HTTP redirects, a middleware of the user may send again,
and aiohttp itself retries an idempotent request once after a disconnect. The user knows nothing of such a retry: it
must not count as a request, and it must not reach the real network when the redirection has ended.

A call adds two client middlewares around those of the user. They belong to the call, so they work even after the
patches are removed.
"""

import weakref
from collections.abc import Coroutine, Mapping, Sequence
from types import CoroutineType
from typing import Any, Protocol

from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ServerDisconnectedError,
)

from ._active import Redirections
from ._outgoing import OutgoingRequest

__all__ = ["Call", "InFlight"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

# The errors after which aiohttp retries an idempotent request.
_DISCONNECTS = (ServerDisconnectedError, ClientOSError)


class InFlight(Protocol):
    """The requests between `ClientSession._request` and `TCPConnector.connect`: they keep the patches installed."""

    def add(self, request: OutgoingRequest, redirections: Redirections) -> None:
        """Add `request`, of a call that was made under `redirections`; raises if it must not be sent."""

    def pop(self, client_request: ClientRequest) -> object:
        """Remove the request, if it is there."""


class Call:
    """One `session._request(*args, **options)` of the user, made under `redirections`, until it returns a response."""

    def __init__(
        self,
        in_flight: InFlight,
        redirections: Redirections,
        session: ClientSession,
        args: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> None:
        self._in_flight = in_flight
        self._redirections = redirections
        self._session: ClientSession | None = session
        self._args = args
        self._options = options
        self._is_initial = True
        # The known cause of the last disconnect, and the error that a retry raises.
        self._cause: BaseException | None = None
        self._final_error: BaseException | None = None
        self._response: object = None

    def middlewares(self, users: Sequence[ClientMiddlewareType]) -> tuple[ClientMiddlewareType, ...]:
        """Return the middlewares to make the call with, around those of the user."""
        return self._suppress_retry, *users, self._send

    def release_with(self, response: object) -> None:
        """Release what was called, and the redirections, as soon as the coroutine `response` is gone."""
        # aiohttp 4 keeps the middlewares of the last 64 calls. Another library may have wrapped the coroutine.
        if isinstance(response, CoroutineType):
            self._response = weakref.ref(response, self._release)

    def _release(self, _: object) -> None:
        self._session = self._response = self._cause = self._final_error = None
        self._redirections = self._args = ()
        self._options = {}

    async def _suppress_retry(self, client_request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Call the user's middlewares, as the first middleware; raise the first error again if aiohttp retries."""
        # For pytest: the traceback of an unmatched request ends at a line of the user or of aiohttp.
        __tracebackhide__ = True
        if self._final_error is not None:
            raise self._final_error
        try:
            return await handler(client_request)
        except _DISCONNECTS as exc:
            # aiohttp retries as usual if the cause of the disconnect is not known.
            if self._cause is not None:
                self._final_error = exc
            raise

    async def _send(self, client_request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send one request, as the last middleware; raise the cause of a disconnect, if it is known, in its place."""
        __tracebackhide__ = True
        self._cause = None
        request = OutgoingRequest(
            client_request, session=self._session, args=self._args, options=self._options, is_initial=self._is_initial
        )
        self._is_initial = False
        try:
            self._in_flight.add(request, self._redirections)
            return await handler(client_request)
        except BaseException as exc:
            cause = self._cause = request.exception
            if cause is None or not isinstance(exc, _DISCONNECTS):
                raise
        finally:
            self._in_flight.pop(client_request)
        # Outside the except block, so that the disconnect does not become its context.
        raise cause

    async def unwrap_os_error(self, response: Coroutine[Any, Any, ClientResponse]) -> ClientResponse:
        """Await `response`; raise a known cause that is an `OSError` itself, not aiohttp's `ClientOSError` for it.

        The traceback of a known cause begins here: how it got through aiohttp's middlewares says nothing.
        """
        try:
            return await response
        except BaseException as exc:
            cause = self._cause
            is_wrapped = isinstance(exc, ClientOSError) and exc.__cause__ is cause
            if cause is None or not (exc is cause or is_wrapped):
                raise
        raise cause.with_traceback(None)
