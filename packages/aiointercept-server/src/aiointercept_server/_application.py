"""The handler as an aiohttp application, for those who serve it in a runner of their own."""

from aiohttp import web

from ._exchange import Answer, exchange
from ._request import AiointerceptRequest

__all__ = ["application"]


def application(answer: Answer) -> web.Application:
    """Return an application that serves every request with what `answer` says.

    `answer` is an async function from an `AiointerceptRequest`, whose body is there, to a reply of
    `aiointercept_core`, such as `Registry.answer`. It is not asked about a request whose client left early.

    A resend of aiohttp's is a request like any other here, and methods that aiohttp's parser does not know are refused
    by whatever server the application is mounted in.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        return await exchange(answer, AiointerceptRequest.adopt(request))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app
