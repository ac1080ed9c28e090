"""The ports of the mocks of this process, to which nothing is forwarded."""

from typing import Any

from aiointercept_dns import is_loopback
from aiointercept_server._thread import SERVER_THREAD

__all__ = ["OwnPortError", "refuse_own_port"]


class OwnPortError(Exception):
    """A request that would be forwarded to a port of a mock of this process."""


def refuse_own_port(host: str, port: int) -> OwnPortError | None:
    """Return an error if `host` is this machine and `port` belongs to a mock of this process."""
    return OwnPortError() if is_loopback(host) and _is_served_here(port) else None


def _is_served_here(port: int) -> bool:
    listeners: list[Any] = list(SERVER_THREAD.listeners)
    return any(port == address[1] for each in listeners for address in list(each._addresses.values()))
