"""How the server package is used, as a type checker sees it."""

from typing import assert_type

from aiohttp import WSMessage, web
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import (
    CloseConnection,
    Fault,
    FaultReply,
    Registry,
    Reply,
    Response,
    Stream,
    Upgrade,
    UpgradedConnection,
    WebSocket,
    WebSocketConnection,
)
from aiointercept_server import (
    AiointerceptRequest,
    Answer,
    Listener,
    RecordedWebSocket,
    application,
    ignore_retries,
    is_served_here,
    read_body_first,
)

HEADERS = CIMultiDictProxy(CIMultiDict[str]())


async def answer(request: AiointerceptRequest) -> Reply:
    if request.headers.get("Upgrade"):
        return Upgrade(101, None, HEADERS, echo)
    if request.path == "/socket":
        return WebSocket(talk, ("v1",))
    if request.path == "/echo":
        return Stream(200, None, HEADERS, request.stream())
    if not await request.receive():
        return CloseConnection()
    if request.path == "/reset":
        return FaultReply(Fault.RESET, delay=0.5)
    assert_type(request.captured_body, bytes | None)
    assert_type(request.encoded_body, bytes | None)
    assert_type(request.messages, list[WSMessage])
    return Response(200, None, HEADERS, b"")


async def echo(connection: UpgradedConnection) -> None:
    while data := await connection.receive():
        await connection.send(data)


async def talk(ws: RecordedWebSocket) -> None:
    await ws.send_str(ws.request.path)
    connection: WebSocketConnection = ws
    await connection.send_bytes(b"")


async def no_answer(request: AiointerceptRequest) -> web.Response:
    return web.Response()


def mounting() -> None:
    registry: Registry[AiointerceptRequest] = Registry()
    assert_type(application(registry.answer), web.Application)
    application(answer)
    application(no_answer)  # type: ignore[arg-type]


def listening() -> None:
    registry: Registry[AiointerceptRequest] = Registry()
    wrapped: Answer = ignore_retries(read_body_first(registry.answer))
    listener = Listener(wrapped)
    assert_type(listener.port, int)
    assert_type(listener.address("https"), tuple[str, int])
    listener.close().result(5)
    Listener(answer).close_soon(lambda: print("closed"))
    Listener(no_answer)  # type: ignore[arg-type]


assert_type(is_served_here(8080), bool)
