"""Matchers: what a route asks of a request.

A matcher has one operation, the differences between what it asks for and a request. Matching, the explanation of an
unmatched request and the assertions all use it, so that they cannot disagree.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from yarl import URL, Query

from ._format import describe_value, shorten
from ._request import Request
from ._urls import Key, normalize_url

__all__ = [
    "Difference",
    "ExactURL",
    "Matcher",
    "URLPattern",
    "build_matcher",
    "describe_differences",
    "key_differences",
    "url_texts",
]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

# A pattern that can match the beginning of a URL: anchors and groups, then a character that a URL may begin with.
_BEGINS_LIKE_A_URL = re.compile(
    r"(?:\^|\\A|\(\?P<\w+>|\(\?[a-zA-Z-]*[:)]|\()*(?:[hH][tT][tT][pP]|[wW][sS]|\.|\[|\\[wWSD])"
)
_FROM_THE_START = (
    r"patterns are matched from the start of the whole URL, for example r'https://api\.example\.com/users'"
)
_SAME_SCHEME = {"http": "ws", "https": "wss", "ws": "http", "wss": "https"}
_MUST_BE_URL = "url must be an absolute URL with the scheme http, https, ws or wss"
_IN_FULL = "write it in full, for example 'https://api.example.com/users'"


class Difference(NamedTuple):
    """One difference between a matcher and a request.

    `what` names a part of the request, such as "method" or "json['name']". `detail` says how it differs; it is empty
    where naming the part is enough. With an empty `what`, `detail` is the whole sentence.
    """

    what: str
    detail: str = ""


class Matcher(Protocol):
    """A condition on a request; its `str()` is used in messages.

    Matchers of equal conditions compare equal. A condition whose attribute `needs_body` is `False` does not look at the
    body, so it is asked before the body has arrived.
    """

    def differences(self, request: Request) -> Iterable[Difference]:
        """Return what differs between this matcher and `request`; nothing if the request matches."""


class ExactURL(NamedTuple):
    """Matches one URL, with any query if `any_query`; `url` is normalised, without a query if `any_query`."""

    url: URL
    any_query: bool = False

    def __str__(self) -> str:
        return str(self.url)

    def differences(self, request: Request) -> Iterator[Difference]:
        """Yield the parts of the URL that differ."""
        url = normalize_url(request.url)
        return _url_differences(self.url, url.with_query(None) if self.any_query else url)


class URLPattern(NamedTuple):
    """Matches every URL that `pattern.match` accepts, as text in the form in which the client sent it.

    The schemes ws and http, and wss and https, are the same: a URL matches if it does with either of them.
    """

    pattern: re.Pattern[str]

    def __str__(self) -> str:
        return f"pattern {self.pattern.pattern!r}"

    def differences(self, request: Request) -> Iterable[Difference]:
        """Return one difference if the pattern does not match."""
        if self.match(request.url):
            return ()
        if _BEGINS_LIKE_A_URL.match(self.pattern.pattern):
            return (Difference("URL"),)
        return (Difference("does not match", _FROM_THE_START),)

    def match(self, url: URL) -> re.Match[str] | None:
        """Return the match of the pattern with `url`, `None` if there is none."""
        return self.match_text(url_texts(url))

    def match_text(self, texts: tuple[str, str]) -> re.Match[str] | None:
        """Return the match of the pattern with a URL, given as `url_texts` returns it."""
        return self.pattern.match(texts[0]) or self.pattern.match(texts[1])


def url_texts(url: URL) -> tuple[str, str]:
    """Return `url` as text with its own scheme, and with the one that is the same for patterns."""
    text = str(url)
    scheme, _, rest = text.partition(":")
    return text, f"{_SAME_SCHEME.get(scheme, scheme)}:{rest}"


def key_differences(key: Key, other: Key) -> Iterator[Difference]:
    """Yield what differs between the methods and URLs of two requests, most important first."""
    if key[0] != other[0]:
        yield Difference("method")
    yield from _url_differences(key[1], other[1])


def describe_differences(differences: Iterable[Difference]) -> str:
    """Return differences as text: `differs in method, path; json['name']: expected 'Ada', got 'Bob'`."""
    differences = list(differences)
    parts = [difference.what for difference in differences if not difference.detail]
    details = [f"{what}: {detail}" if what else detail for what, detail in differences if detail]
    return "; ".join([f"differs in {', '.join(parts)}", *details] if parts else details)


def build_matcher(url: str | URL | re.Pattern[str], params: Query = None) -> ExactURL | URLPattern:
    """Return the matcher for `url` with `params` added to its query; raise `TypeError` or `ValueError` for bad ones."""
    if isinstance(url, re.Pattern):
        if params is not None:
            raise TypeError(
                "params cannot be added to a pattern; use match_query=, or write the query into the pattern"
            )
        if not isinstance(url.pattern, str):
            raise TypeError(
                f"url must be a pattern compiled from a str, got {describe_value(url)}; compile it from a str"
            )
        return URLPattern(url)
    if not isinstance(url, str | URL):
        raise TypeError(
            f"url must be a str, a yarl.URL or a compiled re.Pattern, got {describe_value(url)}; {_IN_FULL}"
        )
    try:
        normalized = normalize_url(url)
    except ValueError as exc:
        raise ValueError(f"{_MUST_BE_URL}, got {describe_value(str(url))}: {exc}") from exc
    if not normalized.raw_host or normalized.scheme not in ("http", "https"):
        raise ValueError(f"{_MUST_BE_URL}, got {describe_value(str(url))}; {_IN_FULL}")
    if params:
        try:
            normalized = normalize_url(normalized.extend_query(params))
        except (TypeError, ValueError) as exc:
            raise type(exc)(
                f"params must be a query as session.get(params=) takes it, got {describe_value(params)}: {exc}"
            ) from exc
    return ExactURL(normalized)


def _url_differences(url: URL, other: URL) -> Iterator[Difference]:
    if url == other:
        return
    if url.scheme != other.scheme:
        yield Difference("scheme")
    if url.raw_host != other.raw_host:
        yield Difference("host")
    # Another scheme has another default port, so only the scheme is named.
    default_ports = url.scheme != other.scheme and url.is_default_port() and other.is_default_port()
    if url.port != other.port and not default_ports:
        yield Difference("port")
    if url.raw_path != other.raw_path:
        yield Difference("path")
    if url.raw_query_string != other.raw_query_string:
        pairs, other_pairs = Counter(url.query.items()), Counter(other.query.items())
        names = {name for name, _ in (pairs - other_pairs) | (other_pairs - pairs)}
        yield Difference(f"query ({shorten(', '.join(sorted(names)), 60)})")
