"""The explanation of a miss: what came, the nearest registrations, and what differed.

The cost of one is bounded, however much is registered: candidates are filed under the clues by which they would be
looked for, and no more than a few are looked at.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import chain, islice

from ._mock_response import MockResponse
from ._nearness import difference, nearest
from ._url import Key, Origin, origin_of
from ._wording import count_of, describe_key, shorten

__all__ = ["RegistrationIndex"]

_PER_CLUE = 5
_UNFILED = 100
_PATTERNS = 50
_NAMED = 3
_PATTERNS_NAMED = 2


class RegistrationIndex:
    """What is registered for exact URLs, used up or not: their `origins`, and how a near miss would look for them."""

    def __init__(self) -> None:
        self.origins: set[Origin] = set()
        self._filed: dict[Hashable, list[Key]] = {}
        self._unfiled: list[Key] = []

    def add(self, key: Key) -> None:
        """Take in a key that was not there yet."""
        self.origins.add(origin_of(key[1]))
        # To file it takes as long as the rest of registering it, and in most tests nothing is missed.
        self._unfiled.append(key)
        if len(self._unfiled) >= _UNFILED:
            self._file()

    def explain(
        self,
        asked: Key,
        used_up_after: Callable[[Key], int | None],
        used_up_patterns: Iterable[tuple[MockResponse, int]],
        patterns: Iterable[tuple[MockResponse, bool]],
    ) -> str:
        """Say why nothing answered `asked`: one line.

        `used_up_after` tells after how many calls the registrations of a key were used up, `None` where they are
        not; `used_up_patterns` are the patterns that match but are used up, with their calls; `patterns` are all, with
        whether they match the URL.
        """
        head = f"nothing registered matches {describe_key(asked)}"
        spent = []
        if (calls := used_up_after(asked)) is not None:
            spent.append(f"registered, but {_used_up(calls)}")
        for response, calls in islice(used_up_patterns, _NAMED):
            spent.append(f"{_used_up(calls)} for {shorten(str(response.matcher))}")
        if spent:
            return f"{head}: {'; '.join(spent)}"
        near = [*self._near_keys(asked, used_up_after), *_near_patterns(asked[0], patterns)]
        return f"{head}; nearest: {'; '.join(near)}" if near else f"{head}: nothing is registered"

    def _near_keys(self, asked: Key, used_up_after: Callable[[Key], int | None]) -> Iterator[str]:
        self._file()
        found = chain.from_iterable(self._filed.get(clue, ())[-_PER_CLUE:] for clue in _clues(asked))
        for key in nearest(asked, dict.fromkeys(found), _NAMED):
            calls = used_up_after(key)
            also = "" if calls is None else f"; {_used_up(calls)}"
            yield f"{describe_key(key)} (differs in {difference(asked, key)}{also})"

    def _file(self) -> None:
        for key in self._unfiled:
            for clue in _clues(key):
                keys = self._filed.setdefault(clue, [])
                keys.append(key)
                if len(keys) > 2 * _PER_CLUE:
                    del keys[:_PER_CLUE]
        self._unfiled.clear()


def _clues(key: Key) -> tuple[Hashable, ...]:
    """Return what a near miss of `key` may have in common with it."""
    url = key[1]
    origin, path = origin_of(url), url.raw_path
    folder, _, name = path.rpartition("/")
    return url, (origin, path), path, (origin, folder, ""), (url.raw_host, name), origin, None


def _near_patterns(method: str, patterns: Iterable[tuple[MockResponse, bool]]) -> Iterator[str]:
    few = sorted(islice(patterns, _PATTERNS), key=lambda pair: (not pair[1], pair[0].method != method))
    for response, matches in few[:_PATTERNS_NAMED]:
        yield f"{shorten(str(response))} ({'differs in method' if matches else 'no match'})"


def _used_up(calls: int) -> str:
    return f"used up after {count_of(calls, 'call')}"
