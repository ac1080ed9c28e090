"""The URL of a request as its request line and its Host header give it.

Every head that the parser accepts gets a URL: the request has to be recorded under one.
"""

import re
from urllib.parse import quote

from yarl import URL

from aiointercept_core import normalize_url

__all__ = ["request_url"]

_AUTHORITY = re.compile(r"[^\s/?#@\\]+")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def request_url(method: str, scheme: str, authority: str, target: str) -> URL:
    """Return the URL that a request asks for.

    An absolute `target`, as clients send it to a proxy, is the URL. If `authority` names no host, the URL's host is
    `invalid`.
    """
    if not target.startswith("/") and "://" in target.partition("?")[0]:
        # An https URL in a request without TLS is what a client asks a proxy for.
        try:
            return _url_with_host(target)
        except ValueError:
            target = "/" + target
    if method == "CONNECT":
        authority, target = target, "/"
    elif not target.startswith("/"):
        target = "/" + target
    if _AUTHORITY.fullmatch(authority):
        try:
            return _url_with_host(f"{scheme}://{authority}{target}")
        except ValueError:
            pass
    # Quoted again, because the target may be the invalid part.
    return URL(f"{scheme}://invalid{quote(target.encode(errors='surrogateescape'), safe=_PRINTABLE)}", encoded=True)


def _url_with_host(text: str) -> URL:
    url = URL(text, encoded=True)
    if not normalize_url(url).host:
        raise ValueError(f"the URL has no host: {text!r}")
    return url
