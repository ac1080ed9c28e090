"""How the server is used in a place of one's own, as a type checker sees it."""

from typing import Any, assert_type

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import Registry, Reply, Response
from aiointercept_server import AiointerceptRequest, Listener, Takeover, application


async def answer(request: AiointerceptRequest) -> Reply:
    assert_type(request.captured_body, bytes | None)
    return Response(200, None, CIMultiDictProxy(CIMultiDict[str]()), b"")


async def no_answer(request: AiointerceptRequest) -> web.Response:
    return web.Response()


class Owner:
    """What a listener asks."""

    def screen(self, request: AiointerceptRequest) -> Takeover | None:
        return None

    async def answer(self, request: AiointerceptRequest) -> Reply:
        return await answer(request)

    def abandon(self, request: AiointerceptRequest) -> None:
        print(request.complete)


def mounting() -> None:
    registry: Registry[AiointerceptRequest] = Registry()
    assert_type(application(registry.answer), web.Application)
    application(answer)
    application(no_answer)  # type: ignore[arg-type]


def listening(owner: Any) -> None:
    listener = Listener(Owner(), https=True)
    assert_type(listener.port, int)
    assert_type(listener.address("https"), tuple[str, int])
    listener.close().result(5)
    Listener(answer)  # type: ignore[arg-type]
