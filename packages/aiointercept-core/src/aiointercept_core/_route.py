"""Routes, and queues of routes for the same requests."""

from collections.abc import Callable, Sequence
from itertools import filterfalse
from typing import Any, Generic, TypeAlias

from yarl import URL

from ._callback_context import CallbackContext, DirectContext
from ._fault_replies import FaultTemplate
from ._format import shorten
from ._matchers import ExactURL, Matcher, URLPattern
from ._replies import Reply, WebSocket
from ._reply_template import ReplyTemplate
from ._request import RequestT as R

__all__ = ["ANY_METHOD", "Candidate", "Route", "RouteQueue", "user_function"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


ANY_METHOD = "ANY"

# A queue of routes, and the one that answers the next request.
Candidate: TypeAlias = "tuple[RouteQueue, Route[Any]]"


class Route(Generic[R]):
    """A reply and the requests that get it.

    `method` is in upper case, `"ANY"` for any method; `url` is normalised, and `None` for a pattern. `requests` are the
    requests answered so far, in order, `call_count` is their number, and `remaining` the number that will still be
    answered, `None` for no limit. An `optional` route may stay unused under `assert_all_called`.
    """

    def __init__(
        self,
        method: str,
        matcher: Matcher,
        reply: Reply | ReplyTemplate | FaultTemplate,
        *,
        conditions: Sequence[Matcher] = (),
        callback: Callable[..., Any] | None = None,
        callback_arguments: frozenset[str] | None = None,
        context: CallbackContext | None = None,
        repeat: int | None = 1,
        optional: bool = False,
        delay: float = 0.0,
        websocket: bool = False,
    ) -> None:
        self.method = method.upper()
        self.url: URL | None = matcher.url if isinstance(matcher, ExactURL) else None
        self.call_count = 0
        self.remaining = repeat
        self.optional = optional
        self.requests: list[R] = []
        self._matcher = matcher
        self._conditions = tuple(conditions)
        self._reply = reply
        self._delay = delay
        self._is_websocket = websocket or isinstance(reply, WebSocket)
        self._callback = callback
        # The names of the keyword arguments that the callback takes; `None` for all.
        self._callback_arguments = callback_arguments
        self._context = context or DirectContext()
        self._index = 0
        self._limit = repeat
        self._forgotten_calls = 0

    def __repr__(self) -> str:
        remaining = "no limit" if self.remaining is None else f"{self.remaining} remaining"
        return f"<Route {self} call_count={self.call_count} ({remaining})>"

    def __str__(self) -> str:
        conditions = f" with {', '.join(map(str, self._conditions))}" if self._conditions else ""
        return f"{self.method} {self._matcher}{conditions}"

    @property
    def _was_used(self) -> bool:
        """Whether it has answered a request, also before `clear_requests`."""
        return self.call_count + self._forgotten_calls > 0

    def _count_calls(self, number: int) -> None:
        """Count `number` more requests as answered; -1 gives a reply back."""
        self.call_count += number
        if self.remaining is not None:
            self.remaining -= number

    def _forget_calls(self) -> None:
        """Forget the requests and their number; used replies do not come back."""
        self.requests = []
        self._forgotten_calls += self.call_count
        self.call_count = 0


def user_function(route: Route[Any]) -> tuple[str, object]:
    """Return the kind of the user's function that makes the reply of `route`, such as `callback`, and the function."""
    if route._callback is not None:
        return "callback", route._callback
    if isinstance(route._reply, WebSocket):
        return "WebSocket handler", route._reply.handler
    return "body function", getattr(route._reply, "body", None)


class RouteQueue:
    """Routes with the same method, URL matcher and conditions.

    `head_matchers` can be asked when the head of a request has arrived, `body_matchers` look at the body. What the
    method and the URL decide is not among them. `rank` orders the queues that are for one request.
    """

    def __init__(self, route: Route[Any]) -> None:
        self.method, self.matcher, self.conditions = route.method, route._matcher, route._conditions
        self.head_matchers: tuple[Matcher, ...] = tuple(filterfalse(_needs_body, self.conditions))
        self.body_matchers: tuple[Matcher, ...] = tuple(filter(_needs_body, self.conditions))
        # The table of routes looks at exact URLs and at patterns itself.
        if not isinstance(self.matcher, ExactURL | URLPattern):
            self.head_matchers = (self.matcher, *self.head_matchers)
        self.has_matchers = bool(self.head_matchers or self.body_matchers)
        self.any_query = isinstance(self.matcher, ExactURL) and self.matcher.any_query
        self.is_pattern = route.url is None
        self.rank = (self.is_pattern, not (self.conditions or self.any_query), self.method == ANY_METHOD)
        self.routes: list[Route[Any]] = []
        self._unlimited: list[Route[Any]] = []
        self._position = 0

    def matches_url(self, texts: tuple[str, str]) -> bool:
        """Return whether the pattern of the routes matches a URL, given as `url_texts` returns it."""
        return not isinstance(self.matcher, URLPattern) or self.matcher.match_text(texts) is not None

    def has_conditions_of(self, route: Route[Any]) -> bool:
        """Return whether `route`, for the same method and URL, has the conditions of this queue."""
        return self.conditions == route._conditions and self.matcher == route._matcher

    def append(self, route: Route[Any], *, allow_unreachable: bool) -> None:
        """Add `route`, which replaces a last one with `repeat=True`; raise `ValueError` if it would be unreachable."""
        # There are two at most: one for WebSockets, and one for all requests behind it.
        for other in () if allow_unreachable else tuple(self._unlimited):
            if other._is_websocket and not route._is_websocket:
                continue
            if route.remaining is not None or other._is_websocket is not route._is_websocket:
                raise ValueError(
                    f"{shorten(str(other))} already has a reply with repeat=True, so this one would never be used: "
                    "register it before that one"
                )
            self.remove(other)
            other.remaining = 0
        self.routes.append(route)
        if route.remaining is None:
            self._unlimited.append(route)

    def remove(self, route: Route[Any]) -> None:
        """Remove `route`, if it is here."""
        self.routes = [other for other in self.routes if other is not route]
        self._unlimited = [other for other in self._unlimited if other is not route]
        self.rewind()

    def current(self, *, websockets: bool = True) -> Route[Any] | None:
        """Return the first route that is not exhausted; without `websockets`, those for WebSockets are skipped."""
        for position in range(self._position, len(self.routes)):
            route = self.routes[position]
            if route.remaining != 0:
                if websockets or not route._is_websocket:
                    return route
            elif position == self._position:
                # Exhausted routes at the beginning are not looked at again.
                self._position += 1
        return None

    @property
    def has_only_websockets(self) -> bool:
        """Whether the routes that are not exhausted, or all if all are, answer nothing but WebSocket handshakes."""
        left = [route for route in self.routes if route.remaining != 0] or self.routes
        return all(route._is_websocket for route in left)

    def rewind(self) -> None:
        """Look at the first route again, after a reply was released."""
        self._position = 0

    def exhausted_calls(self) -> int | None:
        """Return how many calls the routes were registered for if all are exhausted, otherwise `None`."""
        return sum(route._limit or 0 for route in self.routes) if self.current() is None else None


def _needs_body(matcher: Matcher) -> bool:
    return bool(getattr(matcher, "needs_body", True))
