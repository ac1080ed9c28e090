"""One call by the user, and the connections made for it.

aiohttp may connect several times within one call: for redirects, for a middleware that tries again, and to resend an
idempotent request by itself after a disconnect. Only the last is not meant by the user.
"""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aiohttp import ClientRequest, ClientSession, TCPConnector
from yarl import URL

if TYPE_CHECKING:
    from ._redirection import Redirection

__all__ = ["CURRENT_CALL", "Attempt", "Call"]


class Call:
    """What one `session.get(...)` of the user does, from its start until it has a response.

    `session`, `args` and `options` are what was called: `session._request(*args, **options)`; `loop` is where.
    """

    __slots__ = ("args", "attempt", "connector", "failed_request", "failure", "loop", "options", "session")

    def __init__(
        self, session: ClientSession | None = None, args: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        connector = session.connector if session is not None else None
        self.session = session
        self.args = args
        self.options: Mapping[str, Any] = options or {}
        self.loop = asyncio.get_running_loop()
        self.connector = connector if isinstance(connector, TCPConnector) else None
        self.attempt: Attempt | None = None
        self.failure: BaseException | None = None
        self.failed_request: ClientRequest | None = None

    def failure_of_resend(self, request: ClientRequest) -> BaseException | None:
        """Return what to raise instead of connecting, if `request` is a resend that the user did not ask for.

        aiohttp makes a new request object to resend; a middleware that tries again passes the same one.
        """
        if self.failure is None:
            return None
        if request is self.failed_request:
            self.failure = self.failed_request = None
            return None
        return self.failure


class Attempt:
    """One connection that a client makes for a request; whoever serves it may look at the request as it was made.

    `first` tells the request that the user made from those that follow within the call.
    """

    __slots__ = ("call", "first", "redirection", "request", "url")

    def __init__(self, call: Call, request: ClientRequest, url: URL) -> None:
        self.call = call
        self.first = call.attempt is None
        self.request = request
        self.url = url
        self.redirection: Redirection | None = None

    def fail(self, error: BaseException) -> None:
        """Have the caller get `error` for the disconnect that follows. May be called from any thread."""
        self.call.failed_request = self.request
        self.call.failure = error


CURRENT_CALL: ContextVar[Call | None] = ContextVar("aiointercept_call", default=None)
