"""A real aiohttp server for mock replies: HTTP in, a core request out; a core reply in, HTTP out.

It asks one question of its owner, `answer(request) -> reply`, and knows no registry.
"""

from ._application import application
from ._exchange import Answer, Owner, Takeover
from ._listener import Listener
from ._request import AiointerceptRequest
from ._wire import ClosedResponse, send_reply

__all__ = [
    "AiointerceptRequest",
    "Answer",
    "ClosedResponse",
    "Listener",
    "Owner",
    "Takeover",
    "application",
    "send_reply",
]
