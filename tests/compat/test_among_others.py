"""`aioresponses` among other mocks, loops, threads and clients, and what is left of it: nothing."""

import asyncio
import contextvars
import gc
import os
import threading
import tracemalloc
import weakref
from unittest.mock import patch

import aiohttp
import pytest
from aiointercept_pytest import PYTEST_RUN
from support import raw_exchange, real_server
from yarl import URL as Url

from aiointercept import aiointercept
from aiointercept.compat import CallbackResult, aioresponses
from aiointercept_core import PlainRequest

URL = "http://api.example.com/v1/things"
OTHER = "https://other.example.com/"


async def ask(url=URL, **options):
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return await response.text()


async def refused(url=URL):
    try:
        await ask(url)
    except aiohttp.ClientConnectionError as exc:
        return str(exc)
    return None


# Other mocks


async def test_nested_decorators_the_inner_answers():
    @aioresponses(param="outer")
    @aioresponses(param="inner")
    async def check(outer, inner):
        outer.get(URL, body="outer")
        inner.get(URL, body="inner")
        assert await ask() == "inner"
        inner.assert_called_once_with(URL)
        outer.assert_not_called()

    await check()


async def test_nested_blocks_the_inner_answers_then_the_outer():
    with aioresponses() as outer:
        outer.get(URL, body="outer")
        outer.get(OTHER, body="outer", repeat=True)
        with aioresponses() as inner:
            inner.get(URL, body="inner")
            assert await ask() == "inner"
            # What it knows nothing of is left to the outer one, which keeps the record.
            assert await ask(OTHER) == "outer"
            assert "Connection refused: GET http://nobody.example.com" in await refused("http://nobody.example.com/")
            assert len(inner.requests) == 2
        assert await ask() == "outer"
    assert len(outer.requests) == 2


async def test_blocks_left_in_any_order():
    first, second = aioresponses(), aioresponses()
    first.start()
    second.start()
    first.get(URL, body="first")
    second.get(URL, body="second")
    assert await ask() == "second"
    second.get(URL, body="second")
    first.stop()
    assert await ask() == "second"
    second.stop()


async def test_one_mock_in_a_block_and_as_a_decorator_at_once():
    m = aioresponses()

    @m
    async def check(inner):
        assert inner is not m
        inner.get(URL, body="inner")
        assert await ask() == "inner"

    with m:
        m.get(URL, body="outer")
        await check()
        assert await ask() == "outer"
        m.assert_called_once_with(URL)


def test_a_recursive_function_gets_a_mock_for_each_call():
    mocks = []

    @aioresponses()
    def check(depth, m):
        mocks.append(m)
        m.get(URL, body=str(depth))
        below = check(depth - 1) if depth else ()
        return (asyncio.run(ask()), *below)

    assert check(3) == ("3", "2", "1", "0")
    assert len(set(map(id, mocks))) == 4


@pytest.mark.parametrize("native_outside", [True, False])
async def test_beside_a_native_mock(native_outside):
    native, compat = aiointercept(mock_external_urls=True), aioresponses()
    outer, inner = (native, compat) if native_outside else (compat, native)
    with outer, inner:
        native.get(URL, body="native", repeat=True)
        compat.get(OTHER, body="compat", repeat=True)
        assert [await ask(), await ask(OTHER)] == ["native", "compat"]
        native.assert_called_once_with(URL)
        compat.assert_called_once_with(OTHER)


def recorded(*mocks) -> list[int]:
    """The number of calls that each mock has recorded; native ones record requests."""
    return [
        sum(map(len, mock.requests.values())) if isinstance(mock, aioresponses) else mock.call_count for mock in mocks
    ]


@pytest.mark.parametrize("inner_kind", ["native", "compat"])
@pytest.mark.parametrize("middle_options", [{}, {"passthrough_unmatched": True}])
async def test_of_nested_mocks_the_one_that_answers_records_the_call(inner_kind, middle_options):
    """Where none has a reply left, the innermost that knows the origin reports the request, and only it records it."""
    inner_mock = aiointercept(mock_external_urls=True) if inner_kind == "native" else aioresponses()
    with aioresponses() as outer, aioresponses(**middle_options) as middle, inner_mock as inner:
        outer.post(URL, body="outer", repeat=2)
        middle.post(URL, body="middle")
        inner.post(URL, body="inner")
        for expected, counts in [
            ("inner", [0, 0, 1]),
            ("middle", [0, 1, 1]),
            ("outer", [1, 1, 1]),
            ("outer", [2, 1, 1]),
        ]:
            async with aiohttp.ClientSession() as session, session.post(URL, data=b"sent") as response:
                assert await response.text() == expected
            assert recorded(outer, middle, inner) == counts
        outer.assert_called_with(URL, "POST", data=b"sent")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError, match="it was registered for 1 call"):
                await session.post(URL)
        assert recorded(outer, middle, inner) == [2, 1, 2]


async def test_an_outer_mock_that_is_not_needed_keeps_its_reply():
    with (
        aioresponses() as outer,
        aiointercept(mock_external_urls=True) as middle,
        aiointercept(mock_external_urls=True) as inner,
    ):
        outer.get(URL, body="outer")
        middle.get(URL, body="middle")
        inner.get(OTHER)
        inner.post(URL)
        assert [await ask(), await ask()] == ["middle", "outer"]
        assert recorded(outer, middle, inner) == [1, 1, 0]


async def test_a_callback_of_an_outer_mock_gets_the_callers_arguments():
    def callback(url, **kwargs):
        got.append(kwargs["json"])
        return CallbackResult(body="outer")

    got = []
    with aioresponses() as outer, aioresponses() as inner:
        outer.get(URL, callback=callback)
        inner.get(URL, body="inner")
        assert [await ask(), await ask(json=[1])] == ["inner", "outer"]
    assert got == [[1]]


async def test_a_passthrough_prefix_leads_to_the_mock_around():
    with aioresponses() as outer:
        outer.get(OTHER, body="outer")
        with aioresponses(passthrough=[OTHER]), aioresponses(passthrough_unmatched=True) as inner:
            inner.get(URL, body="inner")
            assert [await ask(), await ask(OTHER)] == ["inner", "outer"]


async def test_async_with_works_too_and_closes_all_before_it_ends():
    async with aioresponses() as m:
        m.get(URL, body="async with")
        assert await ask() == "async with"
    m.assert_called_once_with(URL)


# pytest and type checkers see no argument that pytest would have to supply.


@aioresponses()
async def test_decorated_beside_fixtures(tmp_path, m):
    assert tmp_path.is_dir()
    m.get(URL, body="decorated")
    assert await ask() == "decorated"


@pytest.mark.parametrize("status", [200, 404])
@aioresponses(param="m")
def test_decorated_beside_parameters(m, status, tmp_path):
    assert tmp_path.is_dir()
    m.get(URL, status=status, body=str(status))
    assert asyncio.run(ask()) == str(status)
    m.assert_called_once_with(URL)


@aioresponses()
class TestDecoratedClass:
    async def test_one(self, m):
        m.get(URL, body="one")
        assert await ask() == "one"

    def test_two(self, tmp_path, m):
        assert tmp_path.is_dir()
        m.assert_not_called()


@patch("os.getcwd", return_value="patched")
@aioresponses()
@patch("os.getpid", return_value=-1)
def test_decorated_between_patches(getcwd, m, getpid):
    m.get(URL, body="decorated")
    assert (asyncio.run(ask()), os.getcwd(), os.getpid()) == ("decorated", "patched", -1)
    getcwd.assert_called_once_with()
    getpid.assert_called_once_with()


# Loops and threads


def test_a_request_never_gets_a_route_without_its_exception():
    m, reserved = aioresponses(), threading.Event()

    def reserve():
        m._running.registry.reserve(PlainRequest("GET", Url(URL)))
        reserved.set()

    class Overrides(dict):
        def __setitem__(self, route, overrides):
            # Another thread sends its request while the exception is registered.
            threading.Thread(target=reserve).start()
            assert not reserved.wait(0.1)
            super().__setitem__(route, overrides)

    m._overrides = Overrides()
    with m:
        m.get(URL, exception=ValueError())
        assert reserved.wait(5)


def test_sessions_in_several_threads():
    seen = []

    def callback(url, **kwargs):
        seen.append((asyncio.get_running_loop(), threading.current_thread()))
        return CallbackResult(body=url.name)

    async def ask_three(number):
        texts = [await ask(f"{URL}/{number}-{turn}") for turn in range(3)]
        return texts, asyncio.get_running_loop(), threading.current_thread()

    results = []
    with aioresponses() as m:
        for number in range(5):
            for turn in range(3):
                m.get(f"{URL}/{number}-{turn}", callback=callback)
        threads = [
            threading.Thread(target=lambda number=number: results.append(asyncio.run(ask_three(number))))
            for number in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(len(calls) for calls in m.requests.values()) == 15
    expected = [[f"{number}-{turn}" for turn in range(3)] for number in range(5)]
    assert sorted(texts for texts, _, _ in results) == expected
    # Each where it was called.
    assert set(seen) == {(loop, thread) for _, loop, thread in results}


async def test_a_session_whose_loop_is_in_another_thread():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    where = []
    with aioresponses() as m:
        m.get(URL, callback=lambda url, **kwargs: where.append(asyncio.get_running_loop()))
        m.get(URL, exception=(error := ValueError("over there")))
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), loop))
        with pytest.raises(ValueError, match="over there") as caught:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), loop))
    assert caught.value is error
    assert where == [loop]
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join)
    loop.close()


async def test_callbacks_see_the_context_of_their_caller():
    tenant = contextvars.ContextVar("tenant", default="nobody")
    seen = []

    async def ask_as(name):
        tenant.set(name)
        await ask()

    with aioresponses() as m:
        m.get(URL, callback=lambda url, **kwargs: seen.append(tenant.get()), repeat=True)
        await asyncio.gather(ask_as("one"), ask_as("two"))
    assert sorted(seen) == ["one", "two"]


async def test_a_caller_that_gives_up_cancels_its_callback():
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def callback(url, **kwargs):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with aioresponses() as m:
        m.get(URL, callback=callback)
        task = asyncio.create_task(ask())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_leaving_ends_the_calls_that_wait():
    started = asyncio.Event()

    async def callback(url, **kwargs):
        started.set()
        await asyncio.Event().wait()

    with aioresponses() as m:
        m.get(URL, callback=callback)
        task = asyncio.create_task(ask())
        await started.wait()
    with pytest.raises(aiohttp.ClientConnectionError):
        await task


async def test_registering_outside_of_a_block_says_what_to_do():
    m = aioresponses()
    with pytest.raises(RuntimeError, match="start"):
        m.get(URL)
    m.stop()
    with m, pytest.raises(RuntimeError, match="running"):
        m.start()


# Other clients: they may come by the port alone, and are told in HTTP what aiohttp's clients are told by exceptions.


async def test_a_client_that_is_not_aiohttp():
    def fail(url, **kwargs):
        raise LookupError("of the callback")

    async def echo(url, **kwargs):
        return CallbackResult(body=f"{url} {sorted(kwargs)}")

    with aioresponses() as m:
        port = m._running.address[1]
        for options in [{"body": "static"}, {"callback": echo}, {"callback": fail}, {"exception": OSError("none")}]:
            m.get(URL, **options)

        async def get():
            request = f"GET {URL} HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
            return await raw_exchange(port, request.encode())

        assert (await get()).endswith(b"\r\n\r\nstatic")
        assert (await get()).endswith(f"{URL} ['data', 'headers', 'json', 'query']".encode())
        failed = await get()
        assert failed.startswith(b"HTTP/1.1 500 ")
        assert b"LookupError: of the callback" in failed
        assert b"OSError: none" in await get()
        assert await get() == b""


def test_a_projects_settings_for_native_mocks_are_not_for_these():
    PYTEST_RUN.configure({"raise_callback_errors": True, "assert_all_called": True, "assert_all_matched": True})
    try:
        with pytest.raises(AssertionError, match="never used"), aiointercept(mock_external_urls=True) as native:
            native.get(URL)
        with aioresponses() as m:
            m.get(URL)
            assert asyncio.run(refused(OTHER))
    finally:
        PYTEST_RUN.unconfigure()


# What is left


def threads_of_ours():
    return {thread for thread in threading.enumerate() if thread.name.startswith("aiointercept")}


def test_200_starts_and_stops_leave_no_thread_and_no_patch():
    before = (aiohttp.ClientSession._request, aiohttp.TCPConnector.connect)
    with aioresponses():
        assert (aiohttp.ClientSession._request, aiohttp.TCPConnector.connect) != before
    threads = threads_of_ours()
    loop = asyncio.new_event_loop()
    m = aioresponses()
    for number in range(200):
        m.start()
        m.get(URL, body=str(number), callback=(lambda url, **kwargs: None) if number % 2 else None)
        if number % 4 == 0:
            assert loop.run_until_complete(ask()) == str(number)
        m.stop()
    loop.close()
    assert threads_of_ours() == threads
    assert (aiohttp.ClientSession._request, aiohttp.TCPConnector.connect) == before


@pytest.mark.long
def test_memory_does_not_grow_with_starts_and_stops():
    loop = asyncio.new_event_loop()

    @aioresponses()
    def check(m):
        m.post(URL, payload={"a": 1}, callback=lambda url, **kwargs: None)
        m.get(URL, exception=ValueError())

        async def ask_both():
            async with aiohttp.ClientSession() as session:
                await session.post(URL, data=b"x" * 10_000)
                with pytest.raises(ValueError):  # noqa: PT011
                    await session.get(URL)

        loop.run_until_complete(ask_both())

    def grown(cycles):
        for _ in range(cycles):
            check()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        warm = grown(20)
        assert grown(80) - warm < 100_000
    finally:
        tracemalloc.stop()
        loop.close()


async def test_what_was_registered_and_called_is_not_kept_alive():
    class Payload(dict):
        """With weak references."""

    payload = Payload(a=1)
    session = aiohttp.ClientSession()
    with aioresponses() as m:
        m.post(URL, payload=payload)
        await (await session.post(URL, json=payload)).json()
    await session.close()
    # aiohttp 4.0 allows no weak references to a session: its cookie jar lives as long.
    alive = [weakref.ref(payload), weakref.ref(session.cookie_jar)]
    del payload, session
    gc.collect()
    m.assert_called_once_with(URL, method="POST", json={"a": 1})
    assert [one() for one in alive] == [None, None]


async def test_passthrough_leaves_nothing_either():
    async with real_server() as server:
        for _ in range(20):
            with aioresponses(passthrough=[server.url]) as m:
                m.get(URL)
                assert await ask(f"{server.url}/") == "real GET /"
    assert len(server.hits) == 20
