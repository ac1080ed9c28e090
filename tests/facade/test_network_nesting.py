"""Mocks nest and overlap: entered and left in any order, from several loops and threads, each with its own origins."""

import asyncio
import contextlib
import itertools
import re
import threading

import aiohttp
import pytest
from aiohttp import BaseConnector, ClientSession, TCPConnector
from support import Names, real_server

from aiointercept import AiointerceptWarning, CallbackResult, aiointercept


def classes() -> list[dict]:
    return [dict(vars(owner)) for owner in (BaseConnector, TCPConnector, ClientSession)]


@pytest.fixture(autouse=True)
def _nothing_is_left():
    before = classes()
    yield
    assert classes() == before


async def answered_by(session: ClientSession, url: str) -> str:
    try:
        async with session.get(url) as response:
            return await response.text()
    except aiohttp.ServerDisconnectedError:
        return "nobody"


def named(name: str, *hosts: str) -> aiointercept:
    mock = aiointercept(mock_external_urls=True)
    mock.start()
    for host in hosts:
        mock.get(f"https://{host}.example/", body=name, repeat=True)
    return mock


async def test_the_innermost_mock_that_covers_an_origin_answers():
    async with ClientSession() as session:
        outer, inner = named("outer", "a", "b"), named("inner", "b", "c")
        answers = [await answered_by(session, f"https://{host}.example/") for host in "abcd"]
        assert answers == ["outer", "inner", "inner", "nobody"]
        # Requests to origins that no mock covers go to the innermost mock and are recorded once.
        assert (inner.call_count, outer.call_count) == (3, 1)
        await inner.stop()
        answers = [await answered_by(session, f"https://{host}.example/") for host in "abcd"]
        assert answers == ["outer", "outer", "nobody", "nobody"]
        await outer.stop()


@pytest.mark.parametrize("left", list(itertools.permutations("xyz")))
async def test_mocks_may_stop_in_any_order(left):
    """One session is used throughout; its connections to a mock are of no use for another."""
    async with ClientSession() as session, contextlib.AsyncExitStack() as stack:
        mocks = {name: named(name, "shared", name) for name in "xyz"}
        for mock in mocks.values():
            stack.push_async_callback(mock.stop)
        remaining = list("xyz")
        for name in left:
            assert await answered_by(session, "https://shared.example/") == remaining[-1]
            for other in "xyz":
                expected = other if other in remaining else "nobody"
                assert await answered_by(session, f"https://{other}.example/") == expected
            remaining.remove(name)
            await mocks[name].stop()


async def test_mocks_may_overlap():
    async with ClientSession() as session:
        one = named("one", "shared")
        two = named("two", "shared")
        assert await answered_by(session, "https://shared.example/") == "two"
        await one.stop()
        three = named("three", "shared")
        assert await answered_by(session, "https://shared.example/") == "three"
        await two.stop()
        assert await answered_by(session, "https://shared.example/") == "three"
        await three.stop()


async def test_an_outer_mock_that_covers_an_origin_answers_before_an_inner_one_that_does_not():
    """Also for a path that the outer mock does not know."""
    async with ClientSession() as session, aiointercept(mock_external_urls=True) as outer:
        outer.get("https://a.example/known")
        async with aiointercept(mock_external_urls=True) as inner:
            with pytest.raises(aiohttp.ServerDisconnectedError, match="differs in path"):
                await session.get("https://a.example/unknown")
            assert (outer.call_count, inner.call_count) == (1, 0)
            # An exhausted route covers its origin as well.
            assert (await session.get("https://a.example/known")).status == 200
            with pytest.raises(aiohttp.ServerDisconnectedError, match="it was registered for 1 call"):
                await session.get("https://a.example/known")
            assert (outer.call_count, inner.call_count) == (3, 0)


async def test_routes_that_are_registered_or_cleared_count_at_once():
    async with (
        aiointercept(mock_external_urls=True) as outer,
        aiointercept(mock_external_urls=True) as inner,
        ClientSession() as session,
    ):
        for _ in range(2):
            outer.get("http://a.example/", body="outer", repeat=True)
            assert await answered_by(session, "http://a.example/") == "outer"
            inner.get("http://a.example/", body="inner", repeat=True)
            assert await answered_by(session, "http://a.example/") == "inner"
            inner.clear()
            assert await answered_by(session, "http://a.example/") == "outer"
            # A URL without a path equals the one with a slash, and a pattern tells them apart.
            inner.get(re.compile(r"^http://a\.example$"), body="pattern", repeat=True)
            assert await answered_by(session, "http://a.example/") == "outer"
            assert await answered_by(session, "http://a.example") == "pattern"
            assert await answered_by(session, "http://a.example/") == "outer"
            inner.clear()
            assert await answered_by(session, "http://a.example") == "outer"
            outer.clear()
            assert await answered_by(session, "http://a.example/") == "nobody"


async def test_passthrough_of_an_inner_mock_comes_before_the_routes_of_an_outer_one():
    async with real_server() as real, ClientSession(connector=TCPConnector(resolver=Names())) as session:
        url = f"http://a.example:{real.port}/"
        async with aiointercept(mock_external_urls=True) as outer:
            outer.get(url)
            async with aiointercept(mock_external_urls=True, passthrough=["a.example"]):
                assert await answered_by(session, url) == "real GET /"
            assert outer.call_count == 0
        async with aiointercept(mock_external_urls=True, passthrough=["a.example"]):
            async with aiointercept(mock_external_urls=True) as inner:
                inner.get(url, body="inner")
                assert await answered_by(session, url) == "inner"
            assert await answered_by(session, url) == "real GET /"


def external(**options) -> aiointercept:
    return aiointercept(mock_external_urls=True, **options)


@pytest.mark.parametrize("forwarding", [False, True])
async def test_the_innermost_mock_that_has_a_reply_left_answers(forwarding):
    url = "http://a.example/"
    async with (
        external() as outer,
        external() as middle,
        external(passthrough_unmatched=forwarding) as inner,
        ClientSession() as session,
    ):
        outer.get(url, body="outer", repeat=True)
        outer.post(f"{url}pay", body="paid")
        middle.get(url, body="middle", repeat=2)
        inner.get(url, body="inner")
        inner.get(f"{url}other")
        answers = [await answered_by(session, url) for _ in range(5)]
        assert answers == ["inner", "middle", "middle", "outer", "outer"]
        async with session.post(f"{url}pay", data=b"x" * 300_000) as response:
            assert await response.text() == "paid"
        # The mock that answers records the request, and no other.
        assert (outer.call_count, middle.call_count, inner.call_count) == (3, 2, 1)
        assert outer.last_request.captured_body == b"x" * 300_000
        for m in (outer, middle, inner):
            m.assert_all_matched()


async def test_where_no_mock_has_a_reply_left_the_innermost_that_knows_the_origin_reports():
    async with external() as outer, external() as middle, external() as inner, ClientSession() as session:
        outer.get("http://a.example/")
        middle.get("http://a.example/other")
        inner.get("http://b.example/")
        assert await answered_by(session, "http://a.example/") == ""
        with pytest.raises(aiohttp.ServerDisconnectedError, match="differs in path"):
            await session.get("http://a.example/")
        assert (outer.call_count, middle.call_count, inner.call_count) == (1, 1, 0)
        outer.assert_all_matched()
        with pytest.raises(AssertionError):
            middle.assert_all_matched()


async def test_what_an_outer_mock_answers_is_not_forwarded_by_an_inner_one():
    async with real_server() as real, ClientSession(connector=TCPConnector(resolver=Names())) as session:
        for host in ("localhost", "a.example"):
            url = f"http://{host}:{real.port}/"
            async with external() as outer, external(passthrough_unmatched=True) as inner:
                outer.get(f"{url}pay", body="outer")
                inner.get(f"{url}other", body="inner")
                assert await answered_by(session, f"{url}pay") == "outer"
                assert await answered_by(session, f"{url}real") == "real GET /real"


async def test_only_mocks_that_redirect_this_host_are_asked():
    async with real_server() as real, ClientSession(connector=TCPConnector(resolver=Names())) as session:
        url = f"http://a.example:{real.port}/"
        async with (
            external() as outermost,
            external(passthrough=["a.example"]),
            aiointercept() as default,
            external(passthrough_unmatched=True) as inner,
        ):
            outermost.get(url, body="outermost")
            with pytest.warns(AiointerceptWarning, match="mock_external_urls=True"):
                default.get(url, body="default")
            inner.get(f"{url}other", body="inner")
            assert await answered_by(session, url) == "real GET /"


async def test_an_error_in_a_callback_is_raised_by_the_mock_that_has_the_callback():
    def callback(url, **kwargs):
        raise LookupError("the outer mock's")

    async with external() as outer, external() as inner, ClientSession() as session:
        outer.get("http://a.example/", callback=callback)
        inner.get("http://a.example/other")
        assert (await session.get("http://a.example/")).status == 500
        inner.check()
        with pytest.raises(LookupError):
            outer.check()


async def test_an_outer_mock_that_stops_first_leaves_no_request_that_waits_for_its_callback():
    def callback(url, **kwargs):
        loop.call_soon_threadsafe(called.set)
        released.wait(5)
        return CallbackResult()

    called, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    outer, inner = external(), external()
    async with outer, inner, ClientSession() as session:
        outer.get("http://a.example/", callback=callback, repeat=True)
        inner.get("http://a.example/other")
        calls = [asyncio.create_task(answered_by(session, "http://a.example/")) for _ in range(2)]
        await called.wait()
        while outer.call_count < 2:
            await asyncio.sleep(0.001)
        await outer.stop()
        released.set()
        async with asyncio.timeout(5):
            assert sorted([await call for call in calls]) == ["", "nobody"]


async def test_mocks_in_several_threads_at_once():
    """Each thread has a mock and an origin of its own; they share the process, and so the patches."""
    together = threading.Barrier(4)

    async def work(number: int) -> None:
        async with ClientSession() as session:
            for turn in range(10):
                async with aiointercept(mock_external_urls=True) as m:
                    url = f"https://thread{number}.example/{turn}"
                    m.get(url, body=f"{number} {turn}", repeat=2)
                    answers.append(
                        (await answered_by(session, url), await answered_by(session, url)) == (f"{number} {turn}",) * 2
                    )
                    assert m.call_count == 2

    def run(number: int) -> None:
        together.wait()
        asyncio.run(work(number))

    answers: list[bool] = []
    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert answers == [True] * 40


async def test_an_inner_reply_is_used_before_the_outer_default():
    url, other = "https://api.example/login", "https://api.example/poll"
    async with external() as outer, external() as inner, ClientSession() as session:
        outer.get(url, body="outer", repeat=True)
        outer.get(other, body="outer", repeat=True)
        inner.get(url, body="inner")
        texts = [await answered_by(session, asked) for asked in (url, url, other)]
        assert texts == ["inner", "outer", "outer"]
        assert (inner.call_count, outer.call_count) == (1, 2)


async def test_a_condition_on_the_body_decides_which_mock_answers():
    url = "https://api.example/"
    async with external() as outer, external() as inner, ClientSession() as session:
        outer.post(url, body="outer", match_json=1)
        inner.post(url, body="inner", match_json=2)
        texts = []
        for number in (1, 2):
            async with session.post(url, json=number) as response:
                texts.append(await response.text())
        assert texts == ["outer", "inner"]
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await session.post(url, json=3)
        assert "in the mock around it: " in str(caught.value)
        assert (inner.call_count, outer.call_count) == (2, 1)


async def test_racing_requests_use_each_reply_of_nested_mocks_once():
    url = "https://api.example/"
    async with external() as outer, external() as inner, ClientSession() as session:
        outer.get(url, body="outer", repeat=20)
        inner.get(url, body="inner", repeat=20)
        texts = await asyncio.gather(*(answered_by(session, url) for _ in range(45)))
        assert [texts.count(name) for name in ("inner", "outer", "nobody")] == [20, 20, 5]
        assert (inner.call_count, outer.call_count) == (25, 20)
