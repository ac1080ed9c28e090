"""One call by the user is one recorded request and one consumed reply, although aiohttp retries after a disconnect.

Requests to `server_url` of a mock without `mock_external_urls` are told apart by what they look like, which is the
server's own business. A redirected request is known by the call that made it, and never taken for a retry.
"""

import asyncio

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector, web
from support import Names, raw_exchange, real_server

from aiointercept import aiointercept

URL = "https://api.example/thing"
MODES = pytest.mark.parametrize("external", [False, True], ids=["server_url", "redirected"])
WARM = pytest.mark.parametrize("warm", [False, True], ids=["new connection", "used connection"])


def url_of(m: aiointercept, external: bool) -> str:
    return URL if external else f"{m.server_url}/thing"


async def status_of(session: ClientSession, url: str, method: str = "GET", **options) -> int:
    """Return the status of a response, 0 where the connection was closed."""
    try:
        async with session.request(method, url, **options) as response:
            await response.read()
            return response.status
    except aiohttp.ServerDisconnectedError:
        return 0


@MODES
@WARM
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_a_closed_connection_is_one_request(external, warm, method):
    async with aiointercept(external) as m, ClientSession() as session:
        url = url_of(m, external)
        if warm:
            m.get(f"{url}/warm")
            await status_of(session, f"{url}/warm")
            m.clear()
        closed, answered = m.add(url, method, exception=True), m.add(url, method)
        assert await status_of(session, url, method) == 0
        assert (closed.call_count, answered.call_count, m.call_count) == (1, 0, 1)
        assert await status_of(session, url, method) == 200
        assert (closed.call_count, answered.call_count, m.call_count) == (1, 1, 2)


@MODES
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unmatched_request_is_one_request(external, method):
    async with aiointercept(external) as m, ClientSession() as session:
        for count in (1, 2):
            assert await status_of(session, url_of(m, external), method) == 0
            assert m.call_count == count


async def chunks():
    yield b"form="
    yield b"field"


@pytest.mark.parametrize("data", [b"form=field", {"form": "field"}, chunks], ids=["bytes", "form", "stream"])
async def test_a_request_with_a_body_is_one_request(data):
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.put(URL, exception=True)
        m.put(URL)
        for status in (0, 200):
            assert await status_of(session, URL, "PUT", data=data() if callable(data) else data) == status
        assert [request.captured_body for _, request in m.ordered_requests] == [b"form=field"] * 2


@MODES
async def test_the_callers_own_retries_are_requests(external):
    async with aiointercept(external) as m, ClientSession() as session:
        url = url_of(m, external)
        m.get(url, exception=True, repeat=3)
        m.get(url)
        assert [await status_of(session, url) for _ in range(4)] == [0, 0, 0, 200]
        assert m.call_count == 4


async def test_an_http_redirect_back_to_the_same_url_is_a_new_request():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get(URL, status=302, headers={"Location": URL}, repeat=2)
        m.get(URL, exception=True)
        m.get(URL)
        assert await status_of(session, URL) == 0
        assert m.call_count == 3
        assert await status_of(session, URL) == 200
        assert m.call_count == 4


@pytest.mark.parametrize(
    ("external", "url"),
    [(True, URL), (True, URL.replace("https", "http")), (True, "server_url"), (False, "server_url")],
)
async def test_many_calls_at_once_get_one_reply_each(external, url):
    async with aiointercept(external) as m, ClientSession() as session:
        url = m.server_url if url == "server_url" else url
        answering = m.get(url, repeat=100)
        statuses = await asyncio.gather(*(status_of(session, url) for _ in range(200)))
        assert (statuses.count(200), statuses.count(0), answering.call_count) == (100, 100, 100)
        # Without redirection, calls that are made at the same time look alike.
        assert m.call_count == 200 or not external


async def cancelled_callback(url, **kwargs):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def cancelled_body():
    asyncio.current_task().cancel()
    await asyncio.sleep(0)
    yield b"never"


@MODES
@pytest.mark.parametrize(
    "options", [{"callback": cancelled_callback}, {"body": cancelled_body}], ids=["callback", "body"]
)
async def test_a_cancelled_function_of_the_user_is_one_request(external, options):
    async with aiointercept(external) as m, ClientSession() as session:
        route = m.get(url_of(m, external), repeat=5, **options)
        assert await status_of(session, url_of(m, external)) == 0
        assert (route.call_count, m.call_count) == (1, 1)


async def test_a_body_that_is_cancelled_after_the_head_was_sent_has_no_retry():
    async def chunks():
        await head_has_arrived.wait()
        asyncio.current_task().cancel()
        await asyncio.sleep(0)
        yield b"never"

    async with aiointercept() as m, ClientSession() as session:
        url = m.server_url
        m.get(url, body=chunks)
        m.get(url)
        head_has_arrived = asyncio.Event()
        async with session.get(url) as response:
            head_has_arrived.set()
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert await status_of(session, url) == 200
        assert m.call_count == 2


# A redirected request is known by its call.


LIKE_AIOHTTP = b"GET /thing HTTP/1.1\r\nHost: api.example\r\nUser-Agent: Python/3.11 aiohttp/3.14\r\n\r\n"


async def test_a_redirected_request_is_never_taken_for_the_retry_of_another():
    url = "http://api.example/thing"
    async with aiointercept(mock_external_urls=True) as m:
        assert await raw_exchange(m.server_port, LIKE_AIOHTTP) == b""
        m.get(url)
        async with ClientSession() as session:
            assert await status_of(session, url) == 200
        assert m.call_count == 2


async def test_nothing_is_taken_for_the_retry_of_a_redirected_request():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        assert await status_of(session, "http://api.example/thing") == 0
        assert await raw_exchange(m.server_port, LIKE_AIOHTTP) == b""
        assert m.call_count == 2


async def test_a_session_that_never_retries_gets_its_error_too():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        session._retry_connection = False
        m.get(URL, exception=True)
        assert await status_of(session, URL) == 0
        assert m.call_count == 1


async def test_traces_see_the_error_that_the_caller_gets():
    seen = []

    async def note(session, context, params):
        seen.append(params.exception)

    trace = aiohttp.TraceConfig()
    trace.on_request_exception.append(note)
    async with aiointercept(mock_external_urls=True), ClientSession(trace_configs=[trace]) as session:
        for method in ("GET", "POST"):
            with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
                await session.request(method, URL)
            assert seen.pop() is caught.value
    assert not seen


# Middlewares of the user.


def retrying(tries: int, counted: list[int]):
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
async def test_retries_of_a_middleware_are_requests(method):
    counted = []
    async with aiointercept(mock_external_urls=True) as m:
        m.add(URL, method, exception=True, repeat=2)
        m.add(URL, method)
        async with ClientSession(middlewares=[retrying(3, counted)]) as session:
            assert await status_of(session, URL, method) == 200
        assert (m.call_count, counted) == (3, [2, 1, 0])


async def test_a_middleware_that_gives_up_is_not_run_again():
    counted = []
    async with aiointercept(mock_external_urls=True) as m:
        m.get(URL, exception=True, repeat=True)
        async with ClientSession(middlewares=[retrying(3, counted)]) as session:
            assert await status_of(session, URL) == 0
        assert (m.call_count, counted) == (3, [2, 1, 0])


async def test_a_middleware_may_send_two_requests_at_once():
    async def hedge(request, handler):
        tasks = [asyncio.create_task(handler(request)) for _ in range(2)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return next(result for result in results if not isinstance(result, BaseException))

    async with aiointercept(mock_external_urls=True) as m:
        m.get(URL, exception=True)
        m.get(URL)
        async with ClientSession(middlewares=[hedge]) as session:
            assert await status_of(session, URL) == 200
        assert m.call_count == 2


async def test_a_middleware_may_replace_the_error():
    class NotNow(aiohttp.ServerDisconnectedError):
        pass

    async def replace(request, handler):
        try:
            return await handler(request)
        except aiohttp.ServerDisconnectedError as exc:
            raise NotNow("not now") from exc

    async with aiointercept(mock_external_urls=True) as m:
        async with ClientSession(middlewares=[replace]) as session:
            with pytest.raises(NotNow, match="not now"):
                await session.get(URL)
        assert m.call_count == 1


# The real network.


@pytest.mark.parametrize(
    ("options", "recorded"), [({"passthrough": ["api.example"]}, 0), ({"passthrough_unmatched": True}, 1)], ids=str
)
async def test_a_retry_of_a_request_to_a_real_server_takes_place_and_is_not_recorded_again(options, recorded):
    async def close_first(request):
        if len(real.hits) == 1:
            request.transport.abort()
        return web.Response(status=201)

    async with (
        real_server(close_first) as real,
        ClientSession(connector=TCPConnector(resolver=Names())) as session,
        aiointercept(mock_external_urls=True, **options) as m,
    ):
        assert await status_of(session, f"http://api.example:{real.port}/") == 201
        assert (len(real.hits), m.call_count) == (2, recorded)
