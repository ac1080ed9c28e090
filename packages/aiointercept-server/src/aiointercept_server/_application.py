"""The server as an aiohttp application, for an aiohttp runner, `web.run_app` or a test client."""

import asyncio

import aiohttp
from aiohttp import web

from ._handler import Answer, handle_request, read_body_first
from ._request import AiointerceptRequest

__all__ = ["application"]


def application(answer: Answer) -> web.Application:
    """Return an application that answers every request with the reply that `answer` returns for it.

    `answer` is an async function such as `Registry.answer`; it is asked once the whole body of a request has arrived,
    and not asked if the client leaves before that.

    aiohttp's own retries count as requests here. The server that the application is mounted in decides which request
    methods it accepts.
    """
    answer = read_body_first(answer)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await handle_request(answer, _aiointercept_request(request))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle, expect_handler=_write_no_continue)
    return app


def _aiointercept_request(request: web.Request) -> AiointerceptRequest:
    """Return a request of our class for one that aiohttp made."""
    message = getattr(request, "_message", None)
    if message is None:
        raise RuntimeError(
            f"application() cannot be used with aiohttp {aiohttp.__version__}, because it lacks Request._message: "
            "install a release of aiointercept that supports it, or an older aiohttp"
        )
    received = AiointerceptRequest(
        message,
        request.content,
        request.protocol,
        request.writer,
        request.task,
        asyncio.get_running_loop(),
        state=dict(request),
        scheme=request.scheme,
        remote=request.remote,
    )
    received._match_info = request.match_info
    # Now, because the address of the server is not known any more once the client has left.
    received._url = received.url
    return received


async def _write_no_continue(request: web.Request) -> None:
    """Leave `100 Continue` to the request, which has it written when its body is first read."""
