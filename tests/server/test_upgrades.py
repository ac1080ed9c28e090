"""After an `Upgrade` the connection is no longer read as HTTP: bytes pass both ways until either side ends."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from mock_server import ClientConnection, connect, eventually
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import Reply, Response, Upgrade, UpgradedConnection
from aiointercept_server import AiointerceptRequest, Listener, application

Run = Callable[[UpgradedConnection], Awaitable[None]]

GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
HANDSHAKE = b"GET / HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
FIELDS = [("connection", "Upgrade"), ("UPGRADE", "websocket"), ("X-A", "1"), ("X-A", "2")]
HEADERS = CIMultiDictProxy(CIMultiDict(FIELDS))


@contextlib.asynccontextmanager
async def upgraded(run: Run, handshake: bytes = HANDSHAKE, *, mounted: bool = False) -> AsyncIterator[ClientConnection]:
    """Connect to a server whose connections are upgraded to `run`, and read the head of the reply."""

    async def answer(request: AiointerceptRequest) -> Reply:
        return Upgrade(101, "Switching", HEADERS, run)

    async with contextlib.AsyncExitStack() as stack:
        if mounted:
            runner = web.AppRunner(application(answer))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
        else:
            listener = Listener(answer)
            stack.callback(lambda: listener.close().result(5))
            port = listener.port
        connection = await stack.enter_async_context(connect(port))
        await stack.enter_async_context(asyncio.timeout(10))
        response = await connection.exchange(handshake, bodiless=True)
        assert (response.status_line, response.headers) == ("HTTP/1.1 101 Switching", FIELDS)
        yield connection


async def echo(connection: UpgradedConnection) -> None:
    while data := await connection.receive():
        await connection.send(data)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("mounted", [False, True], ids=["listener", "application"])
@pytest.mark.parametrize("handshake", [HANDSHAKE, GET], ids=["handshake", "ordinary request"])
async def test_bytes_pass_both_ways(handshake: bytes, mounted: bool):
    async with upgraded(echo, handshake, mounted=mounted) as connection:
        for data in (b"\x00\x01", GET, b"BREW / HTTP/1.1\r\n\r\n", b"\r\n"):
            await connection.send(data)
            assert await connection.reader.readexactly(len(data)) == data


async def test_bytes_that_arrive_with_the_handshake():
    async with upgraded(echo, HANDSHAKE + b"early") as connection:
        assert await connection.reader.readexactly(5) == b"early"


async def test_more_bytes_than_buffers_hold():
    size = 2**23

    async def swallow_and_answer(connection: UpgradedConnection) -> None:
        received = 0
        while received < size:
            received += len(await connection.receive())
            # The client is faster, and is held back.
            await asyncio.sleep(0)
        for _ in range(size // 2**20):
            await connection.send(bytes(2**20))

    async with upgraded(swallow_and_answer) as connection, asyncio.timeout(10):
        await connection.send(bytes(size))
        assert await connection.reader.readexactly(size) == bytes(size)
        assert await connection.rest() == b""


async def test_the_connection_is_closed_when_run_returns():
    async def greet(connection: UpgradedConnection) -> None:
        await connection.send(b"bye")

    async with upgraded(greet) as connection:
        assert await connection.rest() == b"bye"


async def test_run_reads_the_end_when_the_client_leaves(caplog: pytest.LogCaptureFixture):
    received: list[bytes] = []
    failed: list[BaseException] = []

    async def record(connection: UpgradedConnection) -> None:
        while data := await connection.receive():
            received.append(data)
        received.append(b"")
        # The run goes on to its end.
        await asyncio.sleep(0.01)
        try:
            await connection.send(b"too late")
        except ConnectionError as exc:
            failed.append(exc)
            raise

    async with upgraded(record) as connection:
        await connection.send(b"data")
        await eventually(lambda: received)
        connection.writer.close()
        await eventually(lambda: failed)
    assert received == [b"data", b""]
    assert errors(caplog) == []


async def test_an_error_in_run_is_logged_and_closes_the_connection(caplog: pytest.LogCaptureFixture):
    async def fail(connection: UpgradedConnection) -> None:
        await connection.send(b"data")
        raise LookupError("the reason")

    async with upgraded(fail) as connection:
        assert await connection.rest() == b"data"
    [error] = errors(caplog)
    assert error.startswith("sending the reply to GET http://api.example/ failed:\nTraceback")
    assert error.rstrip().endswith("LookupError: the reason")


async def test_closing_the_listener_cancels_run():
    ended = threading.Event()

    async def hang(connection: UpgradedConnection) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def answer(request: AiointerceptRequest) -> Reply:
        return Upgrade(101, None, HEADERS, hang)

    listener = Listener(answer)
    async with connect(listener.port) as left, connect(listener.port) as still_open:
        for connection in (left, still_open):
            assert (
                await connection.exchange(HANDSHAKE, bodiless=True)
            ).status_line == "HTTP/1.1 101 Switching Protocols"
        # The run does not read the end of this one, and goes on.
        left.writer.close()
        await asyncio.sleep(0.02)
        before = time.perf_counter()
        listener.close().result(5)
        assert time.perf_counter() - before < 0.5
        assert ended.is_set()


async def test_requests_before_and_beside_an_upgrade():
    async def answer(request: AiointerceptRequest) -> Reply:
        if "Upgrade" in request.headers:
            return Upgrade(101, None, HEADERS, echo)
        return Response(200, None, HEADERS, b"ordinary")

    listener = Listener(answer)
    try:
        async with connect(listener.port) as connection, connect(listener.port) as other:
            assert (await connection.exchange(GET)).body == b"ordinary"
            assert (await connection.exchange(HANDSHAKE, bodiless=True)).status == 101
            assert (await other.exchange(GET)).body == b"ordinary"
            await connection.send(b"data")
            assert await connection.reader.readexactly(4) == b"data"
    finally:
        listener.close().result(5)


async def test_a_websocket_of_an_aiohttp_client():
    """Frames of a client are masked; these bytes are what an echo of the right frames would be."""

    async def greet(connection: UpgradedConnection) -> None:
        await connection.send(b"\x81\x05hello")
        await connection.receive()
        await connection.send(b"\x88\x02\x03\xe8")

    async def answer(request: AiointerceptRequest) -> Reply:
        # aiohttp's own computation of the handshake.
        response = web.WebSocketResponse()
        headers, *_ = response._handshake(request)
        return Upgrade(101, None, CIMultiDictProxy(CIMultiDict(headers)), greet)

    listener = Listener(answer)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{listener.port}/") as websocket,
        ):
            assert await websocket.receive_str() == "hello"
            await websocket.send_str("anything")
            assert (await websocket.receive()).type is aiohttp.WSMsgType.CLOSE
    finally:
        listener.close().result(5)
