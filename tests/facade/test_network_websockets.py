"""A forwarded WebSocket is the real server's: every frame, both ways, and the end of it."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector, WSMsgType, web
from support import Names, real_server
from yarl import URL

from aiointercept import aiointercept


@asynccontextmanager
async def forwarding(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[tuple[aiointercept, ClientSession, str]]:
    async with (
        real_server(handler) as real,
        ClientSession(connector=TCPConnector(resolver=Names())) as session,
        aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m,
    ):
        yield m, session, f"ws://api.example:{real.port}/live?x=1"


async def echo(request):
    socket = web.WebSocketResponse(protocols=["chat.v2", "chat.v1"])
    socket.headers["X-Handshake"] = "real"
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


@pytest.mark.parametrize("compress", [0, 15])
async def test_text_and_binary_messages_of_any_size(compress):
    async with forwarding(echo) as (m, session, url):
        async with session.ws_connect(url, compress=compress) as socket:
            assert socket.compress == compress
            for text in ("", "hello", "ü" * 1000, "x" * 200_000):
                await socket.send_str(text)
                assert await socket.receive_str(timeout=5) == text
            for data in (b"", b"\x00\xff", os.urandom(200_000)):
                await socket.send_bytes(data)
                assert await socket.receive_bytes(timeout=5) == data
            await socket.close()
        assert m.call_count == 1
    assert list(m.requests) == [("GET", URL(url).with_scheme("http"))]
    assert m.last_request.headers["Upgrade"] == "websocket"
    assert m.last_request.complete
    assert m.last_request.captured_body is None


@pytest.mark.parametrize(
    ("offered", "chosen"), [([], None), (["chat.v1"], "chat.v1"), (["x", "chat.v1", "chat.v2"], "chat.v1")]
)
async def test_the_handshake_is_the_real_servers(offered, chosen):
    async with forwarding(echo) as (m, session, url):
        async with session.ws_connect(url, protocols=offered, headers={"X-Mine": "1"}) as socket:
            assert socket.protocol == chosen
            assert socket._response.headers["X-Handshake"] == "real"
        assert m.last_request.headers["X-Mine"] == "1"


async def test_pings_and_pongs_reach_the_other_side():
    pings = []

    async def serve(request):
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.ping(b"from the server")
        async for message in socket:
            pings.append((message.type, bytes(message.data)))
            if message.type == WSMsgType.PING:
                await socket.pong(message.data)
        return socket

    async with forwarding(serve) as (_, session, url), session.ws_connect(url, autoping=False) as socket:
        message = await socket.receive(timeout=5)
        assert (message.type, bytes(message.data)) == (WSMsgType.PING, b"from the server")
        await socket.pong(message.data)
        await socket.ping(b"from the client")
        message = await socket.receive(timeout=5)
        assert (message.type, bytes(message.data)) == (WSMsgType.PONG, b"from the client")
        await socket.close()
    assert pings == [(WSMsgType.PONG, b"from the server"), (WSMsgType.PING, b"from the client")]


async def test_the_server_closes_with_a_code_and_a_reason():
    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=4001, message=b"enough")
        return socket

    async with forwarding(serve) as (_, session, url), session.ws_connect(url, autoclose=False) as socket:
        message = await socket.receive(timeout=5)
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4001, "enough")


async def test_the_client_closes_with_a_code_and_a_reason():
    closed = asyncio.get_running_loop().create_future()

    async def serve(request):
        socket = web.WebSocketResponse(autoclose=False)
        await socket.prepare(request)
        message = await socket.receive()
        closed.set_result((message.type, message.data, message.extra))
        await socket.close(code=message.data)
        return socket

    async with forwarding(serve) as (_, session, url):
        socket = await session.ws_connect(url)
        await socket.close(code=4002, message=b"bye")
        assert socket.close_code == 4002
        assert await asyncio.wait_for(closed, 5) == (WSMsgType.CLOSE, 4002, "bye")


async def test_a_server_that_drops_the_connection():
    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("last words")
        request.transport.close()
        return socket

    async with forwarding(serve) as (_, session, url), session.ws_connect(url) as socket:
        assert await socket.receive_str(timeout=5) == "last words"
        message = await socket.receive(timeout=5)
        assert message.type in (WSMsgType.CLOSED, WSMsgType.ERROR)
        assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_a_client_that_drops_the_connection():
    dropped = asyncio.get_running_loop().create_future()

    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        message = await socket.receive()
        dropped.set_result((message.type, socket.close_code))
        return socket

    async with forwarding(serve) as (_, session, url):
        socket = await session.ws_connect(url)
        socket._response.connection.transport.abort()
        kind, code = await asyncio.wait_for(dropped, 5)
        assert kind in (WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR)
        assert code in (None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE)
        await socket.close()


async def test_a_refused_handshake_is_relayed_with_its_body():
    async def serve(request):
        return web.Response(status=403, text="not you", headers={"X-Why": "because"})

    async with forwarding(serve) as (m, session, url):
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(url)
            assert caught.value.status == 403
            assert caught.value.headers["X-Why"] == "because"
        key = base64.b64encode(bytes(16)).decode()
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        async with session.get(URL(url).with_scheme("http"), headers=headers) as response:
            assert (response.status, await response.text()) == (403, "not you")
        assert m.call_count == 3


async def test_an_upgrade_that_is_not_wanted_is_a_plain_exchange():
    async def serve(request):
        return web.Response(text=f"plain {await request.text()}")

    async with forwarding(serve) as (_, session, url):
        headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
        async with session.post(URL(url).with_scheme("http"), headers=headers, data=b"body") as response:
            assert (response.status, await response.text()) == (200, "plain body")


async def test_an_upgrade_that_needs_a_newer_protocol():
    async def serve(request):
        return web.Response(status=426, headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "14"}, text="newer")

    async with forwarding(serve) as (_, session, url):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url)
        assert caught.value.status == 426
        assert caught.value.headers["Sec-WebSocket-Version"] == "14"
        assert caught.value.headers["Upgrade"] == "websocket"


async def test_an_unreachable_server_is_the_error_of_a_direct_client():
    async with (
        ClientSession(connector=TCPConnector(resolver=Names(["api.example"]))) as session,
        aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m,
    ):
        with pytest.raises(aiohttp.ClientConnectorDNSError, match="does not exist"):
            await session.ws_connect("wss://api.example/live")
        assert m.call_count == 1


async def test_frames_that_come_with_the_handshake_are_not_lost():
    """A server may speak at once, and all of it may come in one piece."""

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + b"\x81\x05early" + b"\x88\x02\x03\xe8"
        )
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        ClientSession(connector=TCPConnector(resolver=Names())) as session,
        aiointercept(mock_external_urls=True, passthrough_unmatched=True),
        session.ws_connect(f"ws://api.example:{port}/") as socket,
    ):
        assert await socket.receive_str(timeout=5) == "early"
        assert (await socket.receive(timeout=5)).type == WSMsgType.CLOSE
        assert socket.close_code == 1000


async def test_a_fast_side_waits_for_a_slow_one():
    """Nothing is kept in memory that the other side has no room for."""
    sent = 0

    async def serve(request):
        nonlocal sent
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for _ in range(400):
            await socket.send_bytes(bytes(100_000))
            sent += 1
        await socket.close()
        return socket

    async with forwarding(serve) as (_, session, url), session.ws_connect(url, max_msg_size=0) as socket:
        before = -1
        # It stops by itself once all buffers on the way are full.
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 400
        received = 0
        async for message in socket:
            received += len(message.data)
        assert received == 40_000_000


async def test_the_end_of_the_mock_ends_it():
    async with real_server(echo) as real, ClientSession(connector=TCPConnector(resolver=Names())) as session:
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True):
            socket = await session.ws_connect(f"ws://api.example:{real.port}/")
            await socket.send_str("x")
            assert await socket.receive_str() == "x"
        message = await socket.receive(timeout=5)
        assert message.type in (WSMsgType.CLOSED, WSMsgType.ERROR)
        await socket.close()
        assert len(real.hits) == 1
