"""A delayed reply holds up nothing else, and a client that leaves before it is no error."""

import contextlib
import time

import aiohttp
import pytest
from aiohttp import web
from mock_server import Mock, connect, eventually
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import (
    CloseConnection,
    ExactURL,
    Fault,
    FaultReply,
    Registry,
    Reply,
    Response,
    Route,
    Stream,
    Upgrade,
)
from aiointercept_server import AiointerceptRequest, Listener, application, ignore_retries

HERE = "http://api.example/"
GET = b"GET / HTTP/1.1\r\nHost: api.example\r\nUser-Agent: aiohttp/3\r\n\r\n"
NEXT = GET.replace(b"/ ", b"/next ", 1)
NONE = CIMultiDictProxy(CIMultiDict())


async def chunks():
    yield b"body"


async def run(connection):
    await connection.send(b"raw")


def register(registry: Registry, reply: Reply, url: str = HERE) -> None:
    registry.register(Route("GET", ExactURL(URL(url)), reply))


REPLIES = [
    (Response(200, None, NONE, b"body"), b"body"),
    (Stream(200, None, NONE, chunks()), b"0\r\n\r\n"),
    (CloseConnection(), b""),
    (FaultReply(Fault.TRUNCATED, Response(200, None, NONE, b"body")), b"bo"),
    (FaultReply(Fault.RESET), None),
    (FaultReply(TimeoutError()), b""),
    (Upgrade(101, None, NONE, run), b"raw"),
]


@pytest.mark.parametrize(("reply", "end"), REPLIES, ids=[type(reply).__name__ for reply, _ in REPLIES])
async def test_a_delayed_reply(mock: Mock, reply: Reply, end: bytes | None):
    register(mock.registry, reply._replace(delay=0.1))
    async with connect(mock.port) as connection:
        before = time.perf_counter()
        await connection.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        if end is None:
            with pytest.raises(ConnectionResetError):
                await connection.rest()
        else:
            assert (await connection.rest()).endswith(end)
        assert time.perf_counter() - before >= 0.1


@pytest.mark.parametrize("reply", [reply for reply, _ in REPLIES], ids=[type(reply).__name__ for reply, _ in REPLIES])
async def test_neither_other_requests_nor_closing_wait_for_a_delay(
    mock: Mock, reply: Reply, caplog: pytest.LogCaptureFixture
):
    register(mock.registry, reply._replace(delay=3600))
    mock.registry.get(f"{HERE}next", body="next")
    async with connect(mock.port) as connection, connect(mock.port) as other:
        await connection.send(GET)
        await eventually(lambda: mock.registry.call_count)
        assert (await other.exchange(NEXT)).body == b"next"
        mock.listener.close().result(5)
        with contextlib.suppress(ConnectionResetError):
            assert await connection.rest() == b""
    assert not caplog.records


async def test_a_client_that_leaves_during_a_delay(mock: Mock, caplog: pytest.LogCaptureFixture):
    register(mock.registry, Response(200, None, NONE, b"body", delay=0.1), f"{mock.url}/")
    mock.registry.get(f"{mock.url}/", status=201)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError):
            await session.get(f"{mock.url}/", timeout=aiohttp.ClientTimeout(total=0.02))
        await eventually(lambda: mock.received and mock.received[0].transport is None)
        assert (await session.get(f"{mock.url}/")).status == 201
    assert mock.registry.call_count == 2
    assert not caplog.records


async def test_a_client_of_a_mounted_application_that_leaves_during_a_delay(caplog: pytest.LogCaptureFixture):
    registry = Registry()
    runner = web.AppRunner(application(registry.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        port = runner.addresses[0][1]
        for reply, _ in REPLIES:
            register(registry, reply._replace(delay=0.05))
            async with connect(port) as connection:
                await connection.send(GET)
                request = await eventually(lambda: registry.last_request)
            await eventually(request.task.done)
            registry.clear()
    finally:
        await runner.cleanup()
    assert not caplog.records


# With aiohttp's own retry.


@pytest.mark.parametrize("reply", [CloseConnection(), FaultReply(Fault.RESET)], ids=["close", "reset"])
async def test_a_retry_is_not_delayed_again_and_is_no_request(reply: Reply):
    async def answer(request: AiointerceptRequest) -> Reply:
        asked.append(request)
        return reply._replace(delay=0.1) if len(asked) == 1 else Response(201, None, NONE, b"")

    async def keep(request: AiointerceptRequest) -> Reply:
        replies.append(await ignoring(request))
        return replies[-1]

    asked, replies = [], []
    ignoring = ignore_retries(answer)
    listener = Listener(keep)
    url = f"http://127.0.0.1:{listener.port}/"
    try:
        async with aiohttp.ClientSession() as session:
            before = time.perf_counter()
            with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
                await session.get(url)
            assert time.perf_counter() - before >= 0.1
            assert replies == [reply, reply]
            assert len(asked) == 1
            assert (await session.get(url)).status == 201
    finally:
        listener.close().result(5)


async def test_the_same_request_during_a_delay_is_another(mock: Mock):
    register(mock.registry, CloseConnection(delay=3600))
    mock.registry.get(HERE, status=201)
    async with connect(mock.port) as delayed:
        await delayed.send(GET)
        await eventually(lambda: mock.registry.call_count)
        async with connect(mock.port) as other:
            assert (await other.exchange(GET)).status == 201
        mock.listener.close().result(5)
    assert mock.registry.call_count == 2
