"""A redirection while it is active, and the requests that were sent to it."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import ServerDisconnectedError

from ._decision import Decider
from ._outgoing import OutgoingRequest

__all__ = ["ActiveRedirection", "Redirections", "SocketPair", "socket_pair"]

# The socket addresses of the two ends of a connection, the client's first. One alone does not identify a connection:
# a local port is used again for another destination.
SocketPair: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]


@dataclass(eq=False)
class ActiveRedirection:
    """A redirection from one `start()` to its `stop()`.

    `requests` are the requests sent to it that `pop_request` has not returned, or `None` to keep none. `pool_token`
    marks the connections to it. `end_reason` is `None` until it ends.
    """

    decide: Decider
    requests: dict[SocketPair, OutgoingRequest] | None
    unwrap_os_errors: bool
    # Not the redirection itself: a pooled connection must not keep a mock alive.
    pool_token: object = field(default_factory=object)
    end_reason: str | None = None

    def end_error(self) -> ServerDisconnectedError | None:
        """Return a new error for a call that was pending when the redirection ended; `None` if it is active."""
        # One error for each call: an exception raised in several tasks mixes up their tracebacks.
        return ServerDisconnectedError(self.end_reason) if self.end_reason is not None else None


# The innermost redirection is the last. The tuple is replaced whenever a redirection starts or stops.
Redirections: TypeAlias = tuple[ActiveRedirection, ...]


def socket_pair(client: tuple[Any, ...], server: tuple[Any, ...]) -> SocketPair:
    """Return the two socket addresses as host and port, without the other fields of IPv6 addresses."""
    return client[:2], server[:2]
