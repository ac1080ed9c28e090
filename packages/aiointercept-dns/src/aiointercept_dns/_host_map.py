"""Origins from a dict of hosts: the simplest answer to where an origin lives."""

from collections.abc import Mapping
from typing import TypeAlias

from yarl import URL

from ._location import Address, Location, OutgoingRequest, is_ip_address

__all__ = ["HostMap", "HostPattern", "Targets", "parse_host", "parse_target"]

Targets: TypeAlias = Mapping[str, str | URL]

HostPattern: TypeAlias = tuple[str | None, str, int | None]


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

    def find(self, url: URL) -> Address | None:
        """Return the address at which the origin of `url` lives, `None` where it is not known."""
        host = (url.raw_host or "").lower().rstrip(".")
        for scheme, port in ((url.scheme, url.port), (None, url.port), (None, None)):
            address = self._addresses.get((scheme, host, port))
            if address is not None:
                return address
        return None

    def locate(self, request: OutgoingRequest) -> Location:
        """Return the address at which the origin of `request` lives."""
        return self.find(request.url)


def parse_host(text: object) -> HostPattern:
    """Return scheme, host and port of `"host"`, `"host:port"` or `"scheme://host"`; `None` for what is not told.

    Bare IP addresses and a trailing dot are fine. Raises `ValueError` for what is no host.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a host as str, got {text!r}")
    # A bare IPv6 address has colons of its own.
    plain = f"[{text}]" if is_ip_address(text) and ":" in text else text
    try:
        url = URL(plain if "://" in plain else f"//{plain}")
        host = (url.raw_host or "").lower().rstrip(".")
        port = url.explicit_port
    except ValueError as exc:
        raise ValueError(f"expected a host like 'api.example.com' or 'host:port', got {text!r}: {exc}") from exc
    extra = url.raw_path.strip("/") or url.raw_query_string or url.raw_fragment or url.raw_user
    if not host or extra or any(char.isspace() for char in text) or url.scheme not in ("", "http", "https"):
        raise ValueError(
            f"expected a host like 'api.example.com', 'host:port' or 'https://host', got {text!r}; "
            "leave out everything else"
        )
    return url.scheme or None, host, port


def parse_target(target: str | URL) -> Address:
    """Return the address of a server given as a URL; `ValueError` where it is no plain-HTTP URL of an IP address."""
    url = URL(target)
    host = "127.0.0.1" if url.raw_host == "localhost" else url.raw_host
    if url.scheme != "http" or host is None or not is_ip_address(host) or url.port is None:
        raise ValueError(f"expected the URL of a server like 'http://127.0.0.1:8080', got {str(target)!r}")
    return Address(host, url.port)
