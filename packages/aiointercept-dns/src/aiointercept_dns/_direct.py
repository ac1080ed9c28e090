"""A connector to the real network, made like one of the user's."""

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

__all__ = ["DirectConnector", "NetworkSettings"]


class DirectConnector(TCPConnector):
    """A connector that no redirection concerns: it reaches the real network."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How a connector reaches the network. Equal settings may share connections."""

    ssl: Any = True
    family: socket.AddressFamily = socket.AF_UNSPEC
    local_host: str | None = None
    socket_factory: Any = None
    resolver: AbstractResolver | None = None
    resolver_loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def of(cls, connector: TCPConnector | None) -> Self:
        """Return the settings of `connector`, which belongs to the user and perhaps to another loop.

        aiohttp keeps them to itself; where a release calls one of them otherwise, its default is used.
        """
        if connector is None:
            return cls()
        # One that aiohttp made: a new one gives the same answers, without visits to another loop.
        own = getattr(connector, "_resolver_owner", True)
        resolver = None if own else getattr(connector, "_resolver", None)
        local = getattr(connector, "_local_addr_infos", None)
        return cls(
            ssl=getattr(connector, "_ssl", True),
            family=socket.AddressFamily(connector.family),
            # Without the port: the connection to the mock is bound to it.
            local_host=local[0][4][0] if local else None,
            socket_factory=getattr(connector, "_socket_factory", None),
            resolver=resolver,
            resolver_loop=getattr(connector, "_loop", None) if resolver is not None else None,
        )

    def connector(self) -> DirectConnector:
        """Make a connector with these settings on the running loop."""
        resolver = None
        if self.resolver is not None and self.resolver_loop is not None:
            resolver = _VisitedResolver(self.resolver, self.resolver_loop)
        return DirectConnector(
            limit=0,
            ssl=self.ssl,
            family=self.family,
            local_addr=(self.local_host, 0) if self.local_host is not None else None,
            socket_factory=self.socket_factory,
            resolver=resolver,
        )


class _VisitedResolver(AbstractResolver):
    """The user's resolver, asked on the loop on which it lives."""

    def __init__(self, resolver: AbstractResolver, home: asyncio.AbstractEventLoop) -> None:
        self._resolver = resolver
        self._home = home

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> "list[ResolveResult]":
        # As aiohttp calls it: not every resolver takes the family by position.
        answer = asyncio.run_coroutine_threadsafe(self._resolver.resolve(host, port, family=family), self._home)
        return await asyncio.wrap_future(answer)

    async def close(self) -> None:
        """Leave the user's resolver open."""
