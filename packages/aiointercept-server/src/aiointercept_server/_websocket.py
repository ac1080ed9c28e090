"""A WebSocket: aiohttp's handshake and frames, and a handler that talks to the client."""

import asyncio
import logging
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import CloseConnection, Response, WebSocket, format_error
from aiointercept_core._user_code import ReportedError

from ._clock import sleep
from ._request import AiointerceptRequest
from ._writer import write_reply

__all__ = ["RecordedWebSocket", "run_websocket"]

logger = logging.getLogger("aiointercept")


class RecordedWebSocket(web.WebSocketResponse):
    """An `aiohttp.web.WebSocketResponse` that keeps what it receives in the `messages` of its `request`.

    The client's closing is answered when the handler ends, and not when it is received: a client that closes and waits
    for the answer has waited for everything that the handler checks.
    """

    def __init__(self, request: AiointerceptRequest, reply: WebSocket) -> None:
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


async def run_websocket(request: AiointerceptRequest, reply: WebSocket) -> web.StreamResponse:
    """Accept the handshake `request`, await the handler of `reply`, and close; refuse a request that is no handshake.

    The close code is 1000 when the handler returns and 1011 when it raises; the error is logged unless it comes from a
    client that has left. Nothing is sent when this is cancelled.
    """
    if reply.delay:
        await sleep(reply.delay)
    if request.protocol.transport is None:
        # aiohttp cannot begin a WebSocket for a client that has left.
        return await write_reply(request, CloseConnection())
    socket = RecordedWebSocket(request, reply)
    try:
        await socket.prepare(request)
    except web.HTTPException as exc:
        headers = CIMultiDictProxy(CIMultiDict(exc.headers))
        return await write_reply(request, Response(exc.status, exc.reason, headers, (exc.text or "").encode()))
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
