"""The ports of the mocks of this process, to which nothing is forwarded."""

from aiointercept_dns import is_loopback
from aiointercept_server import is_served_here

__all__ = ["OwnPortError", "refuse_own_port"]


class OwnPortError(Exception):
    """A request that would be forwarded to a port of a mock of this process."""


def refuse_own_port(host: str, port: int) -> OwnPortError | None:
    """Return an error if `host` is this machine and `port` belongs to a mock of this process."""
    return OwnPortError() if is_loopback(host) and is_served_here(port) else None
