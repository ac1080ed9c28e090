"""The URL of a request as its head tells it.

Any head that came through a parser gets one: the request has to be recorded under some URL.
"""

import re
from functools import lru_cache
from urllib.parse import quote

from yarl import URL

from aiointercept_core import normalize_url, plain_url

__all__ = ["wire_url"]

# Making a URL and checking it costs some 20 us; tests ask for few distinct ones.
_MEMO_SIZE = 512

_AUTHORITY = re.compile(r"[^\s/?#@\\]+")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@lru_cache(maxsize=_MEMO_SIZE)
def wire_url(method: str, scheme: str, authority: str, target: str) -> URL:
    """Return the URL that a request line and a Host header ask for.

    An absolute `target`, as proxies get it, stands for itself. With an `authority` that names no host it is a URL of
    the host `invalid`.
    """
    if "://" in target.partition("?")[0] and not target.startswith("/"):
        # An https URL in a plain request is what a client asks a proxy for.
        try:
            return _checked(target)
        except ValueError:
            target = "/" + target
    if method == "CONNECT":
        authority, target = target, "/"
    elif not target.startswith("/"):
        target = "/" + target
    if _AUTHORITY.fullmatch(authority):
        try:
            return _checked(f"{scheme}://{authority}{target}")
        except ValueError:
            pass
    # Quoted anew, since the target may be what is wrong.
    return URL(f"{scheme}://invalid{quote(target.encode(errors='surrogateescape'), safe=_PRINTABLE)}", encoded=True)


def _checked(text: str) -> URL:
    plain = plain_url(text)
    if plain is not None:
        return plain
    url = URL(text, encoded=True)
    if not normalize_url(url).host:
        raise ValueError(f"expected a URL with a host, got {text!r}")
    return url
