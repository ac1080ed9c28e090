"""A WebSocket: aiohttp's handshake and frames, and a handler that talks to the client."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, WSMsgType, web

from aiointercept_core import WebSocket, format_error
from aiointercept_core._user_code import ReportedError

if TYPE_CHECKING:
    from ._request import AiointerceptRequest

__all__ = ["RecordedWebSocket", "run_websocket"]

logger = logging.getLogger("aiointercept")


class RecordedWebSocket(web.WebSocketResponse):
    """An `aiohttp.web.WebSocketResponse` that keeps what it receives in the `messages` of its `request`.

    The client's closing is answered when the handler ends, and not when it is received: a client that closes and waits
    for the answer has waited for everything that the handler checks.
    """

    def __init__(self, request: "AiointerceptRequest", reply: WebSocket) -> None:
        # A mock must not be the one that refuses a message: no limit of its size.
        super().__init__(protocols=reply.protocols, autoclose=False, max_msg_size=0)
        self.request = request
        self.headers.update(reply.headers or {})

    async def receive(self, timeout: float | None = None) -> Any:
        """Return the next message; `TimeoutError` if none arrives within `timeout` seconds."""
        message = await super().receive(timeout)
        if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
            self.request.messages.append(message)
        return message


async def run_websocket(request: Any, reply: WebSocket) -> web.StreamResponse:
    """Accept the handshake `request`, await the handler of `reply`, and close; refuse a request that is no handshake.

    The close code is 1000 when the handler returns and 1011 when it raises; the error is logged unless it comes from a
    client that has left. Nothing is sent when this is cancelled.
    """
    socket = RecordedWebSocket(request, reply)
    try:
        await socket.prepare(request)
    except web.HTTPException as exc:
        return web.Response(status=exc.status, reason=exc.reason, text=exc.text)
    except ConnectionError:
        # The client has left meanwhile.
        return socket
    try:
        await reply.handler(socket)
    except asyncio.CancelledError:
        raise
    except BaseException as exc:
        transport = request.transport
        has_left = isinstance(exc, ConnectionError) and (transport is None or transport.is_closing())
        if not has_left and not isinstance(exc, ReportedError):
            logger.error("the WebSocket handler of %s failed:\n%s", request.url, format_error(exc))
        await socket.close(code=WSCloseCode.INTERNAL_ERROR)
    else:
        await socket.close()
    return socket
