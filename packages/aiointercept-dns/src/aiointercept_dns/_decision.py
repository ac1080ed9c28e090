"""The question that redirections are asked, where a request goes, and its answers.

An `Address` redirects the request to a server. `REAL_NETWORK` sends it there, past all outer redirections. An exception
is raised in the caller, without a connection. `None` leaves the decision to the next outer redirection, and to the real
network in the end.
"""

import enum
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from ._outgoing import OutgoingRequest

__all__ = ["REAL_NETWORK", "Address", "Decider", "Decision"]


class Address(NamedTuple):
    """An IP address and port to connect to in plain HTTP.

    A `fallback` is used only if no outer redirection decides for the request: an inner mock that answers everything
    does not take the requests that an outer one has replies for.
    """

    host: str
    port: int
    fallback: bool = False


class _RealNetwork(enum.Enum):
    REAL_NETWORK = "the real network"


REAL_NETWORK = _RealNetwork.REAL_NETWORK

Decision: TypeAlias = Address | _RealNetwork | BaseException | None

# Called on the event loop of the client, so it must not block.
Decider: TypeAlias = Callable[[OutgoingRequest], Decision]
