"""A reply that accepts a WebSocket: the handshake and the frames are aiohttp's."""

import asyncio
import base64
import contextlib
import logging
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from mock_server import ClientConnection, Mock, connect, eventually
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import Reply, WebSocket
from aiointercept_server import AiointerceptRequest, RecordedWebSocket, application

Handler = Callable[[Any], Awaitable[None]]

HANDSHAKE = {
    "Host": "api.example",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
}


def head(**changes: str | None) -> bytes:
    """Return a handshake with other values for some headers, or without them."""
    fields = HANDSHAKE | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"GET /socket HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


def frame(data: bytes, opcode: int, *, final: bool = True) -> bytes:
    """Return a frame of a client, masked with zeros."""
    size = len(data)
    length = bytes([size | 0x80]) if size < 126 else b"\xfe" + struct.pack("!H", size)
    return bytes([final << 7 | opcode]) + length + bytes(4) + data


async def echo(ws: RecordedWebSocket) -> None:
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)


def answer_with(mock: Mock, handler: Handler, **options: Any) -> None:
    async def answer(request: AiointerceptRequest) -> Reply:
        return WebSocket(handler, **options)

    mock.answer = answer


@contextlib.asynccontextmanager
async def talking(mock: Mock, handler: Handler, **options: Any) -> AsyncIterator[ClientWebSocketResponse]:
    """Connect a client to `handler`."""
    answer_with(mock, handler)
    async with (
        asyncio.timeout(20),
        ClientSession() as session,
        session.ws_connect(mock.url, max_msg_size=0, **options) as client,
    ):
        yield client


def values(messages: list[aiohttp.WSMessage]) -> list[tuple[WSMsgType, Any]]:
    return [(message.type, message.data) for message in messages]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("compress", [0, 15])
async def test_messages_are_exchanged_and_kept(mock: Mock, compress: int):
    async with talking(mock, echo, compress=compress) as client:
        assert client.compress == compress
        await client.send_str("ü" * 70_000)
        assert await client.receive_str() == "ü" * 70_000
        await client.send_bytes(b"\x00\xff")
        assert await client.receive_bytes() == b"\x00\xff"
        await client.ping()
    assert values(mock.heads[0].messages) == [(WSMsgType.TEXT, "ü" * 70_000), (WSMsgType.BINARY, b"\x00\xff")]
    assert mock.heads[0].complete


async def test_a_message_of_16_megabytes(mock: Mock):
    data = os.urandom(2**24)
    async with talking(mock, echo) as client:
        await client.send_bytes(data)
        assert await client.receive_bytes() == data


async def test_in_an_application():
    async def answer(request: AiointerceptRequest) -> Reply:
        return WebSocket(echo, ("v1",))

    runner = web.AppRunner(application(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with (
            ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/", protocols=["v1"]) as client,
        ):
            assert client.protocol == "v1"
            await client.send_str("a")
            assert await client.receive_str(timeout=5) == "a"
    finally:
        await runner.cleanup()


async def test_fragments_and_frames_that_arrive_with_the_handshake(mock: Mock):
    answer_with(mock, echo)
    async with connect(mock.port) as connection:
        await connection.send(head() + frame(b"a", 1, final=False) + frame(b"ping", 9))
        assert (await connection.response(bodiless=True)).status == 101
        assert await connection.reader.readexactly(6) == b"\x8a\x04ping"
        await connection.send(frame(b"b", 0, final=False) + frame(b"c" * 200, 0))
        assert await connection.reader.readexactly(206) == b"\x81\x7e" + struct.pack("!H", 202) + b"ab" + b"c" * 200
        assert values(mock.heads[0].messages) == [(WSMsgType.TEXT, "ab" + "c" * 200)]


async def test_subprotocols_and_headers(mock: Mock):
    headers = CIMultiDictProxy(CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Upgrade", "other")]))
    answer_with(mock, echo, protocols=("v1", "v2"), headers=headers)
    async with connect(mock.port) as connection:
        response = await connection.exchange(head(Sec_WebSocket_Protocol="x, v2, v1"), bodiless=True)
        assert response.status == 101
        assert response.values("Sec-WebSocket-Protocol") == ["v2"]
        assert response.values("Set-Cookie") == ["a=1", "b=2"]
        assert response.values("Upgrade") == ["websocket"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Upgrade": None, "Connection": None}, "No WebSocket UPGRADE hdr: None"),
        ({"Upgrade": "h2c"}, "No WebSocket UPGRADE hdr: h2c"),
        ({"Sec_WebSocket_Version": "99"}, "Unsupported version: 99"),
        ({"Sec_WebSocket_Key": "x"}, "Handshake error: 'x'"),
        ({"Sec_WebSocket_Key": None}, "Handshake error: None"),
    ],
)
async def test_a_request_that_is_no_handshake_gets_400(mock: Mock, changes: dict[str, str | None], text: str):
    answer_with(mock, echo)
    async with connect(mock.port) as connection:
        for _ in range(2):
            response = await connection.exchange(head(**changes))
            assert response.status == 400
            assert response.body.decode().startswith(text)
            assert response.values("Server") == []
    assert mock.heads[0].messages == []


async def test_the_close_code_when_the_handler_returns(mock: Mock):
    async def greet(ws: RecordedWebSocket) -> None:
        await ws.send_str(str(ws.request.url))

    async with talking(mock, greet) as client:
        assert await client.receive_str() == f"{mock.url}/"
        message = await client.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1000)


async def test_the_close_code_when_the_handler_raises(mock: Mock, caplog: pytest.LogCaptureFixture):
    async def fail(ws: RecordedWebSocket) -> None:
        raise LookupError("the reason")

    async with talking(mock, fail) as client:
        message = await client.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
    [error] = errors(caplog)
    assert error.startswith(f"the WebSocket handler of {mock.url}/ failed:\nTraceback")
    assert error.rstrip().endswith("LookupError: the reason")


async def test_a_client_that_closes_is_answered_when_the_handler_ends(mock: Mock):
    done: list[int] = []

    async def record(ws: RecordedWebSocket) -> None:
        async for _ in ws:
            pass
        await asyncio.sleep(0.01)
        done.append(ws.close_code or 0)

    async with talking(mock, record) as client:
        await client.close(code=4001)
        assert done == [4001]


@pytest.mark.parametrize("send", [False, True])
async def test_a_client_that_is_killed_ends_the_receiving(mock: Mock, caplog: pytest.LogCaptureFixture, send: bool):
    ended: list[RecordedWebSocket] = []

    async def record(ws: RecordedWebSocket) -> None:
        try:
            async for _ in ws:
                pass
            if send:
                await ws.send_str("too late")
        finally:
            ended.append(ws)

    answer_with(mock, record)
    async with connect(mock.port) as connection:
        await connection.exchange(head(), bodiless=True)
        # In the middle of a message.
        await connection.send(frame(bytes(1000), 2)[:100])
        connection.writer.transport.abort()
        await eventually(lambda: ended)
    await eventually(lambda: mock.listener._ports[0]._server is not None and not mock.listener._ports[0].is_busy)
    assert ended[0].close_code == 1006
    assert errors(caplog) == []


async def test_a_client_that_leaves_before_the_handshake_is_answered(caplog: pytest.LogCaptureFixture):
    asked = 0

    async def answer(request: AiointerceptRequest) -> Reply:
        nonlocal asked
        while request.transport is not None:
            await asyncio.sleep(0.001)
        asked += 1
        return WebSocket(echo)

    runner = web.AppRunner(application(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        for _ in range(3):
            async with connect(runner.addresses[0][1]) as connection:
                await connection.send(head())
                connection.writer.transport.abort()
        await eventually(lambda: asked == 3)
    finally:
        await runner.cleanup()
    assert errors(caplog) == []


async def test_an_invalid_frame_closes_with_its_code(mock: Mock):
    answer_with(mock, echo)
    async with connect(mock.port) as connection:
        await connection.exchange(head(), bodiless=True)
        await connection.send(frame(b"\xff", 1))
        assert (await connection.reader.readexactly(4))[2:] == struct.pack("!H", 1007)


@pytest.mark.parametrize("kind", ["waits", "receives", "sends"])
async def test_closing_the_listener_ends_every_conversation(kind: str, caplog: pytest.LogCaptureFixture):
    cancelled: list[str] = []
    running: list[str] = []

    async def handler(ws: RecordedWebSocket) -> None:
        running.append(kind)
        try:
            while kind == "sends":
                await ws.send_bytes(bytes(2**20))
            await (ws.receive() if kind == "receives" else asyncio.Event().wait())
        except asyncio.CancelledError:
            cancelled.append(kind)
            raise

    mock = Mock()
    answer_with(mock, handler)
    connections: list[ClientConnection] = []
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            connection = await stack.enter_async_context(connect(mock.port))
            await connection.exchange(head(), bodiless=True)
            connections.append(connection)
        await eventually(lambda: len(running) == 20)
        start = time.monotonic()
        await asyncio.wrap_future(mock.listener.close())
        assert time.monotonic() - start < 1
        for connection in connections:
            # An abnormal end, without a frame that says why.
            with contextlib.suppress(ConnectionError):
                assert b"\x88" not in (await connection.rest())[-4:]
    await eventually(lambda: len(cancelled) == 20)
    assert errors(caplog) == []
