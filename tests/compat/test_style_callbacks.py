"""Callbacks, as tests for aioresponses register them: their arguments, their results, where they run."""

import asyncio
import functools
import importlib
import io
import os
import warnings
from unittest.mock import AsyncMock, Mock

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL as Url

library = importlib.import_module(os.environ.get("AIORESPONSES_STYLE_LIBRARY", "aiointercept.compat"))
CallbackResult, aioresponses = library.CallbackResult, library.aioresponses

URL = "http://api.example.com/v1/things"
with warnings.catch_warnings():
    # aiohttp 3.14 would rather have a header, and aiohttp 4 has no `auth`.
    warnings.simplefilter("ignore", DeprecationWarning)
    AUTH = [{"auth": aiohttp.BasicAuth("user", "password")}] if hasattr(aiohttp, "BasicAuth") else []


class RootError(BaseException):
    """No Exception at all."""


@pytest.fixture
def m():
    with aioresponses() as m:
        yield m


async def caught_from(session):
    try:
        await session.get(URL)
    except BaseException as exc:
        return exc
    return None


async def test_callback(m):
    def callback(url, **kwargs):
        return CallbackResult(status=418, body="short and stout", headers={"X-Url": str(url)}, reason="I'm a Teapot")

    m.get(URL, callback=callback)
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (response.status, response.reason) == (418, "I'm a Teapot")
        assert (await response.text(), response.headers["X-Url"]) == ("short and stout", URL)


async def test_async_callback_on_the_loop_of_the_test(m):
    loop, gate, asked = asyncio.get_running_loop(), asyncio.Event(), asyncio.Queue()

    async def callback(url, **kwargs):
        assert asyncio.get_running_loop() is loop
        asked.put_nowait(url)
        await gate.wait()
        return CallbackResult(payload={"waited": True})

    m.get(URL, callback=callback)
    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(session.get(URL))
        assert await asked.get() == Url(URL)
        assert not task.done()
        gate.set()
        assert await (await task).json() == {"waited": True}


async def test_sync_callback_runs_in_the_thread_and_loop_of_the_caller(m):
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def callback(url, **kwargs):
        assert asyncio.get_running_loop() is loop
        done.set()
        loop.create_task(asyncio.sleep(0))

    m.get(URL, callback=callback)
    async with aiohttp.ClientSession() as session:
        await session.get(URL)
    assert done.is_set()


def test_callback_of_a_sync_test():
    loop, seen = asyncio.new_event_loop(), []

    async def ask():
        async with aiohttp.ClientSession() as session, session.get(URL) as response:
            return await response.text()

    async def callback(url, **kwargs):
        await asyncio.sleep(0)
        seen.append(asyncio.get_running_loop())
        return CallbackResult(body="async")

    with aioresponses() as m:
        m.get(URL, callback=lambda url, **kwargs: CallbackResult(body="sync"))
        m.get(URL, callback=callback)
        assert [loop.run_until_complete(ask()) for _ in range(2)] == ["sync", "async"]
    assert seen == [loop]
    loop.close()


async def test_a_callback_that_returns_none_leaves_the_registered_reply(m):
    calls = []
    m.get(URL, status=201, payload={"a": 1}, callback=lambda url, **kwargs: calls.append(url))
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (response.status, await response.json()) == (201, {"a": 1})
    assert calls == [Url(URL)]


async def test_a_callback_beside_an_exception(m):
    calls, error = [], OSError("after the callback")
    m.get(URL, callback=lambda url, **kwargs: calls.append(url), exception=error)
    async with aiohttp.ClientSession() as session:
        assert await caught_from(session) is error
    assert calls == [Url(URL)]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("of the callback"),
        RootError(),
        aiohttp.ServerDisconnectedError(),
        TimeoutError(),
        OSError(5, "I/O"),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_callback_that_raises(m, error):
    raises = True

    def callback(url, **kwargs):
        if raises:
            raise error

    async def async_callback(url, **kwargs):
        callback(url)

    async with aiohttp.ClientSession() as session:
        for one in (callback, async_callback):
            m.get(URL, status=201, callback=one)
            m.get(URL, status=202)
            # It has not answered yet, so it is asked again.
            raises = True
            assert [await caught_from(session) for _ in range(3)] == [error] * 3
            raises = False
            assert [(await session.get(URL)).status for _ in range(2)] == [201, 202]


async def test_a_failing_assertion_in_a_callback_fails_the_test(m):
    def callback(url, **kwargs):
        assert kwargs["json"] == {"expected": True}

    m.post(URL, callback=callback)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(AssertionError):
            await session.post(URL, json={"expected": False})


@pytest.mark.filterwarnings("ignore:The 'auth' parameter:DeprecationWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"data": b"bytes"},
        {"data": "text"},
        {"data": {"field": "value"}},
        {"json": {"a": [1, 2]}},
        {"params": {"b": "2", "a": "1"}},
        {"headers": {"X-One": "1"}},
        {"headers": CIMultiDict([("X-Two", "1"), ("X-Two", "2")])},
        {"timeout": aiohttp.ClientTimeout(total=30)},
        {"ssl": False},
        {"allow_redirects": False},
        *AUTH,
        {"cookies": {"a": "1"}, "raise_for_status": False, "max_redirects": 3, "compress": None},
    ],
    ids=lambda options: next(iter(options)),
)
async def test_a_callback_gets_the_keyword_arguments_of_the_call(m, options):
    seen = []

    def callback(url, **kwargs):
        seen.append((url, kwargs))

    url = f"{URL}?a=1&b=2" if "params" in options else URL
    m.post(url, callback=callback)
    async with aiohttp.ClientSession() as session:
        await session.post(URL, **options)
    ((got, kwargs),) = seen
    assert got == Url(url)
    assert kwargs == {"allow_redirects": True, "data": None, **options}
    assert all(kwargs[name] is value for name, value in options.items() if name in ("json", "timeout", "auth"))


async def test_a_callback_gets_the_headers_of_the_session_as_well(m):
    seen = []
    m.get(URL, callback=lambda url, **kwargs: seen.append(kwargs["headers"]))
    async with aiohttp.ClientSession(headers={"X-One": "session", "X-Two": "session"}) as session:
        await session.get(URL, headers={"X-Two": "call", "x-three": "call"})
    assert dict(seen[0]) == {"X-One": "session", "X-Two": "call", "x-three": "call"}
    assert seen[0]["X-THREE"] == "call"


async def test_a_callback_gets_the_url_with_its_params_in_order(m):
    seen = []
    m.get(f"{URL}?a=1&b=2&c=3", callback=lambda url, **kwargs: seen.append(url))
    async with aiohttp.ClientSession() as session:
        await session.get(f"{URL}?c=3", params={"b": "2", "a": "1"})
    assert [str(url) for url in seen] == [f"{URL}?a=1&b=2&c=3"]
    assert isinstance(seen[0], Url)
    assert dict(seen[0].query) == {"a": "1", "b": "2", "c": "3"}


async def test_a_callback_reads_a_stream_that_was_sent(m):
    async def chunks():
        yield b"one "
        yield b"two"

    seen = []

    async def callback(url, *, data, **kwargs):
        seen.append(b"".join([bytes([part]) if isinstance(part, int) else part for part in data]))

    m.post(URL, callback=callback, repeat=True)
    async with aiohttp.ClientSession() as session:
        await session.post(URL, data=chunks())
        await session.post(URL, data=chunks())
    assert seen == [b"one two", b"one two"]


@pytest.mark.parametrize("wrap", [lambda file: file, lambda file: {"file": file}], ids=["plain", "form"])
async def test_a_callback_reads_a_file_that_was_sent(m, wrap):
    seen = []

    def callback(url, *, data, **kwargs):
        file = data["file"] if isinstance(data, dict) else data
        seen.append(file.read())

    m.put(URL, callback=callback)
    async with aiohttp.ClientSession() as session:
        await session.put(URL, data=wrap(io.BytesIO(b"of the file")))
    assert seen == [b"of the file"]


async def test_a_callback_reads_a_file_of_the_file_system(m, tmp_path):
    (tmp_path / "file").write_bytes(b"of the disk")
    seen = []
    m.put(URL, callback=lambda url, *, data, **kwargs: seen.append(data.read()))
    with open(tmp_path / "file", "rb") as file:
        async with aiohttp.ClientSession() as session:
            await session.put(URL, data=file)
    assert seen == [b"of the disk"]


async def test_a_stateful_callback(m):
    counter = iter(range(1, 100))
    m.get(URL, callback=lambda url, **kwargs: CallbackResult(payload=next(counter)), repeat=True)
    async with aiohttp.ClientSession() as session:
        assert [await (await session.get(URL)).json() for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_kinds_of_callbacks(m):
    class Server:
        def method(self, url, **kwargs):
            return CallbackResult(body="method")

        def __call__(self, url, **kwargs):
            return CallbackResult(body="object")

    async def coroutine_function(word, url, **kwargs):
        return CallbackResult(body=word)

    mock, async_mock = Mock(return_value=CallbackResult(body="mock")), AsyncMock(return_value=None)
    callbacks = [Server().method, Server(), functools.partial(coroutine_function, "partial"), mock, async_mock]
    for callback in callbacks:
        m.get(URL, body="registered", callback=callback)
    async with aiohttp.ClientSession() as session:
        texts = [await (await session.get(URL)).text() for _ in callbacks]
    assert texts == ["method", "object", "partial", "mock", "registered"]
    mock.assert_called_once_with(Url(URL), allow_redirects=True)
    async_mock.assert_awaited_once_with(Url(URL), allow_redirects=True)


async def test_fields_of_a_callback_result(m):
    results = [
        CallbackResult(),
        CallbackResult(method="POST", status=201, body=b"\x00", content_type="image/x"),
        CallbackResult("GET", 202, "text", "text/plain", None, {"X-A": "1"}, None, "Fine"),
        CallbackResult(payload={"a": None}, body="overridden"),
        CallbackResult(body="a,b", headers={"Content-Type": "text/csv"}),
    ]
    assert (results[2].method, results[2].status, results[2].body, results[2].reason) == ("GET", 202, "text", "Fine")
    for result in results:
        m.get(URL, callback=lambda url, result=result, **kwargs: result)
    async with aiohttp.ClientSession() as session:
        got = []
        for _ in results:
            response = await session.get(URL)
            got.append((response.status, response.content_type, await response.read()))
    assert got == [
        (200, "application/json", b""),
        (201, "image/x", b"\x00"),
        (202, "text/plain", b"text"),
        (200, "application/json", b'{"a": null}'),
        (200, "text/csv", b"a,b"),
    ]


async def test_response_class_of_a_callback_result(m):
    class Shouting(aiohttp.ClientResponse):
        async def text(self, *args, **kwargs):
            return (await super().text(*args, **kwargs)).upper()

    m.get(URL, callback=lambda url, **kwargs: CallbackResult(body="quiet", response_class=Shouting))
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert isinstance(response, Shouting)
        assert await response.text() == "QUIET"


async def test_a_callback_of_a_redirect(m):
    seen = []

    def callback(url, **kwargs):
        seen.append((str(url), kwargs))

    m.get(URL, status=302, headers={"Location": "/next"}, callback=callback)
    m.get("http://api.example.com/next", callback=callback)
    async with aiohttp.ClientSession() as session:
        await session.get(URL, headers={"X-One": "1"})
    kwargs = {"allow_redirects": True, "headers": {"X-One": "1"}}
    assert seen == [(URL, kwargs), ("http://api.example.com/next", kwargs)]


async def test_a_callback_that_calls_another_mocked_service(m):
    async with aiohttp.ClientSession() as session:

        async def callback(url, **kwargs):
            async with session.get("http://other.example.com/") as response:
                return CallbackResult(body=f"it said {await response.text()}")

        m.get(URL, callback=callback)
        m.get("http://other.example.com/", body="hello")
        assert await (await session.get(URL)).text() == "it said hello"


async def test_a_callback_that_registers_and_looks_at_the_calls(m):
    def callback(url, **kwargs):
        assert len(m.requests["GET", Url(URL)]) == 1
        m.get(URL, status=299)

    m.get(URL, callback=callback)
    async with aiohttp.ClientSession() as session:
        assert [(await session.get(URL)).status for _ in range(2)] == [200, 299]
