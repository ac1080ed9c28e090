"""Similarity: which of several requests, each a method and a URL, resemble another one most.

The cost is bounded by the number of candidates, which callers limit, and by a limit on the text that is compared.
"""

from collections.abc import Iterable

from ._urls import Key

__all__ = ["common_prefix", "nearest"]

# How many characters of a host or a path are compared.
_LIMIT = 200


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
    if method != other_method:
        distance += 0.6
    return distance


def _dissimilarity(a: str, b: str) -> float:
    """Return 0 for equal texts, 1 for texts that share neither beginning nor end, and values between for typos."""
    a, b = a[:_LIMIT], b[:_LIMIT]
    start = common_prefix(a, b)
    end = common_prefix(a[start:][::-1], b[start:][::-1])
    return 1 - (start + end) / max(len(a), len(b), 1)
