"""Exceptions, as tests for aioresponses register them: the caller gets the very object, once."""

import asyncio
import importlib
import os
import socket
import ssl
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL as Url

library = importlib.import_module(os.environ.get("AIORESPONSES_STYLE_LIBRARY", "aiointercept.compat"))
CallbackResult, aioresponses = library.CallbackResult, library.aioresponses

URL = "http://api.example.com/v1/things"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class OwnError(Exception):
    """With arguments that it needs."""

    def __init__(self, code, *, detail):
        super().__init__(code)
        self.detail = detail


class RootError(BaseException):
    """No Exception at all."""


KEY = aiohttp.client_reqrep.ConnectionKey("api.example.com", 80, False, True, None, None, None)
EXCEPTIONS = [
    ValueError("wrong"),
    OwnError(7, detail="x"),
    RootError("of all"),
    asyncio.CancelledError(),
    KeyboardInterrupt(),
    SystemExit(3),
    KeyError("key"),
    TimeoutError(),
    TimeoutError("slow"),
    OSError(5, "I/O"),
    ConnectionResetError("reset"),
    ConnectionRefusedError(111, "refused"),
    socket.gaierror(-2, "unknown name"),
    ssl.SSLError(1, "handshake"),
    StopAsyncIteration("last"),
    HttpProcessingError(message="test"),
    aiohttp.ClientError("client"),
    aiohttp.ClientConnectionError("connection"),
    aiohttp.ServerDisconnectedError("disconnected"),
    aiohttp.ServerTimeoutError("timeout"),
    aiohttp.ConnectionTimeoutError("connection timeout"),
    aiohttp.SocketTimeoutError("socket timeout"),
    aiohttp.ClientOSError(104, "reset by peer"),
    aiohttp.ClientConnectorError(KEY, OSError(111, "refused")),
    aiohttp.ClientPayloadError("payload"),
    aiohttp.InvalidURL("nonsense"),
    aiohttp.TooManyRedirects(Mock(real_url=Url(URL)), ()),
    aiohttp.ClientResponseError(Mock(real_url=Url(URL)), (), status=502, message="bad"),
    aiohttp.ContentTypeError(Mock(real_url=Url(URL)), ()),
]


@pytest.fixture
def m():
    with aioresponses() as m:
        yield m


def name_of(exception):
    return exception.__name__ if isinstance(exception, type) else type(exception).__name__


async def caught_from(session, method="GET", url=URL, **options):
    try:
        await session.request(method, url, **options)
    except BaseException as exc:
        return exc
    return None


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=name_of)
async def test_the_caller_gets_the_very_exception_once(m, exception):
    async with aiohttp.ClientSession() as session:
        # aiohttp sends the one again after a disconnect, and the other not.
        for method in ("GET", "POST"):
            m.add(URL, method, exception=exception)
            m.add(URL, method, status=202)
            assert await caught_from(session, method) is exception
            assert (await session.request(method, URL)).status == 202
            assert isinstance(await caught_from(session, method), aiohttp.ClientConnectionError)
    assert [len(calls) for calls in m.requests.values()] == [3, 3]


@pytest.mark.parametrize(
    "kind", [ValueError, RootError, asyncio.TimeoutError, OSError, ConnectionError, aiohttp.ServerDisconnectedError]
)
async def test_an_exception_class(m, kind):
    m.get(URL, exception=kind)
    async with aiohttp.ClientSession() as session:
        assert type(await caught_from(session)) is kind


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_consumes_one_registration(m, method):
    exceptions = [aiohttp.ServerDisconnectedError(), ConnectionResetError(), ValueError(), aiohttp.ClientOSError()]
    for exception in exceptions:
        m.add(URL, method, exception=exception)
    m.add(URL, method, status=202)
    async with aiohttp.ClientSession() as session:
        assert [await caught_from(session, method) for _ in exceptions] == exceptions
        assert (await session.request(method, URL)).status == 202
    assert [len(calls) for calls in m.requests.values()] == [5]


async def test_an_exception_on_a_connection_in_use(m):
    error = ValueError("between")
    m.get(URL, body="one")
    m.get(URL, exception=error)
    m.get(URL, body="two")
    async with aiohttp.ClientSession() as session:
        assert await (await session.get(URL)).text() == "one"
        assert await caught_from(session) is error
        assert await (await session.get(URL)).text() == "two"


@pytest.mark.parametrize(("repeat", "times"), [(True, 6), (3, 3)])
async def test_an_exception_repeats(m, repeat, times):
    error = aiohttp.ClientConnectionError("again")
    m.get(URL, exception=error, repeat=repeat)
    m.get(URL, status=202)
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            assert await caught_from(session) is error
        if repeat is not True:
            assert (await session.get(URL)).status == 202


async def test_a_retry_loop_of_the_caller(m):
    m.get(URL, exception=aiohttp.ServerTimeoutError())
    m.get(URL, status=503)
    m.get(URL, payload="at last")

    async def fetch_with_retries(session):
        for _ in range(5):
            try:
                async with session.get(URL) as response:
                    response.raise_for_status()
                    return await response.json()
            except aiohttp.ClientError:
                continue
        return None

    async with aiohttp.ClientSession() as session:
        assert await fetch_with_retries(session) == "at last"
    assert [len(calls) for calls in m.requests.values()] == [3]


async def test_timeout(m):
    m.get(URL, timeout=True)
    m.get(URL, status=200)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(asyncio.TimeoutError, match="Connection timeout test"):
            await session.get(URL)
        assert (await session.get(URL)).status == 200


async def test_an_exception_wins_over_status_and_body(m):
    error = OSError("wins")
    m.get(URL, status=200, payload={}, exception=error, timeout=False)
    async with aiohttp.ClientSession() as session:
        assert await caught_from(session) is error


async def test_concurrent_exceptions(m):
    errors = [ValueError(number) for number in range(30)]
    for error in errors:
        m.get(URL, exception=error)
    async with aiohttp.ClientSession() as session:
        results = await asyncio.gather(*(session.get(URL) for _ in errors), return_exceptions=True)
    assert all(one is other for one, other in zip(results, errors, strict=True))


async def test_exceptions_inside_a_with_statement_and_of_subclassed_sessions(m):
    class Session:
        def __init__(self, session):
            self.session = session

        async def get_json(self, url):
            async with self.session.get(url) as response:
                return await response.json()

    error = aiohttp.ClientPayloadError("cut")
    m.get(URL, exception=error)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientPayloadError) as caught:
            await Session(session).get_json(URL)
    assert caught.value is error
