"""Origins from a dict of hosts: the simplest answer to where an origin lives."""

import re
from collections.abc import Mapping
from typing import TypeAlias

from yarl import URL

from ._location import Address, Location, OutgoingRequest, bare_host, is_ip_address

__all__ = ["HostMap", "HostPattern", "Targets", "parse_host", "parse_target"]

Targets: TypeAlias = Mapping[str, str | URL]

HostPattern: TypeAlias = tuple[str | None, str, int | None]

# A name as it is once it is IDNA-encoded and without the dot at its end. Wildcards and lists are none.
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class HostMap:
    """Origins by a mapping from hosts to the servers at which they live.

    A key is `"host"`, `"host:port"` or an origin `"https://host"`; the most exact one counts. Raises `ValueError`
    for a key that is no host, or a server that is no plain-HTTP URL of an IP address.
    """

    def __init__(self, targets: Targets) -> None:
        self._addresses: dict[HostPattern, Address] = {}
        for text, target in targets.items():
            scheme, host, port = parse_host(text)
            if scheme is not None and port is None:
                port = URL.build(scheme=scheme, host=host).port
            self._addresses[scheme, host, port] = parse_target(target)

    def find(self, host: str, port: int | None, *schemes: str) -> Address | None:
        """Return the address at which an origin of one of `schemes` lives, `None` where it is not known."""
        host = bare_host(host)
        for key in (*((scheme, host, port) for scheme in schemes), (None, host, port), (None, host, None)):
            address = self._addresses.get(key)
            if address is not None:
                return address
        return None

    def locate(self, request: OutgoingRequest) -> Location:
        """Return the address at which the origin of `request` lives."""
        url = request.url
        return self.find(url.raw_host or "", url.port, url.scheme)


def parse_host(text: object) -> HostPattern:
    """Return scheme, host and port of `"host"`, `"host:port"` or `"scheme://host"`; `None` for what is not told.

    Bare IP addresses and a trailing dot are fine. Raises `ValueError` for what is no host.
    """
    expected = "expected a host like 'api.example.com', 'host:port' or 'https://host'"
    if not isinstance(text, str):
        raise ValueError(f"{expected}, as a str, got {text!r}")
    # A bare IPv6 address has colons of its own.
    plain = f"[{text}]" if ":" in text and is_ip_address(text) else text
    try:
        url = URL(plain if "://" in plain else f"//{plain}")
        host = bare_host(url.raw_host or "")
        port = url.explicit_port
    except ValueError as exc:
        raise ValueError(f"{expected}, got {text!r}: {exc}") from exc
    is_host = _NAME.fullmatch(host) or is_ip_address(host)
    # A URL leaves out line breaks and tabs.
    if not is_host or url.scheme not in ("", "http", "https") or port == 0 or any(char.isspace() for char in text):
        raise ValueError(f"{expected}, got {text!r}; wildcards and other schemes are not known here")
    if url.raw_path.strip("/") or url.raw_query_string or url.raw_fragment or url.raw_user:
        raise ValueError(f"{expected}, got {text!r}; leave out everything else")
    return url.scheme or None, host, port


def parse_target(target: str | URL) -> Address:
    """Return the address of a server given as a URL; `ValueError` where it is no plain-HTTP URL of an IP address."""
    expected = "expected the URL of a server like 'http://127.0.0.1:8080'"
    if not isinstance(target, str | URL):
        raise ValueError(f"{expected}, as str or URL, got {target!r}")
    try:
        url = URL(target)
    except ValueError as exc:
        raise ValueError(f"{expected}, got {target!r}: {exc}") from exc
    host = "127.0.0.1" if url.raw_host == "localhost" else url.raw_host
    if url.scheme != "http" or host is None or not is_ip_address(host) or url.port is None:
        raise ValueError(f"{expected}, got {str(target)!r}; it is reached in plain HTTP, and its name is not looked up")
    if url.raw_path.strip("/") or url.raw_query_string or url.raw_fragment or url.raw_user:
        raise ValueError(f"{expected}, got {str(target)!r}; leave out everything else, the path is the client's")
    return Address(host, url.port)
