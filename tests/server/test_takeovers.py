"""An owner may serve a request itself, at the sight of its head."""

import asyncio

from aiohttp import web
from mock_server import Mock, connect, eventually
from support import fetch

from aiointercept_core import Stream, error_response
from aiointercept_server import ClosedResponse, send_reply

UPLOAD = b"POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 8\r\n"


async def test_it_returns_any_response_of_aiohttp(mock: Mock):
    async def serve(request):
        return web.Response(text=f"{request.method} {request.path}", status=202)

    mock.screen = lambda request: serve if request.path == "/taken" else None
    mock.registry.get(f"{mock.url}/left", body="left")
    assert (await fetch(f"{mock.url}/taken")).text == "GET /taken"
    assert (await fetch(f"{mock.url}/left")).text == "left"
    assert mock.registry.call_count == 1


async def test_it_gets_the_body_as_it_comes_and_the_request_keeps_it(mock: Mock):
    seen = []

    async def serve(request):
        async for chunk in request.stream():
            seen.append(bytes(chunk))
        return web.Response(text="done")

    mock.screen = lambda request: kept.append(request) or serve
    kept = []
    async with connect(mock.port) as wire:
        await wire.send(UPLOAD + b"\r\nhalf")
        await eventually(lambda: seen)
        await wire.send(b"rest")
        assert (await wire.response()).body == b"done"
    assert seen == [b"half", b"rest"]
    assert (kept[0].captured_body, kept[0].complete) == (b"halfrest", True)


async def test_it_may_send_a_reply_of_core(mock: Mock):
    async def chunks():
        yield b"streamed"

    async def serve(request):
        if request.path == "/error":
            return await send_reply(request, error_response(LookupError("told")))
        if request.path == "/closed":
            return ClosedResponse(request)
        return await send_reply(request, Stream(200, None, request.headers, chunks()))

    mock.screen = lambda request: serve
    assert (await fetch(f"{mock.url}/")).text == "streamed"
    assert "LookupError: told" in (await fetch(f"{mock.url}/error")).text
    async with connect(mock.port) as wire:
        await wire.send(b"POST /closed HTTP/1.1\r\nHost: api.example\r\n\r\n")
        assert await wire.rest() == b""


async def test_an_error_in_it_is_told_even_behind_the_word_to_go_on(mock: Mock):
    async def serve(request):
        await asyncio.sleep(0)
        raise LookupError("told to the log")

    mock.screen = lambda request: serve
    async with connect(mock.port) as wire:
        await wire.send(UPLOAD + b"Expect: 100-continue\r\n\r\n")
        assert (await wire.response(bodiless=True)).status == 100
        assert (await wire.exchange(b"the body")).status == 500
