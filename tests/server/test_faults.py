"""What a bare aiohttp client gets from each fault that a server can show, and what is recorded of it."""

import asyncio
import contextlib
import errno
import gzip
import socket
import threading
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web
from mock_server import Mock, connect, eventually
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import ExactURL, Fault, FaultReply, Registry, Response, Route
from aiointercept_server import _faults, application

JSON = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json"}))
RESPONSE = Response(203, None, JSON, b'{"name": "Ada"}')
ENDED = [Fault.TRUNCATED, Fault.RESET_IN_BODY]
CLIENT_ONLY = [fault for fault in Fault if not fault.is_sent_by_server]
GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"

both_methods = pytest.mark.parametrize("method", ["GET", "POST"])
new_and_kept_alive = pytest.mark.parametrize("warm", [False, True], ids=["new", "kept alive"])


def register(registry: Registry, url: str, reply: FaultReply, method: str = "GET", **options) -> Route:
    route = Route(method, ExactURL(URL(url)), reply, **options)
    registry.register(route)
    return route


@contextlib.asynccontextmanager
async def served(mock: Mock, reply: FaultReply, method: str, warm: bool) -> AsyncIterator[Callable]:
    """Register `reply`, and give a function that asks for it, over a new connection or one that was used before.

    Afterwards exactly one request has been recorded, and the next call of the session gets another reply.
    """
    register(mock.registry, f"{mock.url}/", reply, method)
    mock.registry.get(f"{mock.url}/warm", body="warm", repeat=True)
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        if warm:
            await (await session.get(f"{mock.url}/warm")).read()
        before = mock.registry.call_count
        yield lambda: session.request(method, f"{mock.url}/", data=b"body" if method == "POST" else None)
        assert mock.registry.call_count == before + 1
        assert mock.last.captured_body == (b"body" if method == "POST" else None)
        async with session.get(f"{mock.url}/warm") as response:
            assert await response.text() == "warm"


@both_methods
@new_and_kept_alive
@pytest.mark.parametrize("fault", [Fault.DISCONNECT, *CLIENT_ONLY, TimeoutError("mine")], ids=str)
async def test_a_disconnect(mock: Mock, fault: Fault | BaseException, method: str, warm: bool):
    async with served(mock, FaultReply(fault), method, warm) as ask:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await ask()


@both_methods
@new_and_kept_alive
async def test_a_reset(mock: Mock, method: str, warm: bool):
    async with served(mock, FaultReply(Fault.RESET), method, warm) as ask:
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await ask()
    assert (type(caught.value), caught.value.errno) == (aiohttp.ClientOSError, errno.ECONNRESET)


@both_methods
@new_and_kept_alive
async def test_a_malformed_response(mock: Mock, method: str, warm: bool):
    async with served(mock, FaultReply(Fault.MALFORMED), method, warm) as ask:
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await ask()
    assert caught.value.status == 400


@both_methods
@new_and_kept_alive
@pytest.mark.parametrize("fault", ENDED, ids=str)
async def test_a_body_of_which_half_arrives(mock: Mock, fault: Fault, method: str, warm: bool):
    async with served(mock, FaultReply(fault, RESPONSE), method, warm) as ask:
        response = await ask()
        assert (response.status, response.headers["Content-Length"]) == (203, "15")
        assert await response.content.read(7) == b'{"name"'
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@both_methods
@new_and_kept_alive
async def test_a_corrupt_content_encoding(mock: Mock, method: str, warm: bool):
    async with served(mock, FaultReply(Fault.CORRUPT_ENCODING, RESPONSE), method, warm) as ask:
        response = await ask()
        assert (response.status, response.headers["Content-Encoding"]) == (203, "gzip")
        assert response.headers["Content-Length"] == "15"
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@both_methods
@new_and_kept_alive
async def test_a_reply_that_never_comes(mock: Mock, method: str, warm: bool):
    async with served(mock, FaultReply(Fault.HANG), method, warm) as ask:
        call = asyncio.ensure_future(ask())
        await eventually(lambda: mock.registry.last_request and mock.last.path == "/")
        done, _ = await asyncio.wait({call}, timeout=0.05)
        assert not done
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


# What is sent.


@pytest.mark.parametrize("fault", ENDED, ids=str)
@pytest.mark.parametrize(
    "response", [None, RESPONSE._replace(body=b""), RESPONSE._replace(body=b"1"), RESPONSE._replace(body=b"x" * 10**6)]
)
async def test_a_body_is_never_complete(mock: Mock, fault: Fault, response: Response | None):
    async with served(mock, FaultReply(fault, response), "GET", warm=False) as ask:
        answer = await ask()
        assert answer.status == (203 if response else 200)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


@pytest.mark.parametrize("body", [None, b"", b"1", gzip.compress(b"really gzip", mtime=0), b"x" * 10**6])
async def test_an_encoding_is_always_corrupt(mock: Mock, body: bytes | None):
    reply = FaultReply(Fault.CORRUPT_ENCODING, None if body is None else RESPONSE._replace(body=body))
    async with served(mock, reply, "GET", warm=False) as ask:
        answer = await ask()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_corrupt_encoding_leaves_the_connection_open(mock: Mock):
    register(mock.registry, "http://api.example/", FaultReply(Fault.CORRUPT_ENCODING, RESPONSE), repeat=None)
    async with connect(mock.port) as connection:
        for _ in range(2):
            assert (await connection.exchange(GET)).body == RESPONSE.body


async def test_what_is_sent_before_an_orderly_end(mock: Mock):
    for fault, sent in (
        (Fault.DISCONNECT, b""),
        (Fault.CERTIFICATE, b""),
        (Fault.MALFORMED, b"this is not an HTTP status line\r\n\r\n"),
    ):
        register(mock.registry, "http://api.example/", FaultReply(fault, RESPONSE))
        async with connect(mock.port) as connection:
            await connection.send(GET)
            assert await connection.rest() == sent
    register(mock.registry, "http://api.example/", FaultReply(Fault.TRUNCATED, RESPONSE))
    async with connect(mock.port) as connection:
        await connection.send(GET)
        head, _, body = (await connection.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 203 Non-Authoritative Information\r\n")
    assert b"\r\nContent-Length: 15" in head
    assert body == b'{"name"'


@pytest.mark.parametrize("fault", [*ENDED, Fault.CORRUPT_ENCODING], ids=str)
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_reply_that_has_no_body_gets_none(mock: Mock, fault: Fault, method: str, status: int):
    url = "http://api.example/"
    register(mock.registry, url, FaultReply(fault, RESPONSE._replace(status=status)), method)
    async with connect(mock.port) as connection:
        response = await connection.exchange(GET.replace(b"GET", method.encode()), bodiless=True)
        assert response.status == status
        if fault is Fault.TRUNCATED:
            assert await connection.rest() == b""


def read_late(port: int, release: threading.Event) -> tuple[bytes, int | None]:
    """Ask, read only after `release`, and return what was received and the number of the error at the end."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(GET)
        release.wait(5)
        received = b""
        while True:
            try:
                data = client.recv(2**20)
            except OSError as exc:
                return received, exc.errno
            if not data:
                return received, None
            received += data


async def test_a_reset_does_not_discard_what_a_busy_client_has_not_read(mock: Mock):
    register(mock.registry, "http://api.example/", FaultReply(Fault.RESET_IN_BODY, RESPONSE))
    release = threading.Event()
    reading = asyncio.create_task(asyncio.to_thread(read_late, mock.port, release))
    request = await eventually(lambda: mock.registry.last_request)
    # The connection is gone on this side when the reset has been sent.
    await eventually(lambda: request.transport is None)
    release.set()
    received, error = await reading
    assert received.endswith(b'\r\n\r\n{"name"')
    assert error == errno.ECONNRESET


@pytest.mark.parametrize("unacknowledged", [None, 1], ids=["the system does not tell", "the client reads nothing"])
async def test_a_reset_waits_for_a_limited_time(
    mock: Mock, monkeypatch: pytest.MonkeyPatch, unacknowledged: int | None
):
    monkeypatch.setattr(_faults, "_count_unacknowledged", lambda transport: unacknowledged)
    monkeypatch.setattr(_faults, "_CHECKS", 10)
    async with served(mock, FaultReply(Fault.RESET_IN_BODY, RESPONSE), "GET", warm=True) as ask:
        response = await ask()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_client_that_does_not_read_does_not_delay_closing(mock: Mock):
    reply = FaultReply(Fault.RESET_IN_BODY, RESPONSE._replace(body=b"x" * 10**7))
    register(mock.registry, "http://api.example/", reply)
    async with connect(mock.port) as connection:
        connection.writer.transport.pause_reading()
        await connection.send(GET)
        await eventually(lambda: mock.registry.last_request)
        mock.listener.close().result(5)


async def test_a_head_that_cannot_be_sent_is_reported(mock: Mock, caplog: pytest.LogCaptureFixture):
    response = RESPONSE._replace(headers=CIMultiDictProxy(CIMultiDict({"X": "a\r\nb"})))
    register(mock.registry, "http://api.example/", FaultReply(Fault.TRUNCATED, response))
    async with connect(mock.port) as connection:
        assert (await connection.exchange(GET)).status == 500
    assert "sending the reply to GET http://api.example/ failed" in caplog.text


# The end of a request that hangs.


async def test_a_hanging_request_ends_with_its_client(mock: Mock):
    register(mock.registry, "http://api.example/", FaultReply(Fault.HANG))
    async with connect(mock.port) as connection:
        await connection.send(GET)
        request = await eventually(lambda: mock.registry.last_request)
        # More requests on the same connection are not read.
        await connection.send(GET)
    await eventually(lambda: request.transport is None)
    assert mock.registry.call_count == 1


async def test_a_hanging_request_ends_with_its_listener(mock: Mock):
    register(mock.registry, "http://api.example/", FaultReply(Fault.HANG))
    async with connect(mock.port) as connection:
        await connection.send(GET)
        await eventually(lambda: mock.registry.last_request)
        mock.listener.close().result(5)
        with contextlib.suppress(ConnectionResetError):
            assert await connection.rest() == b""


# aiohttp's own retry.


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.DISCONNECT], ids=str)
async def test_faults_and_then_a_reply(mock: Mock, fault: Fault):
    register(mock.registry, f"{mock.url}/", FaultReply(fault), repeat=3)
    mock.registry.get(f"{mock.url}/", status=201)
    async with aiohttp.ClientSession() as session:
        for count in (1, 2, 3):
            with pytest.raises(aiohttp.ClientOSError if fault is Fault.RESET else aiohttp.ServerDisconnectedError):
                await session.get(f"{mock.url}/")
            assert mock.registry.call_count == count
        assert (await session.get(f"{mock.url}/")).status == 201


@pytest.mark.long
@pytest.mark.parametrize("size", [0, 15, 10**5])
async def test_the_head_always_arrives_before_a_reset(mock: Mock, size: int):
    reply = FaultReply(Fault.RESET_IN_BODY, RESPONSE._replace(body=b"x" * size))
    for method in ("GET", "POST"):
        for warm in (False, True):
            for _ in range(500):
                async with served(mock, reply, method, warm) as ask:
                    response = await ask()
                    with pytest.raises(aiohttp.ClientPayloadError):
                        await response.read()


# In an aiohttp application.


@pytest.mark.parametrize("fault", [*Fault, TimeoutError("mine")], ids=str)
async def test_faults_of_a_mounted_application(fault: Fault | BaseException):
    registry = Registry()
    runner = web.AppRunner(application(registry.answer), shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        register(registry, url, FaultReply(fault, RESPONSE), "POST")
        async with aiohttp.ClientSession() as session, asyncio.timeout(5):
            if fault is Fault.HANG:
                call = asyncio.ensure_future(session.post(url))
                request = await eventually(lambda: registry.last_request)
                call.cancel()
                # The server does not cancel its handlers, but this one learns that the client has left.
                await eventually(lambda: request.transport is None and request.task.done())
                return
            if isinstance(fault, Fault) and fault.has_body:
                response = await session.post(url)
                assert response.status == 203
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()
                return
            error = {Fault.RESET: aiohttp.ClientOSError, Fault.MALFORMED: aiohttp.ClientResponseError}.get(fault)
            with pytest.raises(error or aiohttp.ServerDisconnectedError):
                await session.post(url)
    finally:
        await runner.cleanup()
