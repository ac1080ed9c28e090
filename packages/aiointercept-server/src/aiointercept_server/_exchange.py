"""One exchange: a request comes off the wire, its owner is asked, the reply goes onto the wire."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from aiohttp import web

from aiointercept_core import CloseConnection, Reply, Response, error_response, format_error

from ._ready import READY_REPLIES
from ._request import AiointerceptRequest
from ._resend import ResendDetector
from ._wire import ClosedResponse, send_reply

__all__ = ["Answer", "Exchange", "Owner", "Takeover", "exchange"]

logger = logging.getLogger("aiointercept")

Answer: TypeAlias = Callable[[AiointerceptRequest], Awaitable[Reply]]
Takeover: TypeAlias = Callable[[AiointerceptRequest], Awaitable[web.StreamResponse]]


class Owner(Protocol):
    """What a listener asks of whoever opened it, on the server's thread."""

    def screen(self, request: AiointerceptRequest) -> Takeover | None:
        """Look at the head of `request` before its body is read; a function that is returned serves it instead."""

    def answer(self, request: AiointerceptRequest) -> Response | Awaitable[Reply]:
        """Return the reply to `request`, whose body is there, if it is one that is sent again; else what to await."""

    def abandon(self, request: AiointerceptRequest) -> None:
        """Take note of `request`, whose client left before the body was complete."""


class Exchange:
    """The handler of one listening socket: a coroutine function from a request to a response."""

    def __init__(self, owner: Owner, resends: ResendDetector) -> None:
        self._owner = owner
        self._resends = resends

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, AiointerceptRequest)
        owner = self._owner
        takeover = owner.screen(request)
        # An owner who told the URL knows the call as well: nothing has to be guessed from the wire.
        guess = not request.url_was_told
        if request.expects_continue:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            # The interim response is no part of the final one, whose size decides whether an error can still be told.
            request.writer.output_size = 0
        if takeover is not None:
            return await takeover(request)
        if not request.receive_nowait() and not await self._receive(request):
            return ClosedResponse(request)
        if guess and self._resends.is_resend(request):
            return ClosedResponse(request)
        try:
            answer = owner.answer(request)
            # Most are, and a coroutine costs as much as to find out which one.
            reply = answer if isinstance(answer, Response) else await answer
        except BaseException as exc:
            reply = _reply_to_error(exc, request)
        if isinstance(reply, Response):
            return READY_REPLIES.response(request, reply)
        if guess and isinstance(reply, CloseConnection):
            self._resends.closing(request)
        return await send_reply(request, reply)

    async def _receive(self, request: AiointerceptRequest) -> bool:
        try:
            return await request.receive()
        finally:
            if not request.complete:
                self._owner.abandon(request)


async def exchange(answer: Answer, request: AiointerceptRequest) -> web.StreamResponse:
    """Serve `request`, whose body is still on the wire, with what `answer` says."""
    if not await request.receive():
        return ClosedResponse(request)
    try:
        reply = await answer(request)
    except BaseException as exc:
        reply = _reply_to_error(exc, request)
    return await send_reply(request, reply)


def _reply_to_error(error: BaseException, request: AiointerceptRequest) -> Reply:
    """Return the reply to a request that could not be answered; raise what ends its task."""
    if isinstance(error, asyncio.CancelledError):
        raise error
    # Whatever else it is: a `SystemExit` would end the thread on which all mocks of the process are served.
    logger.error("answering %s %s failed:\n%s", request.method, request.url, format_error(error))
    return error_response(error)
