"""The way without a patch: a resolver for one's own connector."""

import socket
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver

from ._host_map import HostMap, Targets

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

__all__ = ["OriginResolver"]


class OriginResolver(AbstractResolver):
    """A resolver that knows where some hosts live: `TCPConnector(resolver=OriginResolver({...}))`.

    `targets` maps `"host"`, `"host:port"` or an origin `"https://host"` to the URL of a server at an IP address. Other
    hosts are resolved by `fallback`, by default aiohttp's own resolver. A resolver moves a connection and leaves the
    scheme alone: for an https URL the server has to speak TLS.
    """

    def __init__(self, targets: Targets, fallback: AbstractResolver | None = None) -> None:
        self._map = HostMap(targets)
        self._fallback = fallback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> "list[ResolveResult]":
        """Return the one address of a known host; raises `OSError` for what nobody can resolve."""
        # A resolver is not told the scheme: an origin stands for its host and port.
        address = self._map.find(host, port, "https", "http")
        if address is None:
            if self._fallback is None:
                self._fallback = DefaultResolver()
            return await self._fallback.resolve(host, port, family)
        lives_in = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        if family not in (socket.AF_UNSPEC, lives_in):
            raise OSError(f"expected a connector that can reach {host} at {address.host}, got one bound to {family!r}")
        return [
            {
                "hostname": host,
                "host": address.host,
                "port": address.port,
                "family": lives_in,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Close the fallback resolver."""
        if self._fallback is not None:
            await self._fallback.close()
