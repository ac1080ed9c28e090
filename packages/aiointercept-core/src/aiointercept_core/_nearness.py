"""Nearness of URLs: which of several (method, URL) pairs come close to one that was asked for, and what differs.

Work is bounded: callers hand in a capped number of candidates.
"""

import difflib
from collections.abc import Iterable
from typing import TypeAlias

from yarl import URL

__all__ = ["Key", "describe_key", "difference", "nearest", "shorten"]

Key: TypeAlias = tuple[str, URL]

_LIMIT = 200


def shorten(text: str, limit: int = _LIMIT) -> str:
    """Return `text`, its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}...{text[-half:]}"


def describe_key(key: Key) -> str:
    """Return `METHOD URL`, bounded in length."""
    return f"{key[0]} {shorten(str(key[1]))}"


def difference(asked: Key, other: Key) -> str:
    """Say in a few words what differs between two keys, most important first; empty where nothing does."""
    parts = []
    (method, url), (other_method, other_url) = asked, other
    if method != other_method:
        parts.append("method")
    for name in ("scheme", "host", "port"):
        if getattr(url, name) != getattr(other_url, name):
            parts.append(name)
    # A scheme brings its default port along: to name both says nothing more.
    if "scheme" in parts and "port" in parts and url.is_default_port() and other_url.is_default_port():
        parts.remove("port")
    if url.raw_path != other_url.raw_path:
        parts.append("path")
    if url.raw_query_string != other_url.raw_query_string:
        parts.append(_query_difference(url, other_url))
    return ", ".join(parts)


def nearest(asked: Key, candidates: Iterable[Key], count: int = 3) -> list[Key]:
    """Return at most `count` of `candidates`, nearest to `asked` first."""
    return sorted(candidates, key=lambda other: _distance(asked, other))[:count]


def _query_difference(url: URL, other: URL) -> str:
    names = sorted(
        name for name in {*url.query, *other.query} if url.query.getall(name, []) != other.query.getall(name, [])
    )
    return f"query ({shorten(', '.join(names), 60)})"


def _distance(asked: Key, other: Key) -> float:
    (method, url), (other_method, other_url) = asked, other
    distance = 0.0
    if url.host != other_url.host:
        distance += 4 * (1 - _similarity(url.host or "", other_url.host or "")) + 1
    if url.scheme != other_url.scheme or url.port != other_url.port:
        distance += 1
    if url.raw_path != other_url.raw_path:
        distance += 3 * (1 - _similarity(url.raw_path, other_url.raw_path)) + 0.5
    if url.raw_query_string != other_url.raw_query_string:
        distance += 0.75
    if method != other_method:
        distance += 0.6
    return distance


def _similarity(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, a[:_LIMIT], b[:_LIMIT], autojunk=False).quick_ratio()
