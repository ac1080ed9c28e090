"""Matchers: what a registration matches, and its words for it.

A matcher says yes or no to a URL, and names itself in an explanation.
"""

import re
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from yarl import URL

from ._url import normalize_url
from ._wording import describe_value

__all__ = ["ExactURL", "Matcher", "URLPattern", "build_matcher"]

_MEMO_SIZE = 1024


class ExactURL(NamedTuple):
    """One URL, in normalised form."""

    url: URL

    def __str__(self) -> str:
        return str(self.url)


class URLPattern(NamedTuple):
    """Every URL whose text, as the client asked for it, `pattern.match` accepts."""

    pattern: re.Pattern[str]

    def __str__(self) -> str:
        return f"pattern {self.pattern.pattern!r}"


Matcher: TypeAlias = ExactURL | URLPattern


def build_matcher(url: str | URL | re.Pattern[str]) -> Matcher:
    """Return the matcher for what a user registers.

    Raises `TypeError` for anything but a str, `yarl.URL` or compiled pattern of str, `ValueError` for a URL without
    scheme or host.
    """
    if isinstance(url, re.Pattern):
        if not isinstance(url.pattern, str):
            raise TypeError(f"url: expected a pattern of str, got {url!r}; compile it from a str")
        return URLPattern(url)
    if not isinstance(url, str | URL):
        raise TypeError(
            f"url: expected a str, yarl.URL or compiled re.Pattern, got {describe_value(url)}; "
            "write it in full, as 'https://api.example.com/path'"
        )
    return _exact(url)


# A suite registers the same few URLs in each of its tests.
@lru_cache(maxsize=_MEMO_SIZE)
def _exact(url: str | URL) -> ExactURL:
    try:
        normalised = normalize_url(url)
    except ValueError as exc:
        raise ValueError(
            f"url: expected an absolute http or https URL, got {describe_value(str(url))}: {exc}; correct it"
        ) from exc
    if not normalised.raw_host or normalised.scheme not in ("http", "https"):
        raise ValueError(
            f"url: expected an absolute http or https URL with a host, got {describe_value(str(url))}; "
            "write it in full, as 'https://api.example.com/path'"
        )
    return ExactURL(normalised)
