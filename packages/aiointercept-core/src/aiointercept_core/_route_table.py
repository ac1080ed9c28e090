"""The routes of a registry: in which order they are asked about a request, and which resemble it."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, TypeAlias

from yarl import URL

from ._matchers import Matcher, URLPattern, url_texts
from ._route import ANY_METHOD, Candidate, Route, RouteQueue
from ._similarity import SimilarityIndex, pattern_key
from ._urls import Key, Origin, origin_of

__all__ = ["RouteTable"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_QueueKey: TypeAlias = tuple[str, URL | Matcher]


class RouteTable:
    """Routes by method and URL; the caller holds the lock of the registry.

    A route for an exact URL is asked before one for a pattern, unless `exact_urls_first` is false; then one with
    conditions before one without, one for the method before one for any method, and one that was registered earlier.
    """

    def __init__(self, *, exact_urls_first: bool, allow_unreachable: bool) -> None:
        self._exact_urls_first = exact_urls_first
        self._allow_unreachable = allow_unreachable
        self._queues: dict[_QueueKey, list[RouteQueue]] = {}
        self.patterns: tuple[RouteQueue, ...] = ()
        self._any_query = self._any_method = False
        self.has_websockets = False
        self._count = 0
        self.origins: set[Origin] = set()
        # The keys of the queues by what they resemble.
        self._urls: SimilarityIndex[_QueueKey] = SimilarityIndex()
        self._pattern_texts: SimilarityIndex[_QueueKey] = SimilarityIndex(by_words=True)

    @property
    def routes(self) -> list[Route[Any]]:
        """All routes, exhausted ones included, in the order of registration."""
        queues = chain.from_iterable(self._queues.values())
        return sorted((route for queue in queues for route in queue.routes), key=lambda route: route._index)

    def insert(self, route: Route[Any]) -> None:
        """Add `route`; raise `ValueError` if it would never be used."""
        key = _queue_key(route)
        queues = self._queues.get(key, [])
        queue = next((queue for queue in queues if queue.has_conditions_of(route)), None)
        self._count += 1
        route._index = self._count
        self.has_websockets = self.has_websockets or route._is_websocket
        if queue is not None:
            queue.append(route, allow_unreachable=self._allow_unreachable)
            return
        # A process may be forked between any two lines: a queue in the table is never empty.
        queue = RouteQueue(route)
        queue.append(route, allow_unreachable=True)
        queues.append(queue)
        self._any_query = self._any_query or queue.any_query
        self._any_method = self._any_method or queue.method == ANY_METHOD
        if route.url is None:
            self.patterns = (*self.patterns, queue)
        if len(queues) == 1:
            self._queues[key] = queues
            if route.url is not None:
                self.origins.add(origin_of(route.url))
                self._urls.add((route.method, route.url), key)
            elif isinstance(route._matcher, URLPattern):
                self._pattern_texts.add(pattern_key(route.method, route._matcher.pattern.pattern), key)

    def remove(self, route: Route[Any]) -> bool:
        """Take `route` out and return whether it was there; its origin stays known."""
        key = _queue_key(route)
        queues = self._queues.get(key, [])
        queue = next((queue for queue in queues if route in queue.routes), None)
        if queue is None:
            return False
        queue.remove(route)
        queues[:] = [queue for queue in queues if queue.routes]
        self.patterns = tuple(queue for queue in self.patterns if queue.routes)
        if not queues:
            del self._queues[key]
            self._urls.remove(key)
            self._pattern_texts.remove(key)
        return True

    def rewind(self, route: Route[Any]) -> None:
        """Ask the routes like `route` from the first one on, because it has a reply again."""
        for queue in self._queues.get(_queue_key(route), ()):
            queue.rewind()

    def candidates(self, key: Key, url: URL, *, websockets: bool = True) -> list[Candidate]:
        """Return the queues for `key` and for patterns that match `url`, as it was sent, in order of use.

        Exhausted ones are left out. With each comes its current route. Without `websockets`, routes for WebSockets are
        skipped.
        """
        found = [
            (queue, route)
            for queue in self.queues(key, url)
            if (route := queue.current(websockets=websockets)) is not None
        ]
        if len(found) > 1:
            found.sort(key=self._order)
        return found

    def queues(self, key: Key, url: URL) -> list[RouteQueue]:
        """Return the queues for `key` and for patterns that match `url`, as it was sent, exhausted ones included."""
        method, normalized = key
        queues = self._queues.get(key, [])[:]
        if self._any_method:
            queues += self._queues.get((ANY_METHOD, normalized), ())
        if self._any_query and normalized.raw_query_string:
            bare = normalized.with_query(None)
            near = chain(self._queues.get((method, bare), ()), self._queues.get((ANY_METHOD, bare), ()))
            queues += [queue for queue in near if queue.any_query]
        if self.patterns:
            texts = url_texts(url)
            queues += [
                queue for queue in self.patterns if queue.method in (method, ANY_METHOD) and queue.matches_url(texts)
            ]
        return queues

    def near(self, key: Key, count: int) -> Iterator[RouteQueue]:
        """Yield queues for the `count` URLs that resemble `key` most."""
        return chain.from_iterable(self._queues[other] for other in self._urls.nearest(key, count))

    def near_patterns(self, key: Key, count: int) -> Iterator[RouteQueue]:
        """Yield queues for the `count` patterns that resemble `key` most."""
        return chain.from_iterable(self._queues[other] for other in self._pattern_texts.nearest(key, count))

    def _order(self, candidate: Candidate) -> tuple[Any, ...]:
        queue, route = candidate
        return (queue.rank, route._index) if self._exact_urls_first else (route._index,)


def _queue_key(route: Route[Any]) -> _QueueKey:
    """Return what routes for the same requests have in common, apart from their conditions."""
    return route.method, route._matcher if route.url is None else route.url
