"""URL identity: which two URLs are one.

This module does not know registrations or requests; it turns a URL into the one form under which it is
registered, matched and recorded.
"""

import re
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from yarl import URL

__all__ = ["Key", "Origin", "asked_origin", "normalize_url", "origin_of", "plain_url", "request_key"]

# A normalisation costs some 10 us, a look-up in this memo less than 1 us; a test suite asks for few distinct URLs.
_MEMO_SIZE = 1024

# Most URLs without a query: a name or an IPv4 address in lower case, no port that goes without saying or is none, and a
# path in which nothing is quoted, left out or taken back.
_PLAIN = re.compile(
    r"https?://[a-z0-9-]++(?:\.[a-z0-9-]++)*+(?::(?!(?:80|443)/)(?:[1-9]\d{0,3}|[1-5]\d{4}))?"
    r"(?:/(?!\.)[A-Za-z0-9._~-]++)++/?"
)

Key: TypeAlias = tuple[str, URL]


class Origin(NamedTuple):
    """Where a URL lives: scheme, host and port, in normalised form."""

    scheme: str
    host: str
    port: int | None


def normalize_url(url: str | URL) -> URL:
    """Return the one form of `url` under which it is registered, matched and recorded.

    Host in lower case, IDNA-encoded and without a trailing dot; no default port, user info or fragment; an empty
    path is `/`; query pairs sorted, duplicates kept. The path is compared as encoded: `/a%2Fb` is not `/a/b`.

    Raises `TypeError` for anything but a `str` or `yarl.URL`, `ValueError` for a text that is no URL.
    """
    if isinstance(url, str):
        plain = plain_url(url)
        return plain if plain is not None else _normalize_text(url)
    if not isinstance(url, URL):
        raise TypeError(f"expected a URL as str or yarl.URL, got {url!r}")
    return _normalize(url)


# A str knows its hash, a URL works it out from that of its parts.
@lru_cache(maxsize=_MEMO_SIZE)
def plain_url(text: str) -> URL | None:
    """Return the URL of a `text` that is in normal form as it stands, `None` where that takes more to find out."""
    # Without `encoded=True`, though nothing needs quoting: yarl remembers what clients make of the same text.
    return URL(text) if _PLAIN.fullmatch(text) else None


@lru_cache(maxsize=_MEMO_SIZE)
def origin_of(url: URL) -> Origin:
    """Return the origin of a normalised, absolute `url`."""
    return Origin(url.scheme, url.raw_host or "", url.port)


@lru_cache(maxsize=_MEMO_SIZE)
def asked_origin(url: URL) -> Origin:
    """Return the origin of a `url` that may be in any form."""
    return origin_of(normalize_url(url))


@lru_cache(maxsize=_MEMO_SIZE)
def request_key(method: str, url: str | URL) -> Key:
    """Return what requests are matched and recorded by: the method in upper case and the normalised URL."""
    return method.upper(), normalize_url(url)


@lru_cache(maxsize=_MEMO_SIZE)
def _normalize_text(url: str) -> URL:
    return _normalize(URL(url))


@lru_cache(maxsize=_MEMO_SIZE)
def _normalize(url: URL) -> URL:
    # Its whole text takes longer to put together.
    text = f"{url.scheme}://{url.raw_authority}{url.raw_path}"
    if _PLAIN.fullmatch(text) and not url.raw_query_string and not url.raw_fragment:
        return url
    # Parsing the text anew gives a URL that was built with `encoded=True` (as those off the wire are) the same
    # quoting as one that a person wrote.
    url = URL(str(url))
    query = _sorted_query(url.raw_query_string)
    if not url.absolute:
        return URL.build(path=url.raw_path, query_string=query, encoded=True)
    host = (url.host_subcomponent or "").lower()
    # A trailing dot only says "fully qualified".
    host = host.rstrip(".") or host
    port = "" if url.is_default_port() or url.explicit_port is None else f":{url.explicit_port}"
    return URL.build(
        scheme=url.scheme, authority=host + port, path=url.raw_path or "/", query_string=query, encoded=True
    )


def _sorted_query(query: str) -> str:
    """Sort the pairs of a quoted query, each in one spelling; what does not decode stays as distinct as it came."""
    pairs = []
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.replace("%20", "+").replace(";", "%3B").partition("=")
            pairs.append((name, value.replace("=", "%3D")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
