"""Hosts and servers as users write them, and which URLs they stand for."""

import functools
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from yarl import URL

from ._decision import Address, Decision
from ._outgoing import OutgoingRequest

__all__ = ["HostMap", "Passthrough", "Targets", "is_ip_address", "is_loopback"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

Targets: TypeAlias = Mapping[str, str | URL]

# A host name in IDNA encoding without the trailing dot. It excludes wildcards and lists.
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

_WRITE_A_HOST = "write 'api.example.com', 'host:port' or 'https://host'"
_WRITE_A_SERVER = "write one like 'http://127.0.0.1:8080'"


class HostMap:
    """A mapping from hosts to the addresses of servers.

    A key is `"host"`, `"host:port"` or an origin `"https://host"`; the most exact one is used. Raises `ValueError`
    for a key that is not a host, or a server that is not the plain-HTTP URL of an IP address.
    """

    def __init__(self, targets: Targets) -> None:
        self._addresses: dict[tuple[str | None, str, int | None], Address] = {}
        for text, target in targets.items():
            scheme, host, port, path = _parse_host(text)
            if path:
                raise ValueError(f"{text!r} has more than a host: {_WRITE_A_HOST}, without a path")
            if scheme is not None and port is None:
                port = URL.build(scheme=scheme, host=host).port
            self._addresses[scheme, host, port] = _parse_target(target)

    def find(self, host: str, port: int | None, *schemes: str) -> Address | None:
        """Return the address for an origin of one of `schemes`, `None` if it is not in the mapping."""
        host = _bare_host(host)
        for key in (*((scheme, host, port) for scheme in schemes), (None, host, port), (None, host, None)):
            address = self._addresses.get(key)
            if address is not None:
                return address
        return None

    def decide(self, request: OutgoingRequest) -> Decision:
        """Return the address for the origin of `request`."""
        url = request.url
        return self.find(url.raw_host or "", url.port, url.scheme)


class Passthrough:
    """A set of hosts that reach the real network: `"host"`, `"host:port"` or an origin such as `"https://host"`.

    An entry without a port stands for every port of the host, whatever its scheme. With a path, as in
    `"http://localhost:8080/status"`, it stands for that path and all paths below it, with any query. Raises `TypeError`
    if `hosts` is a single str, `ValueError` for an entry that is not a host.
    """

    def __init__(self, hosts: Iterable[str] | None) -> None:
        if isinstance(hosts, str):
            raise TypeError(f"passthrough must be a list of hosts, got {hosts!r}: write [{hosts!r}]")
        self._paths: dict[tuple[str, int | None], set[str]] = {}
        for entry in hosts or ():
            try:
                _, host, port, path = _parse_host(entry)
            except ValueError as exc:
                raise ValueError(f"passthrough: {exc}") from exc
            self._paths.setdefault((host, port), set()).add(path)

    def matches(self, url: URL) -> bool:
        """Return whether a request for `url` reaches the real network."""
        if not self._paths:
            return False
        host, below = _bare_host(url.raw_host or ""), f"{url.raw_path}/"
        paths = (path for port in (None, url.port) for path in self._paths.get((host, port), ()))
        return any(below.startswith(f"{path}/") for path in paths)


def _parse_host(text: object) -> tuple[str | None, str, int | None, str]:
    """Return scheme, host, port and path of `"host"`, `"host:port"` or `"scheme://host"`; `None` for a missing part.

    The path has no slash at its end, and is `""` if it is missing. Bare IP addresses and a trailing dot are allowed.
    Raises `ValueError` if `text` is not a host.
    """
    not_a_host = f"{text!r} is not a host: {_WRITE_A_HOST}"
    if not isinstance(text, str):
        raise ValueError(f"{not_a_host}, as a str")
    # A bare IPv6 address contains colons.
    plain = f"[{text}]" if ":" in text and is_ip_address(text) else text
    try:
        url = URL(plain if "://" in plain else f"//{plain}")
        host = _bare_host(url.raw_host or "")
        port = url.explicit_port
    except ValueError as exc:
        raise ValueError(f"{not_a_host} ({exc})") from exc
    is_host = _NAME.fullmatch(host) or is_ip_address(host)
    # yarl removes line breaks and tabs.
    if not is_host or url.scheme not in ("", "http", "https") or port == 0 or any(char.isspace() for char in text):
        raise ValueError(f"{not_a_host}; wildcards and other schemes are not supported")
    if url.raw_query_string or url.raw_fragment or url.raw_user:
        raise ValueError(f"{text!r} has more than a host: {_WRITE_A_HOST}, without user, query and fragment")
    return url.scheme or None, host, port, url.raw_path.rstrip("/")


def _parse_target(target: str | URL) -> Address:
    """Return the address of a server; raises `ValueError` if `target` is not the plain-HTTP URL of an IP address."""
    not_a_server = f"{target!r} is not the URL of a server: {_WRITE_A_SERVER}"
    if not isinstance(target, str | URL):
        raise ValueError(f"{not_a_server}, as a str or URL")
    try:
        url = URL(target)
    except ValueError as exc:
        raise ValueError(f"{not_a_server} ({exc})") from exc
    host = "127.0.0.1" if url.raw_host == "localhost" else url.raw_host
    if url.scheme != "http" or host is None or not is_ip_address(host) or url.port is None:
        raise ValueError(f"{not_a_server}; it must have the scheme http and an IP address, names are not resolved")
    if url.raw_path.strip("/") or url.raw_query_string or url.raw_fragment or url.raw_user:
        raise ValueError(f"{target!r} has more than a host and port: {_WRITE_A_SERVER}; the client sets the path")
    return Address(host, url.port)


def _bare_host(host: str) -> str:
    """Return `host` as it is compared: in lower case, without the trailing dot."""
    return host.lower().rstrip(".")


# It takes 5 us and is needed for each request; tests use few hosts.
@functools.lru_cache(maxsize=1024)
def is_ip_address(host: str) -> bool:
    """Return whether `host` is a bare IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine: `localhost` and names below it, `127.0.0.0/8` or `::1`."""
    name = _bare_host(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return is_ip_address(host) and ipaddress.ip_address(host).is_loopback
