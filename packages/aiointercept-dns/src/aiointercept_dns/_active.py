"""The redirections that are active, and which of them answers for a request."""

from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import ServerDisconnectedError
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from ._location import Address, Location, Origins, OutgoingRequest

if TYPE_CHECKING:
    from ._call import Attempt

__all__ = ["ActiveRedirection", "Ends", "ends", "locate"]

# The socket addresses of the two ends of a connection, the client's first. One alone does not name a connection: a
# local port is used again for another destination.
Ends: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]


class ActiveRedirection:
    """A redirection from one start to its end. What has to do with it asks it whether it has ended.

    `keys` are the URLs that its connections go to and the keys that they are pooled by, for the keys that clients asked
    for and the addresses that they were sent to. `attempts` are what clients have sent to it and nobody has asked for
    yet, `None` where nobody will.
    """

    __slots__ = ("attempts", "end_reason", "keys", "origins", "plain_errors")

    def __init__(self, origins: Origins, attempts: "dict[Ends, Attempt] | None", *, plain_errors: bool) -> None:
        self.origins = origins
        self.attempts = attempts
        self.plain_errors = plain_errors
        self.keys: dict[tuple[ConnectionKey, Address], tuple[URL, ConnectionKey]] = {}
        self.end_reason: str | None = None

    def end_error(self) -> ServerDisconnectedError | None:
        """Return what a call that depends on it gets now that it has ended, `None` while it has not."""
        # One for each call: an exception that is raised in several tasks mixes up their tracebacks.
        return ServerDisconnectedError(self.end_reason) if self.end_reason is not None else None


def locate(
    redirections: tuple[ActiveRedirection, ...], request: OutgoingRequest
) -> tuple[ActiveRedirection | None, Location]:
    """Return where `request` is to go and who says so: the last of `redirections` that knows, then fallbacks."""
    fallback: tuple[ActiveRedirection | None, Location] = None, None
    for redirection in reversed(redirections):
        location = redirection.origins.locate(request)
        if isinstance(location, Address) and location.fallback:
            if fallback[0] is None:
                fallback = redirection, location
        elif location is not None:
            return redirection, location
    return fallback


def ends(client: tuple[Any, ...], server: tuple[Any, ...]) -> Ends:
    """Return the key of a connection between two socket addresses, without what IPv6 adds to host and port."""
    return client[:2], server[:2]
