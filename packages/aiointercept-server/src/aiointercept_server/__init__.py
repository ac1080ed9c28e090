"""An aiohttp server for mock replies: it asks one async function, `answer(request)`, for the reply to each request.

Requests are `aiohttp.web.Request` objects; replies are the values of `aiointercept_core`.
"""

from ._application import application
from ._handler import Answer, read_body_first
from ._listener import Listener, is_served_here
from ._request import AiointerceptRequest
from ._retries import ignore_retries
from ._websocket import RecordedWebSocket

__all__ = [
    "AiointerceptRequest",
    "Answer",
    "Listener",
    "RecordedWebSocket",
    "application",
    "ignore_retries",
    "is_served_here",
    "read_body_first",
]
