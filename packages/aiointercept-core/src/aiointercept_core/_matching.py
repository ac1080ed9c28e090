"""The search for the route that answers one request.

Conditions are users' code: they are evaluated without the lock of the registry, once for each request and queue of
routes, and the explanation of an unmatched request uses the results again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Generic, TypeVar

from ._comparison import JSON, json_value
from ._conditions import Predicate
from ._format import describe_error
from ._matchers import Difference, Matcher
from ._request import Request
from ._route import ANY_METHOD, Candidate, Route, RouteQueue
from ._urls import request_key

__all__ = ["Matching", "Unknown"]

R = TypeVar("R", bound=Request)


# How many differences an explanation names.
_LISTED = 6

_NO_HANDSHAKE = Difference("", "the request is not a WebSocket handshake")


class Unknown:
    """Stands for a route that is not known until more conditions are evaluated."""


class _Differences:
    """The differences between a request and the routes of a queue, evaluated lazily: the first one decides.

    An exception of a condition is a difference, and `on_error` is called with it.
    """

    def __init__(self, source: Iterator[Iterable[Difference]], on_error: Callable[[BaseException], None]) -> None:
        self._source = source
        self._on_error = on_error
        self._first: Iterable[Difference] | None = None
        self._listed: list[Difference] | None = None

    def __bool__(self) -> bool:
        if self._first is None:
            try:
                self._first = next(self._source, ())
            except BaseException as exc:
                self._first = (self._failure(exc),)
        return bool(self._first)

    def listed(self) -> list[Difference]:
        """Return the first few."""
        if self._listed is None:
            self._listed = []
            first = self._first if self and self._first is not None else ()
            try:
                self._listed.extend(islice(chain(first, chain.from_iterable(self._source)), _LISTED))
            except BaseException as exc:
                self._listed.append(self._failure(exc))
        return self._listed

    def _failure(self, error: BaseException) -> Difference:
        self._on_error(error)
        return Difference("a condition", f"raised {describe_error(error)}")


@dataclass(slots=True)
class _Known:
    """The results for one queue: the differences in the head, in all that decides, and for an explanation."""

    head: _Differences | None = None
    result: _Differences | None = None
    explained: list[Difference] | None = None


class Matching(Generic[R]):
    """A request, and how it differs from the routes that were asked about it.

    `on_error` is called with an exception that a condition has raised; the condition does not hold then.
    """

    # Whether the request can be answered by a route for WebSockets; found out if there are any.
    websockets = True
    # The JSON value in the body once it is parsed, in a tuple because any value is possible.
    _json: tuple[Any, ...] = ()

    def __init__(self, request: R, on_error: Callable[[BaseException, Request], None]) -> None:
        self.request = request
        self.key = request_key(request.method, request.url)
        self._on_error = on_error
        self._known: dict[RouteQueue, _Known] = {}

    def choose(self, candidates: Iterable[Candidate]) -> Route[Any] | Unknown | None:
        """Return the current route of the first queue that matches the request, `Unknown` if it must be evaluated."""
        for queue, route in candidates:
            if queue.has_matchers:
                differences = self._of(queue).result
                if differences is None:
                    return Unknown()
                if differences:
                    continue
            return route
        return None

    def evaluate(self, candidates: Iterable[Candidate]) -> None:
        """Evaluate the conditions of the queues until those of one hold."""
        for queue, _ in candidates:
            if self.matches(queue):
                return

    def matches_head(self, candidates: Iterable[Candidate]) -> bool:
        """Return whether one of the queues matches the head of the request; the body may decide then."""
        return any(not self._head(queue) for queue, _ in candidates)

    def matches(self, queue: RouteQueue) -> bool:
        """Return whether `queue`, for the method and URL of the request, matches it."""
        if self._needs_handshake(queue):
            return False
        known = self._of(queue)
        if known.result is None:
            known.result = self._head(queue)
            # The body may not have arrived yet, so it is looked at only where it decides.
            if queue.body_matchers and not known.result:
                known.result = self._lazily(queue.body_matchers)
        return not known.result

    def differences(self, queue: RouteQueue) -> list[Difference]:
        """Return how the request differs from those that any `queue` matches, method and URL included."""
        known = self._of(queue)
        if known.explained is None:
            head = known.head.listed() if known.head is not None else []
            needs_handshake = self._needs_handshake(queue)
            if needs_handshake or known.result is None:
                found = [_NO_HANDSHAKE] if needs_handshake else []
                if self.request.method.upper() != queue.method != ANY_METHOD:
                    found.append(Difference("method"))
                known.explained = self._lazily((queue.matcher, *queue.conditions), found).listed()
            elif queue.body_matchers and head:
                # The body was not looked at before, because the head differs.
                known.explained = self._lazily(queue.body_matchers, head).listed()
            else:
                known.explained = known.result.listed()
        return known.explained

    def url_differs(self, queue: RouteQueue) -> bool:
        """Return whether the URL of the request is not one that `queue` matches."""
        return any(True for _ in queue.matcher.differences(self.request))

    def _needs_handshake(self, queue: RouteQueue) -> bool:
        return not self.websockets and queue.has_only_websockets

    def _head(self, queue: RouteQueue) -> _Differences:
        known = self._of(queue)
        if known.head is None:
            known.head = self._lazily(queue.head_matchers)
        return known.head

    def _of(self, queue: RouteQueue) -> _Known:
        return self._known.setdefault(queue, _Known())

    def _lazily(self, matchers: Iterable[Matcher], found: Sequence[Difference] = ()) -> _Differences:
        return _Differences(self._differences(matchers, found), self._report)

    def _differences(self, matchers: Iterable[Matcher], found: Sequence[Difference]) -> Iterator[Iterable[Difference]]:
        """Yield the differences of each matcher that has some, after those that were `found`.

        A predicate is not asked when there are some. What a matcher returns is not listed here: its text may take long.
        """
        if found:
            yield found
        differs = bool(found)
        for matcher in matchers:
            if differs and isinstance(matcher, Predicate):
                continue
            differences = self._ask(matcher)
            if isinstance(differences, Iterator):
                first = next(differences, None)
                differences = () if first is None else chain((first,), differences)
            if differences:
                differs = True
                yield differences

    def _ask(self, matcher: Matcher) -> Iterable[Difference]:
        """Return the differences of a matcher; the body is parsed once for all conditions on its JSON value."""
        if not isinstance(matcher, JSON):
            return matcher.differences(self.request)
        if not self._json:
            self._json = (json_value(self.request.body),)
        return matcher.compare(matcher.expected, *self._json)

    def _report(self, error: BaseException) -> None:
        self._on_error(error, self.request)
