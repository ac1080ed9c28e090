"""The explanation of a miss: what came, the nearest registrations, and what differed.

The cost of one is bounded, however much is registered: candidates come from indexes and are capped.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain, islice

from yarl import URL

from ._mock_response import MockResponse
from ._nearness import Key, describe_key, difference, nearest, shorten
from ._url import Origin, origin_of

__all__ = ["RegistrationIndex"]

_CANDIDATES = 20
_NAMED = 3
_PATTERNS_NAMED = 2


class RegistrationIndex:
    """What is registered, indexed by how a near miss would look for it."""

    def __init__(self) -> None:
        self._keys: dict[Key, None] = {}
        self._by_url: defaultdict[URL, dict[Key, None]] = defaultdict(dict)
        self._by_path: defaultdict[tuple[Origin, str], dict[Key, None]] = defaultdict(dict)
        self._by_origin: defaultdict[Origin, dict[Key, None]] = defaultdict(dict)
        self._by_target: defaultdict[tuple[str | None, str], dict[Key, None]] = defaultdict(dict)

    def add(self, key: Key) -> None:
        """Index one exact registration."""
        url = key[1]
        for index in (
            self._keys,
            self._by_url[url],
            self._by_path[origin_of(url), url.raw_path],
            self._by_origin[origin_of(url)],
            self._by_target[url.host, url.raw_path],
        ):
            index[key] = None

    def has_origin(self, origin: Origin) -> bool:
        """Tell whether some exact URL of `origin` was registered, used up or not."""
        return origin in self._by_origin

    def explain(
        self,
        asked: Key,
        registered: Callable[[Key], list[MockResponse]],
        used_up_patterns: Iterable[MockResponse],
        patterns: Iterable[MockResponse],
    ) -> str:
        """Say why nothing answered `asked`: one line.

        `registered` gives the registrations of a key, `used_up_patterns` those patterns that match but are used
        up, `patterns` some that do not match.
        """
        head = f"nothing registered matches {describe_key(asked)}"
        reasons = [f"{_used_up([response])} for {response.matcher}" for response in islice(used_up_patterns, _NAMED)]
        if responses := registered(asked):
            reasons.insert(0, f"registered, but {_used_up(responses)}")
        if not reasons:
            reasons = [
                f"{describe_key(key)} (differs in {difference(asked, key)}"
                + (f"; {_used_up(registered(key))}" if _exhausted(registered(key)) else "")
                + ")"
                for key in nearest(asked, self._candidates(asked), _NAMED)
            ]
            reasons += [f"{shorten(str(response))} (no match)" for response in islice(patterns, _PATTERNS_NAMED)]
            if not reasons:
                return f"{head}: nothing is registered"
            return f"{head}; nearest: {'; '.join(reasons)}"
        return f"{head}: {'; '.join(reasons)}"

    def _candidates(self, asked: Key) -> Iterable[Key]:
        url = asked[1]
        near = chain.from_iterable(
            islice(reversed(index), _CANDIDATES)
            for index in (
                self._by_url.get(url, {}),
                self._by_path.get((origin_of(url), url.raw_path), {}),
                self._by_target.get((url.host, url.raw_path), {}),
                self._by_origin.get(origin_of(url), {}),
                self._keys,
            )
        )
        return list(islice(dict.fromkeys(near), _CANDIDATES))


def _exhausted(responses: list[MockResponse]) -> bool:
    return all(response.remaining == 0 for response in responses)


def _used_up(responses: list[MockResponse]) -> str:
    calls = sum(response.call_count for response in responses)
    return f"used up after {calls} call{'' if calls == 1 else 's'}"
