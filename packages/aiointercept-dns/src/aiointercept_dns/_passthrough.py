"""Passthrough: which hosts reach the real network."""

from collections.abc import Iterable

from yarl import URL

from ._host_map import parse_host
from ._location import bare_host

__all__ = ["Passthrough"]


class Passthrough:
    """The hosts that are let out: `"host"`, `"host:port"` or an origin such as `"https://host"`.

    An entry without a port lets out every port of the host, whatever its scheme. Raises `TypeError` where `hosts` is
    a single str, `ValueError` for an entry that is no host.
    """

    def __init__(self, hosts: Iterable[str] | None) -> None:
        if isinstance(hosts, str):
            raise TypeError(f"passthrough: expected a list of hosts, got {hosts!r}; write [{hosts!r}]")
        self._hosts: set[tuple[str, int | None]] = set()
        for entry in hosts or ():
            try:
                _, host, port = parse_host(entry)
            except ValueError as exc:
                raise ValueError(f"passthrough: {exc}") from exc
            self._hosts.add((host, port))

    def covers(self, url: URL) -> bool:
        """Tell whether a request for `url` is let out."""
        if not self._hosts:
            return False
        host = bare_host(url.raw_host or "")
        return (host, None) in self._hosts or (host, url.port) in self._hosts
