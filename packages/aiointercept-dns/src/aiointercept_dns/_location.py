"""Where an origin lives: the question, its answers, and who is asked."""

import enum
import functools
import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from yarl import URL

if TYPE_CHECKING:
    from ._call import Attempt

__all__ = [
    "REAL_NETWORK",
    "Address",
    "Location",
    "Origins",
    "OutgoingRequest",
    "bare_host",
    "is_ip_address",
    "is_loopback",
]

# Telling whether a host is an address takes some 5 us, and is asked for every request; tests ask for few hosts.
_MEMO_SIZE = 1024


class Address(NamedTuple):
    """An IP address and port at which an origin lives, reached in plain HTTP.

    A `fallback` is used only where nobody further out knows the origin.
    """

    host: str
    port: int
    fallback: bool = False


class _RealNetwork(enum.Enum):
    REAL_NETWORK = "the real network"


REAL_NETWORK = _RealNetwork.REAL_NETWORK

# An exception is raised at the caller; `None` leaves the answer to whoever is asked next.
Location: TypeAlias = Address | _RealNetwork | BaseException | None


class OutgoingRequest(Protocol):
    """A request that a client is about to send.

    `url` has the scheme http or https, without user info and fragment. `family` is the socket address family that
    the client's connector is bound to, `AF_UNSPEC` for any. `attempt` is the same request with all that is known of it.
    """

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> URL: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def family(self) -> int: ...
    @property
    def attempt(self) -> "Attempt": ...


class Origins(Protocol):
    """Who knows where origins live."""

    def locate(self, request: OutgoingRequest) -> Location:
        """Say where `request` is to go. Called on the client's loop, so it may not wait."""


@functools.lru_cache(maxsize=_MEMO_SIZE)
def is_ip_address(host: str) -> bool:
    """Tell whether `host` is a bare IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def bare_host(host: str) -> str:
    """Return `host` as it is compared: in lower case and without the dot at the end of a full name."""
    return host.lower().rstrip(".")


@functools.lru_cache(maxsize=_MEMO_SIZE)
def is_loopback(host: str) -> bool:
    """Tell whether `host` names this machine: `localhost`, `127.0.0.0/8` or `::1`."""
    name = bare_host(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return is_ip_address(host) and ipaddress.ip_address(host).is_loopback
