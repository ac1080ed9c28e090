"""What differs between kinds of mocks: the requests that a mock takes, and how replies and errors reach the caller.

`RunningMock` asks these policies; the defaults here are those of `aiointercept`, others are in `compat`.
"""

import enum
import logging
from collections.abc import Awaitable
from typing import Protocol

from aiohttp import ServerDisconnectedError

from aiointercept_core import Record, Registry, Reply, Route, error_response, format_error
from aiointercept_dns import OutgoingRequest, Passthrough, is_ip_address, is_loopback
from aiointercept_server import AiointerceptRequest

__all__ = ["DefaultReplies", "DefaultRouting", "Destination", "ReplyPolicy", "RoutingPolicy"]

logger = logging.getLogger("aiointercept")


class Destination(enum.Enum):
    """Where an outgoing request is sent."""

    MOCK = "this mock"
    MOCK_AS_FALLBACK = "this mock, unless another mock knows the origin"
    REAL_NETWORK = "the real network"
    UNDECIDED = "where another mock decides, or else the real network"


class RoutingPolicy(Protocol):
    """Which requests a mock takes, and when the route that answers them is chosen."""

    def destination(self, request: OutgoingRequest) -> Destination:
        """Return where `request` is sent; called on the client's event loop, so it must not wait."""

    def reserved_route(self, request: AiointerceptRequest, client_request: OutgoingRequest | None) -> Route | None:
        """Return the route that was reserved for a received `request` when it was sent; `None` to choose one now."""


class ReplyPolicy(Protocol):
    """How replies and errors reach the caller."""

    def reply(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Awaitable[Reply]:
        """Return the reply of the record's route; raises what the user's functions raise."""

    def reply_to_error(
        self, error: BaseException, request: AiointerceptRequest, client_request: OutgoingRequest | None
    ) -> Reply:
        """Return the reply to a `request` for which a user's function raised `error`."""

    def unmatched_error(self, record: Record[AiointerceptRequest]) -> Exception:
        """Return the exception that the caller of an unmatched request gets."""


class DefaultRouting:
    """Take requests for registered origins, and choose the route of a request when its body has arrived."""

    def __init__(
        self, registry: Registry[AiointerceptRequest], passthrough: Passthrough, *, mock_ip_addresses: bool
    ) -> None:
        self._registry = registry
        self._passthrough = passthrough
        self._mock_ip_addresses = mock_ip_addresses

    def destination(self, request: OutgoingRequest) -> Destination:
        """Return where `request` is sent."""
        url = request.url
        host = url.raw_host or ""
        is_ip = is_ip_address(host)
        if is_ip and not self._mock_ip_addresses:
            return Destination.UNDECIDED
        if self._passthrough.matches(url):
            return Destination.REAL_NETWORK
        if self._registry.covers_origin(url):
            return Destination.MOCK
        # A pattern that is meant for other hosts must not take the requests for the test's own local server.
        if is_loopback(host):
            return Destination.UNDECIDED
        if self._registry.covers(url):
            return Destination.MOCK
        return Destination.UNDECIDED if is_ip else Destination.MOCK_AS_FALLBACK

    def reserved_route(self, request: AiointerceptRequest, client_request: OutgoingRequest | None) -> Route | None:
        """Return `None`: no route is reserved."""
        return None


class DefaultReplies:
    """Reply with status 500 to an error in a user's function, and keep the error for the end of the block."""

    def __init__(self, registry: Registry[AiointerceptRequest], errors: list[BaseException]) -> None:
        self._registry = registry
        self._errors = errors

    def reply(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Awaitable[Reply]:
        """Return the reply of the record's route."""
        return self._registry.reply(record)

    def reply_to_error(
        self, error: BaseException, request: AiointerceptRequest, client_request: OutgoingRequest | None
    ) -> Reply:
        """Keep and log `error`, and return a reply that reports it."""
        self._errors.append(error)
        logger.error("answering %s %s failed:\n%s", request.method, request.url, format_error(error))
        return error_response(error)

    def unmatched_error(self, record: Record[AiointerceptRequest]) -> Exception:
        """Return a `ServerDisconnectedError` with the explanation."""
        return ServerDisconnectedError(record.explanation)
