"""Similarity: which of several requests, each a method and a URL, resemble another one most.

The cost is bounded by the number of candidates, which callers limit, and by a limit on the text that is compared.
"""

import re
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from yarl import URL

from ._urls import Key, origin_of

__all__ = ["SimilarityIndex", "common_prefix", "nearest", "pattern_key"]

T = TypeVar("T", bound=Hashable)

# The parts of a pattern that stand for no text of their own, and escaped characters.
_CONSTRUCT = re.compile(
    r"\\(?P<escaped>.)|\((?:\?(?:P<\w+>|[a-zA-Z-]*[:)]|[=!<]+)?)?|(?P<or>\|)|[).^$+*?]|\{[\d,]+\}|\[[^\]]*\]", re.DOTALL
)
_WORD = re.compile(r"\w+")

_PER_INDEX_KEY = 5
# How many characters of a host, a path or a query are compared, and how many words of a path.
_LIMIT = 200
_WORDS = 10


class SimilarityIndex(Generic[T]):
    """Values with the keys of requests, found by a similar key.

    They are indexed by what a similar key has in common with theirs, and only a few of those are compared. With
    `by_words`, that may be any word of the path.
    """

    def __init__(self, *, by_words: bool = False) -> None:
        self._by_words = by_words
        self._keys: dict[T, Key] = {}
        self._values: dict[Hashable, list[T]] = {}

    def add(self, key: Key, value: T) -> None:
        """Add a value."""
        self._keys[value] = key
        for index_key in self._index_keys(key):
            self._values.setdefault(index_key, []).append(value)

    def remove(self, value: T) -> None:
        """Remove a value, if it is here."""
        if key := self._keys.pop(value, None):
            for index_key in self._index_keys(key):
                self._values[index_key].remove(value)

    def nearest(self, key: Key, count: int) -> list[T]:
        """Return at most `count` values, the one whose key is most similar to `key` first."""
        found: dict[T, None] = {}
        for index_key in self._index_keys(key):
            found.update(dict.fromkeys(self._values.get(index_key, ())[: -_PER_INDEX_KEY - 1 : -1]))
        return sorted(found, key=lambda value: _distance(key, self._keys[value]))[:count]

    def _index_keys(self, key: Key) -> tuple[Hashable, ...]:
        """Return what `key` may have in common with a similar key."""
        url = key[1]
        origin, path = origin_of(url), url.raw_path
        folder, _, name = path.rpartition("/")
        words = _words(path[:_LIMIT]) if self._by_words else []
        beginnings = [("begins", word[:3]) for word in words]
        return url, (origin, path), path, (origin, folder, ""), (url.raw_host, name), origin, None, *words, *beginnings


def pattern_key(method: str, pattern: str) -> Key:
    """Return the key of a request that resembles those which a pattern matches: the text in the pattern."""
    text = _CONSTRUCT.sub(_literal_text, pattern)
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
    # A pattern that begins with a wildcard is for any host.
    if other_url.raw_host is not None:
        if url.raw_host != other_url.raw_host:
            distance += 1 + 4 * _dissimilarity(url.raw_host or "", other_url.raw_host)
        if url.scheme != other_url.scheme or url.port != other_url.port:
            distance += 1
    if url.raw_path != other_url.raw_path:
        distance += 0.5 + 3 * _dissimilarity(url.raw_path, other_url.raw_path)
    if url.raw_query_string != other_url.raw_query_string:
        pairs, other_pairs = _pairs(url), _pairs(other_url)
        distance += 0.25 + 0.5 * len(pairs ^ other_pairs) / len(pairs | other_pairs)
    if other_method not in (method, "ANY"):
        distance += 0.6
    return distance


def _dissimilarity(a: str, b: str) -> float:
    """Return 0 for equal texts, 1 for texts that share neither beginning, end nor the beginnings of words."""
    a, b = a[:_LIMIT], b[:_LIMIT]
    longest = max(len(a), len(b), 1)
    start = common_prefix(a, b)
    a, b = a[start:], b[start:]
    end = common_prefix(a[::-1], b[::-1])
    words, others = _words(a[: len(a) - end]), _words(b[: len(b) - end])
    shared = sum(max((common_prefix(word, other) for word in words), default=0) for other in {*others})
    return 1 - (start + end + shared) / longest


def _words(text: str) -> list[str]:
    return _WORD.findall(text)[:_WORDS]


def _pairs(url: URL) -> set[str]:
    return {*url.raw_query_string[:_LIMIT].split("&")}


def _literal_text(construct: "re.Match[str]") -> str:
    """Return the character that an escape stands for, a separator of words between alternatives, otherwise nothing."""
    character = "-" if construct["or"] else construct["escaped"] or ""
    return "" if character.isalnum() else character
