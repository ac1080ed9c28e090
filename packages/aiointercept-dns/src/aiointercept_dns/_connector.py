"""Connect with the settings of a user's connector: to a mock, past its overridden methods, or to the real network."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from aiohttp import ClientConnectionError, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from ._active import ActiveRedirection, socket_pair
from ._decision import Address
from ._outgoing import OutgoingRequest

if TYPE_CHECKING:
    from aiohttp.connector import Connection

__all__ = ["NetworkSettings", "UnpatchedConnector", "bound_family", "check_family", "verify_peer", "without_overrides"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


class UnpatchedConnector(TCPConnector):
    """A connector that is never redirected: it reaches the real network, except for what `refuse` has an error for."""

    refuse: Callable[[str, int], Exception | None] | None = None

    async def connect(self, *args: Any, **options: Any) -> "Connection":
        connection = await super().connect(*args, **options)
        peer = connection.transport and connection.transport.get_extra_info("peername")
        # An IPv4 address may be reached as an IPv6 address.
        error = self.refuse(peer[0].removeprefix("::ffff:"), peer[1]) if self.refuse is not None and peer else None
        if error is not None:
            connection.close()
            raise error
        return connection


class _PlainConnector(TCPConnector):
    def __del__(self, _: object = None) -> None:
        """Leave the connections of the user's connector open."""


def without_overrides(connector: TCPConnector) -> TCPConnector:
    """Return `connector` with the methods of aiohttp's own class: it shares all attributes, such as the pool.

    The methods of a subclass may ignore the address that they are given: those of a SOCKS connector connect to a proxy.
    """
    if type(connector) is TCPConnector:
        return connector
    plain = _PlainConnector.__new__(_PlainConnector)
    # One dict for both objects, since aiohttp assigns attributes anew, such as the flag of a closed connector: a copy
    # would miss that. Calling `TCPConnector.connect` on the connector itself would call the methods of the subclass.
    plain.__dict__ = connector.__dict__
    return plain


def _local_addresses(connector: TCPConnector) -> Any:
    return getattr(connector, "_local_addr_infos", None)


def bound_family(connector: TCPConnector) -> int:
    """Return the address family that `connector` is bound to, by itself or by its local address."""
    family = connector.family
    local = _local_addresses(connector)
    if family == socket.AF_UNSPEC and local and all(info[0] == socket.AF_INET6 for info in local):
        return socket.AF_INET6
    return family


def check_family(family: int, address: Address) -> None:
    """Raise `ClientConnectionError` if a connector that is bound to `family` cannot reach `address`."""
    if family != socket.AF_UNSPEC and (family == socket.AF_INET6) != (":" in address.host):
        raise ClientConnectionError(
            f"the connector is bound to {socket.AddressFamily(family).name}, but the mock listens on {address.host}: "
            "create the connector without family= and local_addr=, or let the mock listen on that family"
        )


def verify_peer(
    connection: "Connection", address: Address, redirection: ActiveRedirection, request: OutgoingRequest
) -> None:
    """Raise `ClientConnectionError` if the connection leads elsewhere; else remember that it carries `request`."""
    transport = connection.transport
    if transport is None:
        # It is lost already, and aiohttp raises its own error.
        return
    client, server = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    if client is None or server is None or server[:2] != address[:2]:
        raise ClientConnectionError(
            f"the connector opened a connection to {server!r} instead of the mock at {address.host}:{address.port}, "
            "and it was closed before anything was sent: use a connector that connects to the address it is given"
        )
    if redirection.requests is not None:
        redirection.requests[socket_pair(client, server)] = request


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How a connector reaches the network. Connectors with equal settings may share connections."""

    ssl: Any = True
    family: socket.AddressFamily = socket.AF_UNSPEC
    local_addr: tuple[str, int] | None = None
    socket_factory: Any = None
    resolver: "_CrossLoopResolver | None" = None

    @classmethod
    def of(cls, connector: TCPConnector | None) -> Self:
        """Return the settings of `connector`, which belongs to the user and perhaps to another event loop.

        They are private attributes of aiohttp; a setting that a release does not have gets its default.
        """
        if connector is None:
            return cls()
        # Only a resolver of the user: a new one of aiohttp's returns the same addresses as the old one.
        is_users = not getattr(connector, "_resolver_owner", True)
        resolver = _CrossLoopResolver(connector._resolver, connector._loop) if is_users else None
        local = _local_addresses(connector)
        return cls(
            ssl=getattr(connector, "_ssl", True),
            family=socket.AddressFamily(connector.family),
            # Without the port: the connection to the mock is bound to it.
            local_addr=(local[0][4][0], 0) if local else None,
            socket_factory=getattr(connector, "_socket_factory", None),
            resolver=resolver,
        )

    def connector(self) -> UnpatchedConnector:
        """Make a connector with these settings on the running loop."""
        settings: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return UnpatchedConnector(limit=0, **settings)


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
