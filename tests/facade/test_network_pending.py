"""A client's call that is pending when the mock stops gets a connection error and never reaches the real network."""

import asyncio
import time

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector
from support import Names, real_server

from aiointercept import CallbackResult, aiointercept

STOPPED = "the mock was stopped while the request waited for its reply"


class Hanging:
    """A callback that does not end."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()

    async def __call__(self, url, **_) -> CallbackResult:
        self.entered.set()
        await asyncio.sleep(3600)
        return CallbackResult()


def session_to_real(**options) -> ClientSession:
    return ClientSession(connector=TCPConnector(resolver=Names(), **options))


@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_call_that_waits_for_its_reply(method, warm):
    async with real_server() as real, session_to_real() as session:
        url = f"http://api.example:{real.port}/"
        hanging = Hanging()
        async with aiointercept(mock_external_urls=True) as m:
            if warm:
                m.get(url)
                async with session.get(url) as response:
                    await response.read()
            m.add(url, method, callback=hanging)
            task = asyncio.create_task(session.request(method, url))
            await hanging.entered.wait()
            left = time.perf_counter()
        took = time.perf_counter() - left
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await task
        assert str(caught.value) == STOPPED
        assert m.call_count == 1 + warm
        assert took < 1
        assert real.hits == []
        # Afterwards the same session reaches the real server again.
        async with session.get(url) as response:
            assert await response.text() == "real GET /"


async def test_many_calls_most_of_which_wait_for_a_free_connection():
    async with real_server() as real, session_to_real(limit=2) as session:
        url = f"http://api.example:{real.port}/"
        hanging = Hanging()
        async with aiointercept(mock_external_urls=True) as m:
            m.get(url, callback=hanging, repeat=True)
            tasks = [asyncio.create_task(session.get(url)) for _ in range(20)]
            await hanging.entered.wait()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(error).__mro__.index(aiohttp.ClientConnectionError) >= 0 for error in errors} == {True}
        assert {str(error) for error in errors} == {STOPPED}
        assert real.hits == []
        assert (await session.get(url)).status == 200


async def test_a_call_that_has_not_begun_to_connect():
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with real_server() as real, session_to_real() as session:
        url = f"http://api.example:{real.port}/"
        async with aiointercept(mock_external_urls=True) as m:
            m.get(url)
            claimed = asyncio.create_task(session.get(url, middlewares=[hold]))
            unknown = asyncio.create_task(session.get(f"http://other.example:{real.port}/", middlewares=[hold]))
            own = asyncio.create_task(session.get(real.url, middlewares=[hold]))
            await held.wait()
        go.set()
        for task in (claimed, unknown):
            with pytest.raises(aiohttp.ClientConnectionError, match=STOPPED):
                await task
        assert (await own).status == 200
        assert real.hits == [("GET", "/")]


async def test_a_call_to_a_passthrough_host_goes_on():
    answer = asyncio.Event()

    async def slow(request):
        received.set()
        await answer.wait()
        return aiohttp.web.Response(text="late")

    received = asyncio.Event()
    async with real_server(slow) as real, session_to_real() as session:
        async with aiointercept(mock_external_urls=True, passthrough=["api.example"]):
            task = asyncio.create_task(session.get(f"http://api.example:{real.port}/"))
            await received.wait()
        answer.set()
        async with await task as response:
            assert await response.text() == "late"


async def test_a_call_that_is_being_forwarded():
    async def silent(request):
        received.set()
        await asyncio.sleep(3600)

    received = asyncio.Event()
    async with real_server(silent) as real, session_to_real() as session:
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
            task = asyncio.create_task(session.get(f"http://api.example:{real.port}/"))
            await received.wait()
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await task
        assert str(caught.value) == STOPPED
        assert real.hits == [("GET", "/")]
        assert m.call_count == 1
