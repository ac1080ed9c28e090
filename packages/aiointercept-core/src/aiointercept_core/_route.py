"""Routes, and queues of routes for the same requests."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from yarl import URL

from ._format import shorten
from ._matchers import Difference, ExactURL, Matcher
from ._replies import CallbackContext, DirectContext, Reply
from ._reply_template import ReplyTemplate
from ._request import Request

__all__ = ["Route", "RouteQueue"]


class Route:
    """A reply and the requests that get it.

    `method` is in upper case; `url` is normalised, and `None` for a pattern. `call_count` is the number of requests
    answered so far, `remaining` the number that will still be answered, `None` for no limit. An `optional` route may
    stay unused under `assert_all_called`.
    """

    def __init__(
        self,
        method: str,
        matcher: Matcher,
        reply: Reply | ReplyTemplate,
        *,
        conditions: Sequence[Matcher] = (),
        callback: Callable[..., Any] | None = None,
        context: CallbackContext | None = None,
        repeat: int | None = 1,
        optional: bool = False,
    ) -> None:
        self.method = method.upper()
        self.call_count = 0
        self.remaining = repeat
        self.optional = optional
        self._matcher = matcher
        self._conditions = tuple(conditions)
        self._reply = reply
        self._callback = callback
        self._context = context or DirectContext()
        self._index = 0

    def __repr__(self) -> str:
        remaining = "no limit" if self.remaining is None else f"{self.remaining} remaining"
        return f"<Route {self} call_count={self.call_count} ({remaining})>"

    def __str__(self) -> str:
        conditions = f" with {', '.join(map(str, self._conditions))}" if self._conditions else ""
        return f"{self.method} {self._matcher}{conditions}"

    @property
    def url(self) -> URL | None:
        """The URL that the route was registered for, normalised; `None` for a pattern."""
        return self._matcher.url if isinstance(self._matcher, ExactURL) else None

    def _differences(self, request: Request) -> Iterator[Difference]:
        """Yield what differs between the requests that are matched and `request`."""
        if request.method.upper() != self.method:
            yield Difference("method")
        for matcher in (self._matcher, *self._conditions):
            yield from matcher.differences(request)

    def _count_calls(self, number: int) -> None:
        """Count `number` more requests as answered; -1 gives a reply back."""
        self.call_count += number
        if self.remaining is not None:
            self.remaining -= number


class RouteQueue:
    """Routes with the same method and matchers; `matchers` are those that the method and URL do not decide."""

    def __init__(self, matchers: tuple[Matcher, ...], *, conditional: bool) -> None:
        self.matchers = matchers
        self.conditional = conditional
        self.routes: list[Route] = []
        self._position = 0
        self._exhausted_calls = 0

    def append(self, route: Route, *, allow_unreachable: bool) -> None:
        """Add `route`, which replaces a last one with `repeat=True`; raise `ValueError` if it would be unreachable."""
        last = self.routes[-1] if self.routes else None
        if last is not None and last.remaining is None and not allow_unreachable:
            if route.remaining is not None:
                raise ValueError(
                    f"{shorten(str(last))} already has a reply with repeat=True, so this one would never be used: "
                    "register it before that one"
                )
            self.routes.pop()
        self.routes.append(route)

    def current(self) -> Route | None:
        """Return the first route that is not exhausted."""
        routes = self.routes
        while self._position < len(routes):
            route = routes[self._position]
            if route.remaining != 0:
                return route
            self._exhausted_calls += route.call_count
            self._position += 1
        return None

    def rewind(self) -> None:
        """Look at the first route again, after a reply was released."""
        self._position = self._exhausted_calls = 0

    def exhausted_calls(self) -> int | None:
        """Return how many calls the routes have answered if all are exhausted, otherwise `None`."""
        return self._exhausted_calls if self.current() is None else None
