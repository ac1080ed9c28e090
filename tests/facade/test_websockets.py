"""A handler of a WebSocket runs where callbacks run, and talks to the client as an aiohttp handler would."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from blockbuster import blockbuster_ctx
from support import fetch
from yarl import URL

from aiointercept import _websocket, aiointercept
from aiointercept._websocket import ServerWebSocket

Handler = Callable[[ServerWebSocket], Awaitable[None]]


def register(m: aiointercept, handler: Handler, url: str | None = None, **options: Any) -> str:
    """Register a conversation and return its URL."""
    url = url or f"{m.server_url}/socket"
    m.ws(url, handler, repeat=True, **options)
    return url


@asynccontextmanager
async def talking(handler: Handler, **options: Any) -> AsyncIterator[tuple[aiointercept, ClientWebSocketResponse]]:
    """Yield a mock and a client that is connected to `handler`."""
    async with (
        asyncio.timeout(20),
        aiointercept() as m,
        ClientSession() as session,
        session.ws_connect(register(m, handler), max_msg_size=0, **options) as client,
    ):
        yield m, client


def parts(message: aiohttp.WSMessage) -> tuple[WSMsgType, Any, str | None]:
    """Return what a message is made of; its class depends on the release of aiohttp."""
    return message.type, message.data, message.extra


async def echo(ws: ServerWebSocket) -> None:
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)


# Where it runs.


async def test_the_handler_runs_on_the_loop_of_the_test_and_uses_its_queues():
    queue: asyncio.Queue[str] = asyncio.Queue()
    seen = []

    async def handler(ws):
        seen.append((threading.current_thread(), asyncio.get_running_loop()))
        while (text := await queue.get()) != "end":
            await ws.send_str(text)

    async with talking(handler) as (_, client):
        for text in ("a", "b"):
            queue.put_nowait(text)
            assert await client.receive_str() == text
        queue.put_nowait("end")
        assert (await client.receive()).type is WSMsgType.CLOSE
        assert client.close_code == 1000
    assert seen == [(threading.current_thread(), asyncio.get_running_loop())]


def test_without_a_loop_the_handler_runs_on_that_of_the_server():
    threads = []

    async def handler(ws):
        threads.append(threading.current_thread().name)
        await echo(ws)

    async def talk(url):
        async with ClientSession() as session, session.ws_connect(url) as client:
            await client.send_str("a")
            return await client.receive_str(timeout=5)

    with aiointercept() as m:
        assert asyncio.run(talk(register(m, handler))) == "a"
    assert threads == ["aiointercept-server"]


async def test_the_test_itself_may_use_the_socket_while_the_handler_runs():
    handed = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def handler(ws):
        handed.set_result(ws)
        await done.wait()

    async with talking(handler) as (_, client):
        ws = await handed
        await ws.send_str("from the test")
        assert await client.receive_str() == "from the test"
        await client.send_str("from the client")
        assert await ws.receive_str() == "from the client"
        done.set()
        assert (await client.receive()).type is WSMsgType.CLOSE
        with pytest.raises(ConnectionError, match="the WebSocket is closed"):
            await ws.send_str("too late")


async def test_a_hard_coded_url_and_nested_mocks():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        register(m, echo, "https://api.example.com/socket?a=1")
        url = "wss://api.example.com/socket?a=1"
        async with aiointercept(mock_external_urls=True), session.ws_connect(url) as client:
            await client.send_str("a")
            assert await client.receive_str(timeout=5) == "a"
        assert list(m.requests) == [("GET", URL("https://api.example.com/socket?a=1"))]
        assert [message.data for message in m.last_request.messages] == ["a"]
        assert m.last_request.url == URL("https://api.example.com/socket?a=1")


async def test_a_conversation_never_blocks_the_loop():
    with blockbuster_ctx():
        async with talking(echo) as (_, client):
            await client.send_str("a")
            assert await client.receive_str() == "a"


# What is exchanged.


@pytest.mark.parametrize("compress", [0, 15])
async def test_messages_of_any_kind_and_size(compress):
    texts = ["", "hello", "ü" * 1000, "x" * 200_000]
    blobs = [b"", b"\x00\xff", os.urandom(200_000)]
    async with talking(echo, compress=compress) as (m, client):
        assert client.compress == compress
        for text in texts:
            await client.send_str(text)
            assert await client.receive_str() == text
        for data in blobs:
            await client.send_bytes(data)
            assert await client.receive_bytes() == data
        assert [message.data for message in m.last_request.messages] == [*texts, *blobs]


async def test_a_message_of_16_megabytes():
    data = os.urandom(2**24)
    async with talking(echo) as (m, client):
        await client.send_bytes(data)
        assert await client.receive_bytes() == data
        assert [parts(message) for message in m.last_request.messages] == [(WSMsgType.BINARY, data, "")]


async def test_json_and_timeouts():
    async def handler(ws):
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.01)
        await ws.send_json({"type": "ready"})
        assert await ws.receive_json(timeout=5) == {"n": 1}
        with pytest.raises(aiohttp.WSMessageTypeError, match="expected a BINARY message, got TEXT 'text'"):
            await ws.receive_bytes()
        with pytest.raises(TypeError, match="data must be a str, got b'x'"):
            await ws.send_str(b"x")
        with pytest.raises(TypeError, match="data must be bytes, got 'x'"):
            await ws.send_bytes("x")
        await ws.send_bytes(memoryview(b"end"))

    async with talking(handler) as (_, client):
        assert await client.receive_json() == {"type": "ready"}
        await client.send_json({"n": 1})
        await client.send_str("text")
        assert await client.receive_bytes() == b"end"


async def test_two_tasks_cannot_receive_at_a_time():
    async def handler(ws):
        first = asyncio.ensure_future(ws.receive_str())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task is receiving"):
            await ws.receive()
        await ws.send_str("ready")
        await ws.send_str(await first)

    async with talking(handler) as (_, client):
        assert await client.receive_str() == "ready"
        await client.send_str("a")
        assert await client.receive_str() == "a"


async def test_pings_of_both_sides(monkeypatch):
    monkeypatch.setattr(_websocket, "_CLOSE_GRACE", 0.05)

    async def handler(ws):
        await ws.ping(b"from the mock")
        await asyncio.Event().wait()

    async with talking(handler, autoping=False) as (_, client):
        assert parts(await client.receive()) == (WSMsgType.PING, b"from the mock", "")
        # Answered although the handler does not read.
        await client.ping(b"from the client")
        assert parts(await client.receive()) == (WSMsgType.PONG, b"from the client", "")


async def test_subprotocols_headers_and_the_request():
    async def handler(ws):
        await ws.send_json([ws.protocol, ws.request.headers["X-Client"], ws.request.path])

    async with aiointercept() as m, ClientSession() as session:
        url = register(m, handler, protocols=("v2", "v1"))
        async with session.ws_connect(url, protocols=["v1", "v2"], headers={"X-Client": "1"}) as client:
            assert client.protocol == "v1"
            assert await client.receive_json(timeout=5) == ["v1", "1", "/socket"]


async def test_a_request_that_is_no_handshake():
    async with aiointercept() as m:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await fetch(register(m, echo))
        assert "the request is not a WebSocket handshake" in m.journal.records[0].explanation
        assert m.last_request.messages == []


# How it ends.


async def test_the_handler_closes_with_a_code_and_a_reason():
    results = []
    ended = asyncio.Event()

    async def handler(ws):
        results.append(await ws.close(code=4001, message=b"enough"))
        results.append(await ws.close())
        results.append((ws.closed, ws.close_code, (await ws.receive()).type))
        ended.set()

    async with talking(handler, autoclose=False) as (_, client):
        assert parts(await client.receive()) == (WSMsgType.CLOSE, 4001, "enough")
        await client.close(code=4001)
        await ended.wait()
    assert results == [True, False, (True, 4001, WSMsgType.CLOSED)]


async def test_closing_ends_a_receive_in_another_task():
    received = asyncio.get_running_loop().create_future()

    async def handler(ws):
        receiving = asyncio.ensure_future(ws.receive())
        await asyncio.sleep(0)
        await ws.close()
        received.set_result(await receiving)

    async with talking(handler) as (_, client):
        assert (await client.receive()).type is WSMsgType.CLOSE
        assert (await received).type is WSMsgType.CLOSED


async def test_the_client_closes_with_a_code_and_a_reason():
    ends = []

    async def handler(ws):
        ends.append(parts(await ws.receive()))
        ends.append((ws.closed, ws.close_code))
        with pytest.raises(ConnectionError):
            await ws.send_str("too late")

    async with talking(handler) as (_, client):
        await client.close(code=4002, message=b"bye")
    assert ends == [(WSMsgType.CLOSE, 4002, "bye"), (True, 4002)]


async def test_a_client_that_closes_has_waited_for_what_the_handler_does_then():
    done = []

    async def handler(ws):
        messages = [message.data async for message in ws]
        for _ in range(20):
            await asyncio.sleep(0)
        done.append(messages)

    async with talking(handler) as (_, client):
        await client.send_str("a")
        await client.close()
        assert done == [["a"]]


async def test_a_client_that_closes_does_not_wait_for_a_handler_that_waits(monkeypatch):
    monkeypatch.setattr(_websocket, "_CLOSE_GRACE", 0.05)

    async def handler(ws):
        await asyncio.Event().wait()

    async with talking(handler) as (_, client):
        await client.send_str("is not read")
        async with asyncio.timeout(5):
            assert await client.close()
        assert client.close_code == 1000


async def test_a_handler_that_only_sends_ends_when_the_client_closes(monkeypatch):
    monkeypatch.setattr(_websocket, "_CLOSE_GRACE", 0.05)
    ended = asyncio.Event()

    async def handler(ws):
        try:
            while True:
                await ws.send_str("tick")
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    async with talking(handler) as (m, client):
        assert await client.receive_str() == "tick"
        await client.close()
        await ended.wait()
        m.check()


async def test_a_loop_that_ignores_the_end_is_an_error():
    async def handler(ws):
        while True:
            await ws.receive()

    async with talking(handler) as (m, client):
        await client.close()
        with pytest.raises(RuntimeError, match="the WebSocket is closed: end the loop"):
            m.check()


@pytest.mark.parametrize("while_sending", [False, True])
async def test_a_client_that_leaves_without_closing_is_no_error(while_sending):
    ended = asyncio.get_running_loop().create_future()

    async def handler(ws):
        try:
            if while_sending:
                while True:
                    await ws.send_bytes(bytes(2**16))
            else:
                async for _ in ws:
                    pass
                assert ws.closed
        finally:
            ended.set_result(ws)

    async with talking(handler) as (m, client):
        if while_sending:
            await client.receive_bytes()
        client._response.connection.transport.abort()
        ws = await ended
        # Until the server's thread has closed the connection, it may be another.
        while ws.close_code != 1006:
            await asyncio.sleep(0.001)
        m.check()


async def test_a_client_that_leaves_while_a_message_waits_to_be_sent():
    clients = asyncio.get_running_loop().create_future()
    ended = asyncio.get_running_loop().create_future()

    async def handler(ws):
        client = await clients
        with contextlib.suppress(TimeoutError):
            while True:
                await asyncio.wait_for(ws.send_bytes(bytes(2**20)), 0.1)
        client._response.connection.transport.abort()
        try:
            while True:
                await ws.send_str("more")
        except ConnectionError as exc:
            ended.set_result(type(exc))
            raise

    async with talking(handler) as (m, client):
        clients.set_result(client)
        assert await ended is aiohttp.ClientConnectionResetError
        m.check()


# Errors.


async def test_an_error_closes_with_1011_and_is_raised_at_the_end(caplog):
    async def handler(ws):
        await ws.send_str("before")
        assert await ws.receive_str() == "expected"

    async def fail() -> None:
        async with talking(handler, autoclose=False) as (_, client):
            assert await client.receive_str() == "before"
            await client.send_str("other")
            assert (await client.receive()).data == 1011

    with pytest.raises(AssertionError, match="other"):
        await fail()
    assert caplog.records == []


async def test_the_cause_of_an_error_is_kept():
    async def handler(ws):
        raise LookupError from ValueError("the cause")

    async def fail():
        async with talking(handler) as (_, client):
            await client.receive()

    with pytest.raises(LookupError) as caught:
        await fail()
    assert repr(caught.value.__cause__) == "ValueError('the cause')"


@pytest.mark.parametrize("times", range(5))
async def test_an_assertion_after_the_client_has_closed_is_not_lost(times):
    async def handler(ws):
        messages = [message.data async for message in ws]
        assert messages == ["expected"]

    with pytest.raises(AssertionError):
        async with talking(handler) as (_, client):
            await client.send_str("other")


@pytest.mark.parametrize("sleep", [0, 0.05])
async def test_an_error_is_not_lost_while_the_client_does_not_read(sleep):
    raised = asyncio.Event()

    async def handler(ws):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                while True:
                    await ws.send_bytes(bytes(2**18))
        raised.set()
        raise LookupError("lost?")

    async def fail() -> None:
        async with ClientSession() as session, contextlib.AsyncExitStack() as stack, aiointercept() as m:
            client = await session.ws_connect(register(m, handler))
            stack.callback(client._response.close)
            client._response.connection.transport.pause_reading()
            await raised.wait()
            await asyncio.sleep(sleep)

    with pytest.raises(LookupError, match=r"lost\?"):
        await fail()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, StopAsyncIteration])
def test_the_server_survives_an_exit_in_a_handler(kind):
    async def handler(ws):
        raise kind

    async def talk(url):
        async with ClientSession() as session, session.ws_connect(url) as client:
            return (await client.receive(timeout=5)).data

    with aiointercept(raise_callback_errors=False) as m:
        url = register(m, handler)
        assert asyncio.run(talk(url)) == 1011
        assert asyncio.run(talk(url)) == 1011
