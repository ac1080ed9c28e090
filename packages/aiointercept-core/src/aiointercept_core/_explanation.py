"""The explanation of an unmatched request: what was requested, the nearest routes, and what differs.

Its cost is bounded, however many routes there are, because only a few of them are compared.
"""

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

from ._format import count_of, describe_key, shorten
from ._matchers import describe_differences
from ._matching import Matching
from ._route import RouteQueue

__all__ = ["COMPARED", "explain"]

# How many URLs and patterns that resemble the request are compared.
COMPARED = 10

_CANDIDATES = 50
_NAMED = 3
_PATTERNS_NAMED = 2
_DIFFERENCES_LIMIT = 400


def explain(
    matching: Matching[Any],
    queues: Iterable[RouteQueue],
    near: Collection[RouteQueue],
    near_patterns: Collection[RouteQueue],
) -> str:
    """Return one line that says why no route answered a request.

    `queues` are those for the method and URL, patterns that match it included, and exhausted ones too. `near` and
    `near_patterns` are those for similar URLs and similar patterns, most similar first.
    """
    text = describe_key(matching.key)
    for_url = list(islice(queues, _CANDIDATES))
    exhausted = [queue for queue in for_url if queue.current() is None and matching.matches(queue)]
    if exhausted:
        return f"no reply is left for {text}: {'; '.join(_exhausted(queue, text) for queue in exhausted[:_NAMED])}"

    exact = [queue for queue in for_url if not queue.is_pattern]
    exact.sort(key=lambda queue: len(matching.differences(queue)))
    urls = dict.fromkeys([*exact, *near])
    # Patterns that match the URL come first.
    near_first = sorted(near_patterns, key=matching.url_differs)
    patterns = dict.fromkeys([*(queue for queue in for_url if queue.is_pattern), *near_first])
    nearest = [*islice(urls, _NAMED), *islice(patterns, _PATTERNS_NAMED)]
    named = "; ".join(_describe(queue, matching) for queue in nearest)
    return f"no route matches {text}{f'; nearest: {named}' if named else ': no route is registered'}"


def _exhausted(queue: RouteQueue, requested: str) -> str:
    name, calls = shorten(str(queue.routes[-1])), queue.exhausted_calls() or 0
    advice = f"repeat={calls + 1} or repeat=True" if len(queue.routes) == 1 else "repeat=True to the last one"
    return (
        f"{'it' if name == requested else name} was registered for {count_of(calls, 'call')} and answered {calls}; "
        f"register it again, or pass {advice}"
    )


def _describe(queue: RouteQueue, matching: Matching[Any]) -> str:
    calls = queue.exhausted_calls()
    also = "" if calls is None else f"; exhausted after {count_of(calls, 'call')}"
    differences = shorten(describe_differences(matching.differences(queue)), _DIFFERENCES_LIMIT)
    return f"{shorten(f'{queue.method} {queue.matcher}')} ({differences}{also})"
