"""Test aiohttp clients against a real server on loopback that answers in place of the services they call."""

from aiointercept_core import CallbackResult, Fault, Route, ServerSentEvent
from aiointercept_server import AiointerceptRequest

from ._aiointercept import aiointercept
from ._warnings import AiointerceptWarning
from ._websocket import ServerWebSocket

__all__ = [
    "AiointerceptRequest",
    "AiointerceptWarning",
    "CallbackResult",
    "Fault",
    "Route",
    "ServerSentEvent",
    "ServerWebSocket",
    "aiointercept",
]
