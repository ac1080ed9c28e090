"""URL identity: which spellings of a URL are the same URL.

This module knows no routes and no requests. It turns a URL into the normalised form under which it is registered,
matched and recorded.
"""

from functools import lru_cache
from typing import NamedTuple, TypeAlias

from yarl import URL

__all__ = ["Key", "Origin", "normalize_url", "origin_of", "request_key"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

Key: TypeAlias = tuple[str, URL]

_HTTP_SCHEMES = {"ws": "http", "wss": "https"}

# An entry of the cache holds the URL twice, as it came and normalised, so this keeps it below 8 KB.
_LONGEST_CACHED = 2048


class Origin(NamedTuple):
    """The scheme, host and port of a URL, normalised."""

    scheme: str
    host: str
    port: int | None


def normalize_url(url: str | URL) -> URL:
    """Return the normalised form of `url`, under which it is registered, matched and recorded.

    The schemes ws and wss become http and https. The host is in lower case, IDNA-encoded and without a trailing dot;
    the default port, user info and fragment are dropped; an empty path becomes `/`; query pairs are sorted, duplicates
    kept. The path is compared as encoded: `/a%2Fb` is not `/a/b`.

    Raises `TypeError` for anything but a `str` or `yarl.URL`, `ValueError` for text that is not a URL.
    """
    if isinstance(url, URL):
        length = len(url.raw_path_qs)
    elif isinstance(url, str):
        length = len(url)
    else:
        raise TypeError(f"the URL must be a str or a yarl.URL, got {url!r}")
    return _normalize_cached(url) if length <= _LONGEST_CACHED else _normalize(url)


def origin_of(url: URL) -> Origin:
    """Return the origin of a normalised, absolute `url`."""
    return Origin(url.scheme, url.raw_host or "", url.port)


def request_key(method: str, url: str | URL) -> Key:
    """Return the key of a request: the method in upper case and the normalised URL."""
    return method.upper(), normalize_url(url)


def _normalize(url: str | URL) -> URL:
    # A URL built with `encoded=True`, as servers do, gets the same quoting as one that a person wrote.
    url = URL(str(url))
    query = _sorted_query(url.raw_query_string)
    if not url.absolute:
        return URL.build(path=url.raw_path, query_string=query, encoded=True)
    host = (url.host_subcomponent or "").lower()
    # A trailing dot only means "fully qualified".
    host = host.rstrip(".") or host
    port = "" if url.is_default_port() or url.explicit_port is None else f":{url.explicit_port}"
    return URL.build(
        scheme=_HTTP_SCHEMES.get(url.scheme, url.scheme),
        authority=host + port,
        path=url.raw_path or "/",
        query_string=query,
        encoded=True,
    )


# Normalising takes some 10 us and each request needs it; a test suite uses few distinct URLs.
_normalize_cached = lru_cache(maxsize=1024)(_normalize)


def _sorted_query(query: str) -> str:
    """Return an encoded query with its pairs sorted and each pair in one spelling.

    Escapes that cannot be decoded stay as they are, so that different ones stay different.
    """
    pairs = []
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.replace("%20", "+").replace(";", "%3B").partition("=")
            pairs.append((name, value.replace("=", "%3D")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
