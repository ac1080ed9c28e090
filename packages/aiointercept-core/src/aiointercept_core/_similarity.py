"""Similarity: which of several requests, each a method and a URL, resemble another one most.

The cost is bounded by the number of candidates, which callers limit, and by a limit on the text that is compared.
"""

import re
from collections.abc import Hashable, Iterable
from itertools import chain
from typing import Generic, TypeVar

from yarl import URL

from ._urls import Key, origin_of

__all__ = ["SimilarityIndex", "common_prefix", "nearest", "pattern_key"]

T = TypeVar("T")

# The constructs of a pattern that stand for no text of their own, and escaped characters.
_CONSTRUCT = re.compile(
    r"\\(?P<escaped>.)|\((?:\?(?:P<\w+>|[a-zA-Z-]*[:)]|[=!<]+)?)?|[)|^$+*?]|\{[\d,]+\}|\[[^\]]*\]", re.DOTALL
)

_PER_INDEX_KEY = 5
# How many characters of a host or a path are compared.
_LIMIT = 200


class SimilarityIndex(Generic[T]):
    """Values by the keys of requests, found by a similar key.

    Keys are indexed by what a similar key has in common with them, and only a few of those are compared.
    """

    def __init__(self) -> None:
        self._values: dict[Key, T] = {}
        self._keys: dict[Hashable, list[Key]] = {}

    def add(self, key: Key, value: T) -> None:
        """Add a value; a key that is there already keeps its place."""
        if key not in self._values:
            for index_key in _index_keys(key):
                keys = self._keys.setdefault(index_key, [])
                keys.append(key)
                if len(keys) > 2 * _PER_INDEX_KEY:
                    del keys[:_PER_INDEX_KEY]
        self._values[key] = value

    def nearest(self, key: Key, count: int) -> list[T]:
        """Return the values of at most `count` keys, most similar to `key` first."""
        found = chain.from_iterable(self._keys.get(index_key, ())[-_PER_INDEX_KEY:] for index_key in _index_keys(key))
        return [self._values[other] for other in nearest(key, dict.fromkeys(found), count)]


def pattern_key(method: str, pattern: str) -> Key:
    """Return the key of a request that resembles those which a pattern matches: the text in the pattern."""
    text = _CONSTRUCT.sub(_escaped_text, pattern)
    try:
        return method, URL(text)
    except ValueError:
        return method, URL.build(path=text)


def nearest(key: Key, candidates: Iterable[Key], count: int) -> list[Key]:
    """Return at most `count` of `candidates`, most similar to `key` first."""
    return sorted(candidates, key=lambda other: _distance(key, other))[:count]


def common_prefix(a: str | bytes, b: str | bytes) -> int:
    """Return the length of the longest common prefix of two texts of the same type."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _distance(key: Key, other: Key) -> float:
    (method, url), (other_method, other_url) = key, other
    distance = 0.0
    if url.raw_host != other_url.raw_host:
        distance += 1 + 4 * _dissimilarity(url.raw_host or "", other_url.raw_host or "")
    if url.scheme != other_url.scheme or url.port != other_url.port:
        distance += 1
    if url.raw_path != other_url.raw_path:
        distance += 0.5 + 3 * _dissimilarity(url.raw_path, other_url.raw_path)
    if url.raw_query_string != other_url.raw_query_string:
        distance += 0.75
    if other_method not in (method, "ANY"):
        distance += 0.6
    return distance


def _dissimilarity(a: str, b: str) -> float:
    """Return 0 for equal texts, 1 for texts that share neither beginning nor end, and values between for typos."""
    a, b = a[:_LIMIT], b[:_LIMIT]
    start = common_prefix(a, b)
    end = common_prefix(a[start:][::-1], b[start:][::-1])
    return 1 - (start + end) / max(len(a), len(b), 1)


def _escaped_text(construct: "re.Match[str]") -> str:
    """Return the character that an escape stands for, nothing for a class of characters."""
    character = construct["escaped"] or ""
    return "" if character.isalnum() else character


def _index_keys(key: Key) -> tuple[Hashable, ...]:
    """Return what `key` may have in common with a similar key."""
    url = key[1]
    origin, path = origin_of(url), url.raw_path
    folder, _, name = path.rpartition("/")
    return url, (origin, path), path, (origin, folder, ""), (url.raw_host, name), origin, None
