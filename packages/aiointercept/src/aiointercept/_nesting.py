"""Nested mocks: which of several running mocks answers a request."""

import functools
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from aiointercept_core import Matching, Registry, Route
from aiointercept_dns import OutgoingRequest
from aiointercept_server import AiointerceptRequest

from ._policies import Destination, RoutingPolicy

__all__ = ["NestedSearch"]


class Answering(Protocol):
    """A running mock, as far as the search needs it."""

    @property
    def registry(self) -> Registry[AiointerceptRequest]: ...
    @property
    def routing(self) -> RoutingPolicy: ...
    @property
    def is_redirecting(self) -> bool: ...


M = TypeVar("M", bound=Answering)


class NestedSearch(Generic[M]):
    """The search for the mock that answers one request: `innermost`, or one of the `outer` mocks around it.

    Each condition of a route is evaluated once, however often the search is asked.
    """

    def __init__(
        self, innermost: M, outer: Iterable[M], request: AiointerceptRequest, client_request: OutgoingRequest
    ) -> None:
        self._mocks = [innermost, *_knowing_origin(outer, client_request)]
        self._request = request
        self._client_request = client_request

    @functools.cached_property
    def _searches(self) -> list[tuple[M, Matching[AiointerceptRequest]]]:
        return [(mock, mock.registry.matching(self._request)) for mock in self._mocks]

    def may_answer(self) -> bool:
        """Return whether a mock may answer the request, of which only the head has arrived."""
        return any(mock.registry.matches_head(matching) for mock, matching in self._searches)

    def answering_mock(self) -> tuple[M, AiointerceptRequest | Matching[AiointerceptRequest], Route | None]:
        """Return the innermost mock with a reply left, or else the innermost one, which reports the request.

        The second item is for `match` of its registry, the third is the route whose reply was consumed, if any.
        """
        innermost = self._mocks[0]
        route = innermost.routing.reserve(self._client_request)
        if len(self._mocks) == 1:
            return innermost, self._request, route
        search = self._searches[0][1]
        if route is not None:
            return innermost, search, route
        for mock, matching in self._searches:
            route = mock.routing.reserve(self._client_request) or mock.registry.reserve(matching)
            if route is not None:
                return mock, matching, route
        return innermost, search, None

    def explain_outer(self) -> str:
        """Return what the mocks around the innermost one say of an unmatched request, as the end of a sentence."""
        if len(self._mocks) == 1:
            return ""
        return "".join(
            f"; in the mock around it: {mock.registry.explain(matching)}" for mock, matching in self._searches[1:]
        )


def _knowing_origin(mocks: Iterable[M], client_request: OutgoingRequest) -> Iterator[M]:
    """Yield those of `mocks`, innermost first, that know the origin of a request; none behind the real network."""
    for mock in mocks:
        destination = mock.routing.destination(client_request) if mock.is_redirecting else None
        if destination is Destination.REAL_NETWORK:
            return
        if destination is Destination.MOCK:
            yield mock
