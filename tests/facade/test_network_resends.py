"""One call by the user is one recorded request and one consumed reply, although aiohttp resends by itself."""

import asyncio

import aiohttp
import pytest

from aiointercept import aiointercept

IDEMPOTENT = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]
URL = "https://api.example/thing"


@pytest.fixture(name="warm", params=[False, True], ids=["fresh", "warm"])
def _warm(request):
    """Whether the call is made on a connection that has served another."""
    return request.param


async def warm_up(m: aiointercept, session: aiohttp.ClientSession, warm: bool) -> None:
    if warm:
        m.get("https://api.example/warm")
        async with session.get("https://api.example/warm") as response:
            await response.read()
        m.clear()


@pytest.mark.parametrize("method", [*IDEMPOTENT, "POST", "PATCH"])
async def test_a_closed_connection_is_one_request(method, warm):
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        await warm_up(m, session, warm)
        closed = m.add(URL, method, exception=True)
        served = m.add(URL, method, status=200)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.request(method, URL)
        assert (closed.call_count, served.call_count, m.call_count) == (1, 0, 1)
        async with session.request(method, URL) as response:
            assert response.status == 200
        assert (closed.call_count, served.call_count, m.call_count) == (1, 1, 2)


@pytest.mark.parametrize("method", [*IDEMPOTENT, "POST"])
async def test_an_unmatched_request_is_one_request(method, warm):
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        await warm_up(m, session, warm)
        for count in (1, 2):
            with pytest.raises(aiohttp.ServerDisconnectedError, match="nothing registered matches"):
                await session.request(method, URL)
            assert m.call_count == count


@pytest.mark.parametrize("data", [b"bytes", "text", {"form": "field"}], ids=["bytes", "text", "form"])
async def test_a_body_is_no_second_request(data):
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        m.put(URL, exception=True)
        m.put(URL)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.put(URL, data=data)
        assert m.call_count == 1
        await session.put(URL, data=data)
        assert m.call_count == 2
        first, second = (request.captured_body for _, request in m.ordered_requests)
        assert first == second


async def test_a_streamed_body_is_no_second_request():
    async def body():
        yield b"one"
        yield b"two"

    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        m.put(URL, exception=True)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.put(URL, data=body())
        assert m.call_count == 1
        assert m.last_request.captured_body == b"onetwo"


async def test_the_callers_own_retries_are_requests():
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        m.get(URL, exception=True, repeat=3)
        m.get(URL, status=204)
        for attempt in range(4):
            try:
                async with session.get(URL) as response:
                    assert (attempt, response.status) == (3, 204)
            except aiohttp.ServerDisconnectedError:
                assert attempt < 3
        assert m.call_count == 4


def persevering(tries: int, counted: list[int]):
    async def middleware(request, handler):
        for left in reversed(range(tries)):
            counted.append(left)
            try:
                return await handler(request)
            except aiohttp.ClientConnectionError:
                if left == 0:
                    raise

    return middleware


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_retries_of_a_middleware_are_requests(method, warm):
    counted = []
    async with aiointercept(mock_external_urls=True) as m:
        async with aiohttp.ClientSession(middlewares=[persevering(3, counted)]) as session:
            await warm_up(m, session, warm)
            counted.clear()
            m.add(URL, method, exception=True, repeat=2)
            m.add(URL, method, status=202)
            async with session.request(method, URL) as response:
                assert response.status == 202
        assert m.call_count == 3
        assert counted == [2, 1, 0]


async def test_a_middleware_that_gives_up_is_not_run_again():
    counted = []
    async with aiointercept(mock_external_urls=True) as m:
        m.get(URL, exception=True, repeat=True)
        async with aiohttp.ClientSession(middlewares=[persevering(3, counted)]) as session:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.get(URL)
        assert m.call_count == 3
        assert counted == [2, 1, 0]


async def test_a_middleware_that_asks_at_once_and_takes_the_first_answer():
    async def hedge(request, handler):
        tasks = [asyncio.create_task(handler(request)) for _ in range(2)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return next(result for result in results if not isinstance(result, BaseException))

    async with aiointercept(mock_external_urls=True) as m:
        m.get(URL, exception=True)
        m.get(URL, status=202)
        async with aiohttp.ClientSession(middlewares=[hedge]) as session, session.get(URL) as response:
            assert response.status == 202
        assert m.call_count == 2


async def test_a_middleware_that_swaps_the_error_is_not_overruled():
    class NotNow(aiohttp.ServerDisconnectedError):
        pass

    async def swap(request, handler):
        try:
            return await handler(request)
        except aiohttp.ServerDisconnectedError as exc:
            raise NotNow("not now") from exc

    async with aiointercept(mock_external_urls=True) as m:
        async with aiohttp.ClientSession(middlewares=[swap]) as session:
            with pytest.raises(NotNow, match="not now"):
                await session.get(URL)
        assert m.call_count == 1


async def test_a_redirect_back_to_the_same_url_is_a_new_request():
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        m.get(URL, status=302, headers={"Location": URL})
        m.get(URL, status=200)
        async with session.get(URL) as response:
            assert (response.status, len(response.history)) == (200, 1)
        assert m.call_count == 2


async def test_a_connection_closed_after_a_redirect_is_one_more_request():
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        m.get(URL, status=302, headers={"Location": URL}, repeat=2)
        m.get(URL, exception=True)
        m.get(URL, status=200)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(URL)
        assert m.call_count == 3
        assert (await session.get(URL)).status == 200
        assert m.call_count == 4


@pytest.mark.parametrize("url", [URL, "http://api.example/thing", "server_url"])
async def test_many_at_once_are_counted_exactly(url):
    async with aiointercept(mock_external_urls=True) as m:
        url = m.server_url if url == "server_url" else url
        served = m.get(url, repeat=100)

        async def call() -> int:
            try:
                async with session.get(url) as response:
                    return response.status
            except aiohttp.ServerDisconnectedError:
                return 0

        async with aiohttp.ClientSession() as session:
            statuses = await asyncio.gather(*(call() for _ in range(200)))
        assert (statuses.count(200), statuses.count(0)) == (100, 100)
        assert (served.call_count, m.call_count) == (100, 200)


async def test_traces_see_the_error_that_the_caller_gets():
    seen = []

    async def note(session, context, params):
        seen.append(params.exception)

    trace = aiohttp.TraceConfig()
    trace.on_request_exception.append(note)
    async with aiointercept(mock_external_urls=True), aiohttp.ClientSession(trace_configs=[trace]) as session:
        for method in ("GET", "POST"):
            with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
                await session.request(method, URL)
            assert seen.pop() is caught.value
    assert not seen
