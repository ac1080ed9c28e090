"""One call by the user, and the attempts made for it.

aiohttp may connect several times within one call: for redirects, for a middleware that tries again, and to resend an
idempotent request by itself after a disconnect. The last is not meant by the user, so that it must not count as a
request; and when the redirection has ended meanwhile, it would reach the real network.

A call takes part as two of aiohttp's own client middlewares, around those of the user: they live in the call, so
that they still do their part when the patches are out.
"""

import asyncio
import socket
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import copy_context
from typing import Any, Protocol

from aiohttp import (
    ClientConnectionError,
    ClientHandlerType,
    ClientMiddlewareType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ServerDisconnectedError,
    TCPConnector,
)
from yarl import URL

from ._active import ActiveRedirection, locate
from ._location import Address

__all__ = ["Attempt", "Call", "Way"]

_SCHEMES = {"ws": "http", "wss": "https"}

# What aiohttp answers by sending an idempotent request once more.
_DISCONNECTS = (ServerDisconnectedError, ClientOSError)


class Way(Protocol):
    """What stays in place while attempts are on their way to it: those in `departed`, by what is sent.

    `redirections` are the active ones: another tuple whenever one begins or ends.
    """

    redirections: tuple[ActiveRedirection, ...]
    departed: "dict[ClientRequest, Attempt]"

    def arrive(self, request: ClientRequest) -> "Attempt | None":
        """Note that the attempt to send `request` is there, or never will be; return it if it was on its way."""


class Call:
    """What one `session.get(...)` of the user does, from when it is written until it has a response.

    `session`, `args` and `options` are what was called: `session._request(*args, **options)`. Its attempts go by `way`.
    """

    __slots__ = ("_alone", "_error", "_failure", "_way", "args", "attempted", "options", "redirections", "session")

    def __init__(
        self,
        way: Way | None = None,
        redirections: tuple[ActiveRedirection, ...] = (),
        session: ClientSession | None = None,
        args: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._way = way
        self._alone = True
        self.redirections = redirections
        self.session = session
        self.args = args
        self.options: Mapping[str, Any] = options or {}
        self.attempted = False
        self._failure: BaseException | None = None
        self._error: BaseException | None = None

    def middlewares(self, users: Sequence[ClientMiddlewareType]) -> tuple[ClientMiddlewareType, ...]:
        """Return the middlewares that the call is made with, around those of the user."""
        if not users:
            return (self._innermost,)
        self._alone = False
        return (self._outermost, *users, self._innermost)

    async def _outermost(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Let the user's middlewares try, as a middleware before them; refuse what aiohttp resends by itself."""
        # For pytest: the traceback of a miss ends at a line of the user's or of aiohttp's.
        __tracebackhide__ = True
        if self._error is not None:
            # It comes here again after an error only to resend.
            raise self._error
        try:
            return await handler(request)
        except _DISCONNECTS as exc:
            # Other disconnects, by servers that nobody knows the will of, are resent as ever.
            if self._failure is not None:
                self._error = exc
            raise

    async def _innermost(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Make one attempt, as a middleware after the user's; in place of a disconnect raise what is known of it.

        Where the user has none it does the part of the outermost as well.
        """
        __tracebackhide__ = True
        if self._error is not None:
            raise self._error
        way = self._way
        assert way is not None
        self._failure = None
        attempt = Attempt(self, request)
        # Another thread may end the last redirection at any moment, and a connector of the user's may wait first.
        way.departed[request] = attempt
        try:
            if self.redirections is not way.redirections:
                self.refuse_after_end(attempt)
            return await handler(request)
        except BaseException as exc:
            failure = self._failure = attempt.failure
            if failure is None or not isinstance(exc, _DISCONNECTS):
                raise
        finally:
            if request in way.departed:
                way.arrive(request)
        if self._alone and isinstance(failure, _DISCONNECTS):
            self._error = failure
        # Out here, so that the disconnect that only carried it does not show as its context.
        raise failure

    def refuse_after_end(self, attempt: "Attempt") -> None:
        """Raise `aiohttp.ClientConnectionError` where the redirection that would have known the origin has ended.

        Whoever made the call had that redirection in mind, so that the real network is no place to go now.
        """
        if all(redirection.end_reason is None for redirection in self.redirections):
            return
        redirection, location = locate(self.redirections, attempt)
        if redirection is not None and redirection.end_reason is not None and isinstance(location, Address):
            raise ClientConnectionError(redirection.end_reason)

    async def finish(self, response: Coroutine[Any, Any, ClientResponse]) -> ClientResponse:
        """Return what `response` returns; raise a plain `OSError` as it is, not the `ClientOSError` made of it."""
        try:
            return await response
        except ClientOSError as exc:
            if self._failure is None or exc.__cause__ is not self._failure:
                raise
        raise self._failure


class Attempt:
    """One request that a client sends within a call: an `OutgoingRequest`, and whoever serves it may look at it later.

    `first` tells the request that the user made from those that follow within the call. `loop` and `context` are the
    client's. `family`, `connector` and `timeout` are what it is sent with, known as soon as it has come to a connector.
    `memo` is for whoever said where it goes, and serves it.
    """

    __slots__ = (
        "_error",
        "call",
        "connector",
        "context",
        "family",
        "first",
        "headers",
        "loop",
        "memo",
        "method",
        "redirection",
        "request",
        "timeout",
        "url",
    )

    def __init__(self, call: Call, request: ClientRequest) -> None:
        self.call = call
        self.first = not call.attempted
        call.attempted = True
        self.request = request
        self.method = request.method
        self.url = _asked_url(request.url)
        self.headers = request.headers
        self.family: int = socket.AF_UNSPEC
        self.loop = asyncio.get_running_loop()
        self.context = copy_context()
        self.memo: Any = None
        self.connector: TCPConnector | None = None
        self.timeout: ClientTimeout | None = None
        self.redirection: ActiveRedirection | None = None
        self._error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Have the caller get `error` for the disconnect that follows. May be called from any thread."""
        self._error = error

    @property
    def failure(self) -> BaseException | None:
        """What the caller is to get for a disconnect, `None` where nobody knows better than aiohttp."""
        if self._error is not None or self.redirection is None:
            return self._error
        return self.redirection.end_error()

    @property
    def attempt(self) -> "Attempt":
        """This one."""
        return self


def _asked_url(url: URL) -> URL:
    # aiohttp has dropped the fragment. Mostly there is nothing else to drop, and the same object is found at once in
    # the memos of those who are told it.
    if "@" in url.raw_authority:
        url = url.with_user(None)
    return url.with_scheme(_SCHEMES[url.scheme]) if url.scheme in _SCHEMES else url
