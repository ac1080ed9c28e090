"""The server as an aiohttp application, for an aiohttp runner, `web.run_app` or a test client."""

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
        return await handle_request(answer, AiointerceptRequest._adopt(request))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle, expect_handler=_write_no_continue)
    return app


async def _write_no_continue(request: web.Request) -> None:
    """Leave `100 Continue` to the request, which has it written when its body is first read."""
