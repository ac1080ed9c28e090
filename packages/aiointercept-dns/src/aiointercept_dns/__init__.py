"""Decide where the requests of aiohttp clients go: to a mock server, or to the real network.

There are two ways: `OriginResolver`, a resolver for your own connector, patches nothing; `Redirection` redirects every
aiohttp client of the process. Both work in front of any server. `failures` has the exceptions of aiohttp for failures
that only a client meets.
"""

from . import failures
from ._decision import REAL_NETWORK, Address, Decider, Decision, RealNetwork
from ._hosts import Passthrough, Targets, is_ip_address, is_loopback
from ._outgoing import OutgoingRequest
from ._redirection import Redirection
from ._resolver import OriginResolver
from ._upstream import Upstream, UpstreamResponse

__all__ = [
    "REAL_NETWORK",
    "Address",
    "Decider",
    "Decision",
    "OriginResolver",
    "OutgoingRequest",
    "Passthrough",
    "RealNetwork",
    "Redirection",
    "Targets",
    "Upstream",
    "UpstreamResponse",
    "failures",
    "is_ip_address",
    "is_loopback",
]
