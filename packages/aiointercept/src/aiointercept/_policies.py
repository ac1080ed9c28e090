"""What differs between kinds of mocks: the requests that a mock takes, and how replies and errors reach the caller.

`RunningMock` asks these policies; the defaults here are those of `aiointercept`, others are in `compat`.
"""

import enum
import logging
from collections.abc import Awaitable, Sequence
from typing import Protocol

from aiohttp import ServerDisconnectedError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import (
    CloseConnection,
    Record,
    Registry,
    Reply,
    Request,
    Response,
    Route,
    error_response,
    format_error,
)
from aiointercept_core._user_code import describe_error_of, has_user_frames, hide_own_frames, raised_by
from aiointercept_dns import OutgoingRequest, Passthrough, is_ip_address, is_loopback
from aiointercept_server import AiointerceptRequest

__all__ = [
    "DefaultReplies",
    "DefaultRouting",
    "Destination",
    "ReplyPolicy",
    "RoutingPolicy",
    "check_unmatched_status",
    "keep_condition_error",
    "keep_error",
    "note_errors",
]

logger = logging.getLogger("aiointercept")


class Destination(enum.Enum):
    """Where an outgoing request is sent."""

    MOCK = "this mock"
    MOCK_AS_FALLBACK = "this mock, unless another mock knows the origin"
    REAL_NETWORK = "the real network"
    UNDECIDED = "where another mock decides, or else the real network"


class RoutingPolicy(Protocol):
    """Which requests a mock takes, and when the route that answers them is chosen.

    All methods are called on the client's event loop or on the server's thread, so they must not wait.
    """

    def destination(self, request: OutgoingRequest) -> Destination:
        """Return where `request` is sent, also where an inner mock has received it. Nothing is consumed or recorded."""

    def reserve(self, client_request: OutgoingRequest | None) -> Route | None:
        """Return the route that is reserved for a request, the same one each time; `None` to choose one on arrival."""

    def record(self, client_request: OutgoingRequest | None, request: AiointerceptRequest | None = None) -> None:
        """Record the call behind a request that this mock answers, reports as unmatched or lets out.

        `request` is what the server has received of it, `None` before that.
        """


class ReplyPolicy(Protocol):
    """How replies and errors reach the caller."""

    def reply(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Awaitable[Reply]:
        """Return the reply of the record's route; raises what the user's functions raise."""

    def reply_to_error(
        self, error: BaseException, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None
    ) -> Reply:
        """Return the reply to a recorded request for which a user's function raised `error`."""

    def reply_to_unmatched(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Reply:
        """Return the reply to an unmatched request, and choose the exception that its caller gets, if any."""


class DefaultRouting:
    """Take requests for registered origins, and choose the route of a request when its body has arrived."""

    def __init__(
        self, registry: Registry[AiointerceptRequest], passthrough: Passthrough, *, mock_ip_addresses: bool
    ) -> None:
        self._registry = registry
        self._passthrough = passthrough
        self._mock_ip_addresses = mock_ip_addresses
        self._told: set[URL] = set()

    def destination(self, request: OutgoingRequest) -> Destination:
        """Return where `request` is sent."""
        url = request.url
        host = url.raw_host or ""
        is_ip = is_ip_address(host)
        if is_ip and not self._mock_ip_addresses:
            self._tell_of_pattern(url)
            return Destination.UNDECIDED
        if self._passthrough.matches(url):
            return Destination.REAL_NETWORK
        if self._registry.covers_origin(url):
            return Destination.MOCK
        # A pattern that is meant for other hosts must not take the requests for the test's own local server.
        if is_loopback(host):
            self._tell_of_pattern(url)
            return Destination.UNDECIDED
        if self._registry.covers(url):
            return Destination.MOCK
        return Destination.UNDECIDED if is_ip else Destination.MOCK_AS_FALLBACK

    def _tell_of_pattern(self, url: URL) -> None:
        """Log, once for each URL, that a pattern matches a request which is not redirected."""
        if url not in self._told and not self._registry.covers_origin(url) and self._registry.covers(url):
            self._told.add(url)
            logger.warning(
                "the request for %s is not redirected, although a pattern matches its URL: loopback and bare IP "
                "addresses are redirected only where a URL of the same origin is registered exactly, IP addresses "
                "only with mock_ip_addresses=True",
                url,
            )

    def reserve(self, client_request: OutgoingRequest | None) -> Route | None:
        """Return `None`: no route is reserved."""
        return None

    def record(self, client_request: OutgoingRequest | None, request: AiointerceptRequest | None = None) -> None:
        """Do nothing: requests are recorded, calls are not."""


class DefaultReplies:
    """Reply with status 500 to an error in a user's function, and keep the error for the end of the block."""

    def __init__(
        self,
        registry: Registry[AiointerceptRequest],
        errors: list[BaseException],
        *,
        unmatched_status: int | None = None,
    ) -> None:
        self._registry = registry
        self._errors = errors
        self._unmatched_status = unmatched_status

    def reply(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Awaitable[Reply]:
        """Return the reply of the record's route."""
        return self._registry.reply(record)

    def reply_to_error(
        self, error: BaseException, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None
    ) -> Reply:
        """Keep and log `error`, and return a reply that reports it."""
        return error_response(error, keep_error(self._errors, error, record))

    def reply_to_unmatched(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Reply:
        """Close the connection, or return a reply with `unmatched_status`; either tells the explanation."""
        if self._unmatched_status is not None:
            headers = CIMultiDict({"Content-Type": "text/plain; charset=utf-8"})
            body = f"{record.explanation}\n".encode("utf-8", "backslashreplace")
            return Response(self._unmatched_status, None, CIMultiDictProxy(headers), body)
        if client_request is not None:
            client_request.set_exception(ServerDisconnectedError(record.explanation))
        return CloseConnection(record.explanation)


def keep_error(errors: list[BaseException], error: BaseException, record: Record[AiointerceptRequest]) -> str:
    """Keep the error of the function that makes the reply to a request; log and return a sentence about it."""
    kind, function = ("function", None) if record.route is None else record.route._user_function
    return _keep(errors, error, record.request, *raised_by(error, kind, function))


def keep_condition_error(errors: list[BaseException], error: BaseException, request: Request) -> None:
    """Keep and log the error of a user's function that is a condition of a route."""
    _keep(errors, error, request, *raised_by(error, "condition"))


def _keep(errors: list[BaseException], error: BaseException, request: Request, who: str, where: str) -> str:
    sentence = describe_error_of(error, who)
    is_raised = has_user_frames(error)
    sent = f"{request.method} {request.url}"
    note = f"{who} raised this for {sent}" if is_raised else f"{who} ({where}) failed for {sent}"
    # The same exception may be raised again and again.
    if who and note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    if not is_raised and isinstance(error, TypeError | ValueError | RuntimeError):
        # It tells what is wrong with the user's function: where our code found out says nothing.
        error.__traceback__ = None
        if not isinstance(error, RuntimeError):
            error.__cause__ = None
    errors.append(hide_own_frames(error))
    logger.error("%s for %s%s", sentence, sent, where and f" ({where})")
    return sentence


def note_errors(exc: BaseException, errors: Sequence[BaseException]) -> None:
    """Tell errors of users' functions in notes on `exc`, with which the block or the test ends."""
    for error in errors:
        if has_user_frames(error):
            exc.add_note(f"before this, a function of yours failed:\n{format_error(error)}")
            continue
        if str(error) not in str(exc):
            exc.add_note(f"before this: {error}")
        for note in getattr(error, "__notes__", ()):
            exc.add_note(note)


def check_unmatched_status(status: object) -> int | None:
    """Return `status`, `None` for `False`; raise `ValueError` for what is no status of a response with a body."""
    if status is None or status is False:
        return None
    if isinstance(status, int) and status in range(200, 600) and status not in (204, 304):
        return status
    raise ValueError(
        f"unmatched_status must be a status from 200 to 599 that allows a body, got {status!r}; for example 501"
    )
