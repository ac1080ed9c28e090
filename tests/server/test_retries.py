"""One call is one recorded request, although aiohttp retries it once after a disconnect."""

import asyncio
import contextlib
import gc
import urllib.request
import weakref

import aiohttp
import pytest
from aiohttp import web
from mock_server import Mock, connect, eventually
from support import fetch
from yarl import URL as YarlURL

from aiointercept_core import CloseConnection, ExactURL, FaultReply, Registry, Reply, Route
from aiointercept_server import AiointerceptRequest, Listener, _retries, application, ignore_retries, read_body_first

RETRIED = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]
LIKE_AIOHTTP = b"GET / HTTP/1.1\r\nHost: api.example\r\nUser-Agent: Python/3.11 aiohttp/3.14\r\n\r\n"
URL = "http://api.example/"


@pytest.fixture(autouse=True)
def _long_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, a retry comes early enough."""
    monkeypatch.setattr(_retries, "_RETRY_WINDOW", 60.0)


async def fails(session: aiohttp.ClientSession, method: str, url: str, **options) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.request(method, url, **options)


async def status(session: aiohttp.ClientSession, method: str, url: str, **options) -> int:
    async with session.request(method, url, **options) as response:
        await response.read()
        return response.status


@pytest.mark.parametrize("method", RETRIED)
@pytest.mark.parametrize("warm", [False, True], ids=["new", "kept alive"])
@pytest.mark.parametrize("options", [{}, {"headers": {"User-Agent": "own"}}], ids=["aiohttp", "own agent"])
async def test_a_closed_connection_and_then_a_reply(mock: Mock, method: str, warm: bool, options: dict):
    url = f"{mock.url}/"
    closes = mock.registry.add(url, method, exception=True)
    serves = mock.registry.add(url, method, status=201)
    async with aiohttp.ClientSession() as session:
        if warm:
            mock.registry.get(f"{url}warm")
            assert await status(session, "GET", f"{url}warm") == 200
        before = mock.registry.call_count
        await fails(session, method, url, **options)
        assert mock.registry.call_count == before + 1
        assert await status(session, method, url, **options) == 201
        assert mock.registry.call_count == before + 2
    assert (closes.call_count, serves.call_count) == (1, 1)


@pytest.mark.parametrize("method", RETRIED)
async def test_an_unmatched_request_is_recorded_once(mock: Mock, method: str):
    async with aiohttp.ClientSession() as session:
        for count in (1, 2, 3):
            await fails(session, method, f"{mock.url}/", data=b"body" if method == "PUT" else None)
            assert mock.registry.call_count == count


async def test_the_callers_own_retries_are_separate_calls(mock: Mock):
    mock.registry.get(f"{mock.url}/", exception=True, repeat=5)
    mock.registry.get(f"{mock.url}/", body="at last")
    failed = 0
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                assert await status(session, "GET", f"{mock.url}/") == 200
                break
            except aiohttp.ClientConnectionError:
                failed += 1
    assert (failed, mock.registry.call_count) == (5, 6)


async def test_different_calls_right_after(mock: Mock):
    mock.registry.get(f"{mock.url}/a", exception=True)
    mock.registry.get(f"{mock.url}/b", exception=True)
    mock.registry.head(f"{mock.url}/a")
    mock.registry.get(f"{mock.url}/a")
    async with aiohttp.ClientSession() as session:
        await fails(session, "GET", f"{mock.url}/a")
        await fails(session, "GET", f"{mock.url}/b")
        assert await status(session, "HEAD", f"{mock.url}/a") == 200
        assert await status(session, "GET", f"{mock.url}/a") == 200
    assert mock.registry.call_count == 4


async def test_another_session_right_after(mock: Mock):
    mock.registry.get(f"{mock.url}/", exception=True)
    mock.registry.get(f"{mock.url}/", status=201)
    async with aiohttp.ClientSession() as session:
        await fails(session, "GET", f"{mock.url}/")
    assert (await fetch(f"{mock.url}/")).status == 201


async def test_a_pool_with_several_idle_connections(mock: Mock):
    mock.registry.get(f"{mock.url}/warm", repeat=True)
    mock.registry.get(f"{mock.url}/", exception=True)
    mock.registry.get(f"{mock.url}/", status=201)
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(status(session, "GET", f"{mock.url}/warm") for _ in range(4)))
        await fails(session, "GET", f"{mock.url}/")
        assert await status(session, "GET", f"{mock.url}/") == 201


async def test_an_http_redirect_back_to_the_same_url_is_a_new_request(mock: Mock):
    mock.registry.get(f"{mock.url}/", status=302, headers={"Location": "/"}, repeat=3)
    mock.registry.get(f"{mock.url}/", exception=True)
    mock.registry.get(f"{mock.url}/", status=302, headers={"Location": "/"})
    mock.registry.get(f"{mock.url}/", status=201)
    async with aiohttp.ClientSession() as session:
        await fails(session, "GET", f"{mock.url}/")
        assert await status(session, "GET", f"{mock.url}/") == 201
    assert mock.registry.call_count == 6


@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
async def test_methods_that_aiohttp_does_not_retry_are_counted_each_time(mock: Mock, method: str):
    mock.registry.add(f"{mock.url}/", method, exception=True, repeat=2)
    mock.registry.add(f"{mock.url}/", method, status=201)
    async with aiohttp.ClientSession() as session:
        await fails(session, method, f"{mock.url}/")
        await fails(session, method, f"{mock.url}/")
        assert await status(session, method, f"{mock.url}/") == 201


async def test_a_chunked_upload_is_never_a_retry(mock: Mock):
    """Its generator is exhausted, so that the next such request is another call."""
    mock.registry.put(URL, exception=True, repeat=2)
    mock.registry.put(URL, status=201)
    request = LIKE_AIOHTTP.replace(b"GET", b"PUT").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2):
        async with connect(mock.port) as connection:
            await connection.send(request + b"0\r\n\r\n")
            assert await connection.rest() == b""
    async with connect(mock.port) as connection:
        assert (await connection.exchange(request + b"0\r\n\r\n")).status == 201


async def other_client(client: str, url: str) -> int | None:
    """Ask for `url` with a client that is not aiohttp; None where the connection was closed."""
    if client == "urllib":

        def ask() -> int | None:
            try:
                with urllib.request.urlopen(url) as response:
                    return response.status
            except OSError:
                return None

        return await asyncio.to_thread(ask)
    if client == "requests":
        requests = pytest.importorskip("requests")

        def ask() -> int | None:
            try:
                return requests.get(url).status_code
            except requests.ConnectionError:
                return None

        return await asyncio.to_thread(ask)
    httpx = pytest.importorskip("httpx")
    async with httpx.AsyncClient() as session:
        try:
            return (await session.get(url)).status_code
        except httpx.TransportError:
            return None


@pytest.mark.parametrize("client", ["urllib", "requests", "httpx"])
async def test_another_client_sees_no_extra_failure(mock: Mock, client: str):
    mock.registry.get(f"{mock.url}/", exception=True, repeat=2)
    mock.registry.get(f"{mock.url}/", status=201)
    seen = [await other_client(client, f"{mock.url}/") for _ in range(3)]
    assert seen == [None, None, 201]
    assert mock.registry.call_count == 3


@pytest.mark.parametrize(
    ("fields", "looks_like_aiohttp"),
    [
        (b"User-Agent: Python/3.11 aiohttp/3.14.5\r\n", True),
        (b"User-Agent: own\r\nAccept-Encoding: gzip, deflate\r\n", True),
        (b"User-Agent: own\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n", True),
        (b"User-Agent: own\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n", False),
        (b"User-Agent: own\r\nAccept-Encoding: deflate\r\n", False),
        (b"User-Agent: own\r\n", False),
        (b"", False),
    ],
)
async def test_which_clients_are_taken_for_aiohttp(mock: Mock, fields: bytes, looks_like_aiohttp: bool):
    mock.registry.get(URL, exception=True)
    mock.registry.get(URL, status=201)
    request = b"GET / HTTP/1.1\r\nHost: api.example\r\n" + fields + b"\r\n"
    async with connect(mock.port) as connection:
        await connection.send(request)
        assert await connection.rest() == b""
    async with connect(mock.port) as connection:
        await connection.send(request)
        if looks_like_aiohttp:
            assert await connection.rest() == b""
            assert mock.registry.call_count == 1
        else:
            assert (await connection.response()).status == 201


async def test_one_retry_for_each_close(mock: Mock):
    for _ in range(6):
        async with connect(mock.port) as connection:
            await connection.send(LIKE_AIOHTTP)
            assert await connection.rest() == b""
    assert mock.registry.call_count == 3


async def test_a_connection_that_was_open_and_unused_belongs_to_another_call(mock: Mock):
    mock.registry.get(URL, exception=True)
    mock.registry.get(URL, status=201)
    mock.registry.head(URL)
    async with connect(mock.port) as waiting, connect(mock.port) as closed:
        # Once this one is served, the other, which connected before, is accepted.
        await closed.exchange(LIKE_AIOHTTP.replace(b"GET", b"HEAD"), bodiless=True)
        await closed.send(LIKE_AIOHTTP)
        assert await closed.rest() == b""
        assert (await waiting.exchange(LIKE_AIOHTTP)).status == 201
    assert mock.registry.call_count == 3
    async with connect(mock.port) as retry:
        await retry.send(LIKE_AIOHTTP)
        assert await retry.rest() == b""
    assert mock.registry.call_count == 3


async def test_a_close_is_forgotten_after_a_while(mock: Mock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_retries, "_RETRY_WINDOW", 0.05)
    for count in (1, 2):
        async with connect(mock.port) as connection:
            await connection.send(LIKE_AIOHTTP)
            assert await connection.rest() == b""
        assert mock.registry.call_count == count
        await asyncio.sleep(0.2)


async def test_the_same_target_at_another_host_is_another_request(mock: Mock):
    for number in range(3):
        async with connect(mock.port) as connection:
            await connection.send(LIKE_AIOHTTP.replace(b"api", b"api%d" % number))
            assert await connection.rest() == b""
    assert mock.registry.call_count == 3


async def test_the_same_target_on_another_port_is_another_request():
    with contextlib.closing(Mock(https=True)) as mock:
        for scheme in ("http", "https"):
            async with connect(mock.listener.address(scheme)[1]) as connection:
                await connection.send(LIKE_AIOHTTP)
                assert await connection.rest() == b""
        assert [request.scheme for request in mock.received] == ["http", "https"]


async def test_the_body_of_a_retry_is_received():
    requests: list[AiointerceptRequest] = []

    async def answer(request: AiointerceptRequest) -> CloseConnection:
        requests.append(request)
        return CloseConnection()

    inner = ignore_retries(answer)

    async def answer_any(request: AiointerceptRequest) -> Reply:
        reply = await inner(request)
        completed.append(request.complete)
        return reply

    completed: list[bool] = []
    listener = Listener(answer_any)
    try:
        for _ in range(2):
            async with connect(listener.port) as connection:
                await connection.send(LIKE_AIOHTTP.replace(b"GET", b"PUT")[:-2] + b"Content-Length: 4\r\n\r\nbody")
                assert await connection.rest() == b""
    finally:
        listener.close().result(5)
    assert len(requests) == 1
    assert completed == [False, True]


async def test_nothing_of_the_reply_is_kept_for_a_retry(mock: Mock):
    """An exception refers to the frames of the test that raised it."""

    class Mine(Exception):
        pass

    route = Route("GET", ExactURL(YarlURL(URL)), FaultReply(error := Mine()))
    mock.registry.register(route)
    kept = weakref.ref(error)
    async with connect(mock.port) as connection:
        await connection.send(LIKE_AIOHTTP)
        assert await connection.rest() == b""
    mock.registry.clear()
    del route, error
    await eventually(lambda: gc.collect() >= 0 and kept() is None)
    async with connect(mock.port) as connection:
        await connection.send(LIKE_AIOHTTP)
        assert await connection.rest() == b""
    assert mock.registry.call_count == 0


async def test_each_wrapper_knows_its_own_closes():
    """An answer function may leave out requests that it can identify otherwise."""
    registry = Registry()
    first, second = (ignore_retries(read_body_first(registry.answer)) for _ in range(2))

    async def answer(request: AiointerceptRequest) -> Reply:
        asked.append(request)
        return await (first if len(asked) % 2 else second)(request)

    asked: list[AiointerceptRequest] = []
    listener = Listener(answer)
    try:
        for count in (1, 2, 2, 2, 3, 4):
            async with connect(listener.port) as connection:
                await connection.send(LIKE_AIOHTTP)
                assert await connection.rest() == b""
            assert registry.call_count == count
    finally:
        listener.close().result(5)


async def test_retries_are_requests_in_a_mounted_application():
    registry = Registry()
    runner = web.AppRunner(application(registry.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        for count in (1, 2, 3):
            async with connect(runner.addresses[0][1]) as connection:
                await connection.send(LIKE_AIOHTTP)
                assert await connection.rest() == b""
            assert registry.call_count == count
    finally:
        await runner.cleanup()


@pytest.mark.long
async def test_it_is_always_right_for_one_call_after_the_other(mock: Mock):
    async with aiohttp.ClientSession() as session:
        for number in range(1000):
            method = RETRIED[number % 5]
            mock.registry.add(f"{mock.url}/", method, exception=True)
            mock.registry.add(f"{mock.url}/", method, status=201)
            await fails(session, method, f"{mock.url}/")
            assert await status(session, method, f"{mock.url}/") == 201
            assert mock.registry.call_count == 2 * number + 2
