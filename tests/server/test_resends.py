"""One call is one recorded request, although aiohttp silently resends it once after a disconnect."""

import asyncio
import urllib.request

import aiohttp
import pytest
from aiohttp import web
from mock_server import Mock, connect
from support import fetch

from aiointercept_core import Registry
from aiointercept_server import _resend, application

RESENT = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]
LIKE_AIOHTTP = b"GET / HTTP/1.1\r\nHost: api.example\r\nUser-Agent: Python/3.11 aiohttp/3.14\r\n\r\n"
URL = "http://api.example/"


async def fails(session: aiohttp.ClientSession, method: str, url: str, **options) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.request(method, url, **options)


async def status(session: aiohttp.ClientSession, method: str, url: str, **options) -> int:
    async with session.request(method, url, **options) as response:
        await response.read()
        return response.status


@pytest.mark.parametrize("method", RESENT)
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])
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


@pytest.mark.parametrize("method", RESENT)
async def test_a_request_that_nothing_matches_is_recorded_once(mock: Mock, method: str):
    async with aiohttp.ClientSession() as session:
        for count in (1, 2, 3):
            await fails(session, method, f"{mock.url}/", data=b"body" if method == "PUT" else None)
            assert mock.registry.call_count == count


async def test_the_callers_own_retries_are_calls_of_their_own(mock: Mock):
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


async def test_a_pool_with_several_warm_connections(mock: Mock):
    mock.registry.get(f"{mock.url}/warm", repeat=True)
    mock.registry.get(f"{mock.url}/", exception=True)
    mock.registry.get(f"{mock.url}/", status=201)
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(status(session, "GET", f"{mock.url}/warm") for _ in range(4)))
        await fails(session, "GET", f"{mock.url}/")
        assert await status(session, "GET", f"{mock.url}/") == 201


async def test_a_redirect_back_to_the_same_url_is_a_new_request(mock: Mock):
    mock.registry.get(f"{mock.url}/", status=302, headers={"Location": "/"}, repeat=3)
    mock.registry.get(f"{mock.url}/", exception=True)
    mock.registry.get(f"{mock.url}/", status=302, headers={"Location": "/"})
    mock.registry.get(f"{mock.url}/", status=201)
    async with aiohttp.ClientSession() as session:
        await fails(session, "GET", f"{mock.url}/")
        assert await status(session, "GET", f"{mock.url}/") == 201
    assert mock.registry.call_count == 6


@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
async def test_what_aiohttp_does_not_resend_is_counted_each_time(mock: Mock, method: str):
    mock.registry.add(f"{mock.url}/", method, exception=True, repeat=2)
    mock.registry.add(f"{mock.url}/", method, status=201)
    async with aiohttp.ClientSession() as session:
        await fails(session, method, f"{mock.url}/")
        await fails(session, method, f"{mock.url}/")
        assert await status(session, method, f"{mock.url}/") == 201


async def test_a_chunked_upload_cannot_be_resent(mock: Mock):
    """Its generator is used up, so that the next such request is a call of its own."""
    mock.registry.put(URL, exception=True, repeat=2)
    mock.registry.put(URL, status=201)
    request = LIKE_AIOHTTP.replace(b"GET", b"PUT").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2):
        async with connect(mock.port) as wire:
            await wire.send(request + b"0\r\n\r\n")
            assert await wire.rest() == b""
    async with connect(mock.port) as wire:
        assert (await wire.exchange(request + b"0\r\n\r\n")).status == 201


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
async def test_who_is_taken_for_aiohttp(mock: Mock, fields: bytes, looks_like_aiohttp: bool):
    mock.registry.get(URL, exception=True)
    mock.registry.get(URL, status=201)
    request = b"GET / HTTP/1.1\r\nHost: api.example\r\n" + fields + b"\r\n"
    async with connect(mock.port) as wire:
        await wire.send(request)
        assert await wire.rest() == b""
    async with connect(mock.port) as wire:
        await wire.send(request)
        if looks_like_aiohttp:
            assert await wire.rest() == b""
            assert mock.registry.call_count == 1
        else:
            assert (await wire.response()).status == 201


async def test_one_resend_for_each_close(mock: Mock):
    for _ in range(6):
        async with connect(mock.port) as wire:
            await wire.send(LIKE_AIOHTTP)
            assert await wire.rest() == b""
    assert mock.registry.call_count == 3


async def test_a_connection_that_was_open_and_unused_belongs_to_another_call(mock: Mock):
    mock.registry.get(URL, exception=True)
    mock.registry.get(URL, status=201)
    mock.registry.head(URL)
    async with connect(mock.port) as waiting, connect(mock.port) as closed:
        # Once this one is served the other, which came before, is accepted.
        await closed.exchange(LIKE_AIOHTTP.replace(b"GET", b"HEAD"), bodiless=True)
        await closed.send(LIKE_AIOHTTP)
        assert await closed.rest() == b""
        assert (await waiting.exchange(LIKE_AIOHTTP)).status == 201
    assert mock.registry.call_count == 3
    async with connect(mock.port) as resend:
        await resend.send(LIKE_AIOHTTP)
        assert await resend.rest() == b""
    assert mock.registry.call_count == 3


async def test_it_is_forgotten_by_and_by(mock: Mock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_resend, "_MEMORY", 0.05)
    for count in (1, 2):
        async with connect(mock.port) as wire:
            await wire.send(LIKE_AIOHTTP)
            assert await wire.rest() == b""
        assert mock.registry.call_count == count
        await asyncio.sleep(0.2)


async def test_the_same_target_at_another_host_is_another_request(mock: Mock):
    for number in range(3):
        async with connect(mock.port) as wire:
            await wire.send(LIKE_AIOHTTP.replace(b"api", b"api%d" % number))
            assert await wire.rest() == b""
    assert mock.registry.call_count == 3


async def test_nothing_is_guessed_where_the_owner_tells_the_url(mock: Mock):
    def screen(request):
        request.url = request.url

    mock.screen = screen
    for count in (1, 2, 3):
        async with connect(mock.port) as wire:
            await wire.send(LIKE_AIOHTTP)
            assert await wire.rest() == b""
        assert mock.registry.call_count == count


async def test_nothing_is_guessed_in_the_mounted_application():
    registry = Registry()
    runner = web.AppRunner(application(registry.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        for count in (1, 2, 3):
            async with connect(runner.addresses[0][1]) as wire:
                await wire.send(LIKE_AIOHTTP)
                assert await wire.rest() == b""
            assert registry.call_count == count
    finally:
        await runner.cleanup()


@pytest.mark.long
async def test_it_never_errs_for_one_call_after_the_other(mock: Mock):
    async with aiohttp.ClientSession() as session:
        for number in range(1000):
            method = RESENT[number % 5]
            mock.registry.add(f"{mock.url}/", method, exception=True)
            mock.registry.add(f"{mock.url}/", method, status=201)
            await fails(session, method, f"{mock.url}/")
            assert await status(session, method, f"{mock.url}/") == 201
            assert mock.registry.call_count == 2 * number + 2
