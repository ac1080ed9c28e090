"""The explanation of an unmatched request: what was requested, the nearest routes, and what differs.

Its cost is bounded, however many routes there are: URLs are indexed by what a similar URL has in common with them, and
only a few of them are compared.
"""

from collections.abc import Hashable, Iterable
from itertools import chain, islice

from ._format import count_of, describe_key, shorten
from ._matchers import Difference, describe_differences
from ._request import Request
from ._route import RouteQueue
from ._similarity import nearest
from ._urls import Key, Origin, origin_of, request_key

__all__ = ["URLIndex", "explain"]

_PER_INDEX_KEY = 5
_PATTERNS = 50
_NAMED = 3
_PATTERNS_NAMED = 2
_DIFFERENCES_NAMED = 6
_DIFFERENCES_LIMIT = 400


class URLIndex:
    """The exact URLs that routes were registered for, exhausted or not, and their `origins`."""

    def __init__(self) -> None:
        self.origins: set[Origin] = set()
        self._keys: dict[Hashable, list[Key]] = {}

    def add(self, key: Key) -> None:
        """Add a key that is not in the index yet."""
        self.origins.add(origin_of(key[1]))
        for index_key in _index_keys(key):
            keys = self._keys.setdefault(index_key, [])
            keys.append(key)
            if len(keys) > 2 * _PER_INDEX_KEY:
                del keys[:_PER_INDEX_KEY]

    def nearest(self, key: Key) -> list[Key]:
        """Return the few keys that are most similar to `key`."""
        found = chain.from_iterable(self._keys.get(index_key, ())[-_PER_INDEX_KEY:] for index_key in _index_keys(key))
        return nearest(key, dict.fromkeys(found), _NAMED)


def explain(
    request: Request, exhausted: Iterable[RouteQueue], near: Iterable[RouteQueue], patterns: Iterable[RouteQueue]
) -> str:
    """Return one line that says why no route answered `request`.

    `exhausted` are the routes that match, `near` those for similar URLs, most similar first, `patterns` all others.
    """
    text = describe_key(request_key(request.method, request.url))
    reasons = [_exhausted(queue, text) for queue in islice(exhausted, _NAMED)]
    if reasons:
        return f"no reply is left for {text}: {'; '.join(reasons)}"

    def distance(queue: RouteQueue) -> tuple[bool, int]:
        differences = _differences(queue, request)
        # Patterns that match the URL come first.
        return differences != [Difference("method")], len(differences)

    nearest_patterns = sorted(islice(patterns, _PATTERNS), key=distance)[:_PATTERNS_NAMED]
    named = [_describe(queue, request) for queue in [*islice(near, _NAMED), *nearest_patterns]]
    return f"no route matches {text}{'; nearest: ' + '; '.join(named) if named else ': no route is registered'}"


def _exhausted(queue: RouteQueue, requested: str) -> str:
    name, calls = shorten(str(queue.routes[-1])), queue.exhausted_calls() or 0
    advice = f"repeat={calls + 1} or repeat=True" if len(queue.routes) == 1 else "repeat=True to the last one"
    return (
        f"{'it' if name == requested else name} was registered for {count_of(calls, 'call')} and answered {calls}; "
        f"register it again, or pass {advice}"
    )


def _describe(queue: RouteQueue, request: Request) -> str:
    calls = queue.exhausted_calls()
    also = "" if calls is None else f"; exhausted after {count_of(calls, 'call')}"
    differences = shorten(describe_differences(_differences(queue, request)), _DIFFERENCES_LIMIT)
    return f"{shorten(str(queue.routes[-1]))} ({differences}{also})"


def _differences(queue: RouteQueue, request: Request) -> list[Difference]:
    return list(islice(queue.routes[-1]._differences(request), _DIFFERENCES_NAMED))


def _index_keys(key: Key) -> tuple[Hashable, ...]:
    """Return what `key` may have in common with a similar key."""
    url = key[1]
    origin, path = origin_of(url), url.raw_path
    folder, _, name = path.rpartition("/")
    return url, (origin, path), path, (origin, folder, ""), (url.raw_host, name), origin, None
