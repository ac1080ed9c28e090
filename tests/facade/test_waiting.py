"""Waiting for requests of code in the background."""

import asyncio
import math
import re
import threading

import pytest
from support import fetch

from aiointercept import aiointercept


async def test_it_returns_once_so_many_have_come():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/a", repeat=True)
        await fetch(f"{m.server_url}/a")
        task = asyncio.create_task(fetch(f"{m.server_url}/a"))
        received = await m.wait_for_requests(2, timeout=5)
        assert received == m.requests["GET", f"{m.server_url}/a"]
        assert len(received) == 2
        await task


async def test_url_and_method_count_only_those():
    async with aiointercept() as m:
        url = f"{m.server_url}/a"
        m.any(re.compile(".*"), repeat=True)
        tasks = [asyncio.create_task(fetch(*call)) for call in ((url,), (url, "POST"), (f"{url}?b=1&a=2",))]
        assert [r.method for r in await m.wait_for_requests(url=url, method="post", timeout=5)] == ["POST"]
        # A pattern sees the URL as it was sent.
        assert len(await m.wait_for_requests(url=re.compile(r".*\?b=1&a=2$"), timeout=5)) == 1
        await asyncio.gather(*tasks)


async def test_it_says_how_many_came():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/")
        await fetch(m.server_url)
        with pytest.raises(AssertionError, match=r"expected 2 requests GET within 0\.01 s, got 1; received last: GET"):
            await m.wait_for_requests(2, method="get", timeout=0.01)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"count": 0}, ValueError, "count must be a positive int, got 0"),
        ({"count": 1.5}, TypeError, "count must be a positive int, got 1.5"),
        ({"count": True}, TypeError, "count must be a positive int, got True"),
        (
            {"count": "http://h.test/"},
            TypeError,
            "count must be a positive int, got 'http://h.test/'; pass the URL as url=",
        ),
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds, or None, got '1'"),
        ({"timeout": -1}, ValueError, "timeout must be a number of seconds that is not negative, got -1"),
        ({"timeout": math.nan}, ValueError, "timeout must be a number of seconds that is not negative, got nan"),
        ({"method": "GE T"}, ValueError, "method must be an HTTP method"),
        ({"url": "/users"}, ValueError, "url must be an absolute URL"),
    ],
)
async def test_what_cannot_be_waited_for_is_refused(options, error, message):
    with aiointercept() as m, pytest.raises(error, match=f"^{re.escape(message)}"):
        await m.wait_for_requests(**options)


@pytest.mark.parametrize("method", ["ANY", "*"])
async def test_any_method_means_what_it_means_for_a_route(method):
    async with aiointercept() as m:
        m.any(m.server_url)
        await fetch(m.server_url)
        assert [r.method for r in await m.wait_for_requests(method=method, timeout=0)] == ["GET"]


async def test_a_mock_that_was_never_started_receives_nothing():
    with pytest.raises(RuntimeError, match=r"^the mock is not started yet: use `async with`, `with` or start\(\)$"):
        await aiointercept().wait_for_requests(timeout=None)


async def test_the_end_of_the_block_wakes_it():
    async with aiointercept() as m:
        task = asyncio.create_task(m.wait_for_requests(timeout=None))
        await asyncio.sleep(0)
    with pytest.raises(AssertionError, match="before the end of the block, got 0"):
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_works_on_the_loop_of_another_thread(loop):
    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    received = []
    with aiointercept() as m:
        m.get(f"{m.server_url}/")

        def wait():
            with asyncio.Runner(loop_factory=factory) as runner:
                received.extend(runner.run(m.wait_for_requests(timeout=5)))

        thread = threading.Thread(target=wait)
        thread.start()
        asyncio.run(fetch(m.server_url))
        thread.join(5)
        assert received == [m.last_request]
