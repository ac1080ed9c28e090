"""A connector to the real network with the settings of a user's connector."""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["NetworkSettings", "UnpatchedConnector"]


class UnpatchedConnector(TCPConnector):
    """A connector that is never redirected: it reaches the real network."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How a connector reaches the network. Connectors with equal settings may share connections."""

    ssl: Any = True
    family: socket.AddressFamily = socket.AF_UNSPEC
    local_host: str | None = None
    socket_factory: Any = None
    resolver: "_CrossLoopResolver | None" = None

    @classmethod
    def of(cls, connector: TCPConnector | None) -> Self:
        """Return the settings of `connector`, which belongs to the user and perhaps to another event loop.

        They are private attributes of aiohttp; a setting that a release does not have gets its default.
        """
        if connector is None:
            return cls()
        resolver = None
        # Only a resolver of the user: a new one of aiohttp's returns the same addresses as the old one.
        if not getattr(connector, "_resolver_owner", True):
            resolver = _CrossLoopResolver(connector._resolver, connector._loop)
        local = getattr(connector, "_local_addr_infos", None)
        return cls(
            ssl=getattr(connector, "_ssl", True),
            family=socket.AddressFamily(connector.family),
            # Without the port: the connection to the mock is bound to it.
            local_host=local[0][4][0] if local else None,
            socket_factory=getattr(connector, "_socket_factory", None),
            resolver=resolver,
        )

    def connector(self) -> UnpatchedConnector:
        """Make a connector with these settings on the running loop."""
        return UnpatchedConnector(
            limit=0,
            ssl=self.ssl,
            family=self.family,
            local_addr=(self.local_host, 0) if self.local_host is not None else None,
            socket_factory=self.socket_factory,
            resolver=self.resolver,
        )


@dataclass(frozen=True)
class _CrossLoopResolver(AbstractResolver):
    """The user's resolver, run on its own event loop."""

    resolver: AbstractResolver
    loop: asyncio.AbstractEventLoop

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        # As aiohttp calls it: not every resolver takes the family by position.
        answer = asyncio.run_coroutine_threadsafe(self.resolver.resolve(host, port, family=family), self.loop)
        return await asyncio.wrap_future(answer)

    async def close(self) -> None:
        """Leave the user's resolver open."""
