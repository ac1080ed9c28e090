"""Nearness: which of several (method, URL) pairs come close to one that was asked for, and what differs.

Work is bounded by the number of candidates, which callers cap, and by a limit on the texts compared.
"""

from collections import Counter
from collections.abc import Iterable

from yarl import URL

from ._url import Key
from ._wording import shorten

__all__ = ["common_prefix", "difference", "nearest"]

# How many characters of a host or a path are compared.
_LIMIT = 200


def difference(asked: Key, other: Key) -> str:
    """Say in a few words what differs between two keys, most important first; empty where nothing does."""
    (method, url), (other_method, other_url) = asked, other
    parts = []
    if method != other_method:
        parts.append("method")
    if url.scheme != other_url.scheme:
        parts.append("scheme")
    if url.raw_host != other_url.raw_host:
        parts.append("host")
    # A scheme brings its default port along: to name both says nothing more.
    if url.port != other_url.port and not ("scheme" in parts and url.is_default_port() and other_url.is_default_port()):
        parts.append("port")
    if url.raw_path != other_url.raw_path:
        parts.append("path")
    if url.raw_query_string != other_url.raw_query_string:
        parts.append(f"query ({_query_difference(url, other_url)})")
    return ", ".join(parts)


def nearest(asked: Key, candidates: Iterable[Key], count: int = 3) -> list[Key]:
    """Return at most `count` of `candidates`, nearest to `asked` first."""
    return sorted(candidates, key=lambda other: _distance(asked, other))[:count]


def common_prefix(a: str | bytes, b: str | bytes) -> int:
    """Return how many characters or bytes two texts of one type have in common at their beginning."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _query_difference(url: URL, other: URL) -> str:
    mine, others = Counter(url.query.items()), Counter(other.query.items())
    names = {name for name, _ in (mine - others) | (others - mine)}
    return shorten(", ".join(sorted(names)), 60)


def _distance(asked: Key, other: Key) -> float:
    (method, url), (other_method, other_url) = asked, other
    distance = 0.0
    if url.raw_host != other_url.raw_host:
        distance += 1 + 4 * _unlikeness(url.raw_host or "", other_url.raw_host or "")
    if url.scheme != other_url.scheme or url.port != other_url.port:
        distance += 1
    if url.raw_path != other_url.raw_path:
        distance += 0.5 + 3 * _unlikeness(url.raw_path, other_url.raw_path)
    if url.raw_query_string != other_url.raw_query_string:
        distance += 0.75
    if method != other_method:
        distance += 0.6
    return distance


def _unlikeness(a: str, b: str) -> float:
    """Return 0 for one text, 1 for two that share neither beginning nor end: what slips change lies in between."""
    a, b = a[:_LIMIT], b[:_LIMIT]
    start = common_prefix(a, b)
    end = common_prefix(a[start:][::-1], b[start:][::-1])
    return 1 - (start + end) / max(len(a), len(b), 1)
