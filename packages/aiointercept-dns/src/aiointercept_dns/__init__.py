"""Decide where an origin lives, for aiohttp clients: at a mock's address, or on the real network.

Two ways in: `OriginResolver`, a resolver for one's own connector, patches nothing; `Redirection` redirects every
aiohttp client of the process. Both work in front of any server.
"""

from ._call import Attempt, Call
from ._forward import Forwarded, Forwarder
from ._host_map import HostMap, Targets
from ._location import REAL_NETWORK, Address, Location, Origins, OutgoingRequest, is_ip_address, is_loopback
from ._passthrough import Passthrough
from ._redirection import Redirection
from ._resolver import OriginResolver

__all__ = [
    "REAL_NETWORK",
    "Address",
    "Attempt",
    "Call",
    "Forwarded",
    "Forwarder",
    "HostMap",
    "Location",
    "OriginResolver",
    "Origins",
    "OutgoingRequest",
    "Passthrough",
    "Redirection",
    "Targets",
    "is_ip_address",
    "is_loopback",
]
