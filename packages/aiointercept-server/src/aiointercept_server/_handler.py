"""The handling of one request: the answer function is asked for a reply, and the reply is written."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from aiointercept_core import CloseConnection, Reply, WebSocket, error_response, format_error

from ._request import AiointerceptRequest
from ._websocket import run_websocket
from ._writer import write_reply

__all__ = ["Answer", "handle_request", "read_body_first"]

logger = logging.getLogger("aiointercept")

Answer: TypeAlias = Callable[[AiointerceptRequest], Awaitable[Reply]]


async def handle_request(answer: Answer, request: web.BaseRequest) -> web.StreamResponse:
    """Answer `request` with the reply that `answer` returns, or with status 500 and the traceback if it raises."""
    # Requests are made by `application` or by the request factory of `Server`, aiohttp only passes them on.
    assert isinstance(request, AiointerceptRequest)
    try:
        reply: object = await answer(request)
        if not isinstance(reply, Reply):
            raise TypeError(f"the answer function must return a reply of aiointercept_core, got {reply!r}")
    except asyncio.CancelledError:
        raise
    except BaseException as exc:
        # Also a SystemExit: it would end the thread that serves all mocks of the process.
        logger.error("answering %s %s failed:\n%s", request.method, request.url, format_error(exc))
        reply = error_response(exc)
    if isinstance(reply, WebSocket):
        return await run_websocket(request, reply)
    return await write_reply(request, reply)


def read_body_first(answer: Answer) -> Answer:
    """Return an answer function that receives the whole body of a request before it asks `answer`.

    If the client leaves before its body is complete, or sends an invalid one, the connection is closed and `answer` is
    not asked.
    """

    async def answer_complete_request(request: AiointerceptRequest) -> Reply:
        if not await request.receive():
            return CloseConnection()
        return await answer(request)

    return answer_complete_request
