"""WebSockets and event streams, as a type checker sees them: what is right has its type, what is wrong is an error."""

import re
from collections.abc import AsyncIterator
from typing import Any, assert_type

from aiohttp import WSMessage

from aiointercept import AiointerceptRequest, Route, ServerSentEvent, ServerWebSocket, aiointercept


async def handler(ws: ServerWebSocket) -> None:
    assert_type(ws.request, AiointerceptRequest)
    assert_type(ws.protocol, str | None)
    assert_type(await ws.receive_str(timeout=1), str)
    assert_type(await ws.receive_bytes(), bytes)
    await ws.send_json({"a": [1]})
    await ws.send_str(b"a")  # type: ignore[arg-type]
    async for message in ws:
        assert_type(message, WSMessage)
    assert_type(ws.close_code, int | None)
    assert_type(await ws.close(code=4000, message=b"bye"), bool)


def no_coroutine_function(ws: ServerWebSocket) -> None:
    print(ws.closed)


async def events() -> AsyncIterator[str]:
    yield "a"


def websockets_and_event_streams(m: aiointercept) -> None:
    assert_type(m.ws("wss://api.example.com/", handler, protocols=["a"], repeat=True), Route[AiointerceptRequest])
    m.ws(re.compile("wss://"), handler, match_query={"a": "1"}, delay=0.1)
    m.ws("wss://api.example.com/", no_coroutine_function)  # type: ignore[arg-type]
    m.ws("wss://api.example.com/", handler, status=101)  # type: ignore[arg-type]
    m.post("https://api.example.com/", sse=[{"a": 1}, "b", ["c"], ServerSentEvent("d", retry=1)])
    m.get("https://api.example.com/", sse=events, repeat=True)
    m.get("https://api.example.com/", sse=events())
    m.get("https://api.example.com/", sse=[1])  # type: ignore[list-item]
    if m.last_request is not None:
        assert_type(m.last_request.messages, list[WSMessage] | Any)
