"""A resolver for the user's own connector: it needs no patch."""

import socket

from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from ._hosts import HostMap, Targets

__all__ = ["OriginResolver"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


class OriginResolver(AbstractResolver):
    """A resolver that sends some hosts to other servers: `TCPConnector(resolver=OriginResolver({...}))`.

    `targets` maps `"host"`, `"host:port"` or an origin `"https://host"` to the URL of a server at an IP address. Other
    hosts are resolved by `fallback`, by default aiohttp's own resolver. A resolver changes the address and not the
    scheme: for an https URL the server must speak TLS.
    """

    def __init__(self, targets: Targets, fallback: AbstractResolver | None = None) -> None:
        self._hosts = HostMap(targets)
        self._fallback = fallback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the one address of a host in `targets`; raises `OSError` if a host cannot be resolved."""
        # A resolver does not know the scheme: an origin stands for its host and port.
        address = self._hosts.find(host, port, "https", "http")
        if address is None:
            if self._fallback is None:
                self._fallback = DefaultResolver()
            return await self._fallback.resolve(host, port, family)
        address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        if family not in (socket.AF_UNSPEC, address_family):
            raise OSError(
                f"{host} is mapped to {address.host}, which a connector bound to {socket.AddressFamily(family).name} "
                "cannot reach: create the connector without family="
            )
        return [
            {
                "hostname": host,
                "host": address.host,
                "port": address.port,
                "family": address_family,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Close the fallback resolver."""
        if self._fallback is not None:
            await self._fallback.close()
