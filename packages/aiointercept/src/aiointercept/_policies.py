"""The policies of a mock: which requests it takes, and how replies and errors reach the caller.

`RunningMock` asks these policies; the defaults here are those of `aiointercept`, others are in `compat`.
"""

import enum
import logging
from collections.abc import Awaitable
from typing import Protocol

from aiohttp import ServerDisconnectedError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import (
    CloseConnection,
    Record,
    Registry,
    Reply,
    Response,
    Route,
    error_response,
)
from aiointercept_dns import OutgoingRequest, Passthrough, is_ip_address, is_loopback
from aiointercept_server import AiointerceptRequest

from ._errors import CallbackErrors

__all__ = [
    "DefaultReplies",
    "DefaultRouting",
    "Destination",
    "ReplyPolicy",
    "RoutingPolicy",
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
        """Record the call behind a request that this mock answers, reports as unmatched or leaves to the real network.

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
        self._logged: set[URL] = set()

    def destination(self, request: OutgoingRequest) -> Destination:
        """Return where `request` is sent."""
        url = request.url
        host = url.raw_host or ""
        is_ip = is_ip_address(host)
        if is_ip and not self._mock_ip_addresses:
            self._log_pattern(url)
            return Destination.UNDECIDED
        if self._passthrough.matches(url):
            return Destination.REAL_NETWORK
        if self._registry.covers_origin(url):
            return Destination.MOCK
        # A pattern that is meant for other hosts must not take the requests for the test's own local server.
        if is_loopback(host):
            self._log_pattern(url)
            return Destination.UNDECIDED
        if self._registry.covers(url):
            return Destination.MOCK
        return Destination.UNDECIDED if is_ip else Destination.MOCK_AS_FALLBACK

    def _log_pattern(self, url: URL) -> None:
        """Log, once for each URL, that a pattern matches a request which is not redirected."""
        if url not in self._logged and not self._registry.covers_origin(url) and self._registry.covers(url):
            self._logged.add(url)
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
        errors: CallbackErrors,
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
        """Keep `error`, and return a reply that reports it."""
        return error_response(error, self._errors.keep(error, record))

    def reply_to_unmatched(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Reply:
        """Close the connection, or return a reply with `unmatched_status`; both have the explanation."""
        if self._unmatched_status is not None:
            headers = CIMultiDict({"Content-Type": "text/plain; charset=utf-8"})
            body = f"{record.explanation}\n".encode("utf-8", "backslashreplace")
            return Response(self._unmatched_status, None, CIMultiDictProxy(headers), body)
        if client_request is not None:
            client_request.set_exception(ServerDisconnectedError(record.explanation))
        return CloseConnection(record.explanation)
