"""A clock that a test replaces for the whole process, before or inside the block, stops neither replies nor leaving."""

import asyncio
import contextlib
import datetime
import threading
import time
import urllib.request

import aiohttp
import freezegun
import pytest
import time_machine
from support import fetch

from aiointercept import CallbackResult, aiointercept


def must_not_be_called(*args, **kwargs):
    raise AssertionError("the mock waits by a function that the test has replaced")


async def must_not_be_awaited(*args, **kwargs):
    must_not_be_called()


@contextlib.contextmanager
def replaced_functions():
    """Time stands still, and who sleeps fails."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("time", "monotonic", "perf_counter"):
            patch.setattr(time, name, lambda: 1000.0)
        patch.setattr(time, "sleep", must_not_be_called)
        patch.setattr(asyncio, "sleep", must_not_be_awaited)
        yield


@contextlib.contextmanager
def wild_functions():
    """Time goes backwards, in large steps."""
    now = 1e9

    def step():
        nonlocal now
        now -= 1e4
        return now

    with pytest.MonkeyPatch.context() as patch:
        for name in ("time", "monotonic", "perf_counter"):
            patch.setattr(time, name, step)
        yield


CLOCKS = {
    "replaced functions": replaced_functions,
    "wild functions": wild_functions,
    "freezegun": lambda: freezegun.freeze_time("2001-02-03 04:05:06"),
    "freezegun, its loop with real time": lambda: freezegun.freeze_time("2001-02-03", real_asyncio=True),
    "time-machine": lambda: time_machine.travel(datetime.datetime(2001, 2, 3, tzinfo=datetime.UTC), tick=False),
}


@pytest.fixture(params=CLOCKS.values(), ids=CLOCKS)
def replaced_clock(request):
    return request.param


async def use(m):
    """Have `m` answer in every way. The test's own loop has no timers meanwhile, so nothing here may need one."""

    async def async_callback(url, **kwargs):
        return CallbackResult(body="async")

    async def body():
        yield b"stream"

    m.get(f"{m.server_url}/static", body="static")
    m.get(f"{m.server_url}/sync", callback=lambda url, **kwargs: CallbackResult(body="sync"))
    m.get(f"{m.server_url}/async", callback=async_callback)
    m.get(f"{m.server_url}/stream", body=body)
    for path in ("static", "sync", "async", "stream"):
        assert (await fetch(f"{m.server_url}/{path}")).text == path
    go = asyncio.Event()

    async def late_body():
        await go.wait()
        yield b"late"

    m.get(f"{m.server_url}/late", body=late_body)
    async with aiohttp.ClientSession() as session, session.get(f"{m.server_url}/late") as response:
        # For the head of a stream the server waits a moment, by its own clock.
        go.set()
        assert await response.text() == "late"
    m.get(f"{m.server_url}/closed", exception=True)
    with pytest.raises(aiohttp.ClientConnectionError):
        await fetch(f"{m.server_url}/closed")
    with pytest.raises(aiohttp.ClientConnectionError):
        await fetch(f"{m.server_url}/unmatched")
    assert m.call_count == 7


@contextlib.contextmanager
def no_longer_than(seconds):
    """Fail where the block takes longer, by a clock and a thread that nobody has replaced."""
    late = threading.Event()
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def give_up():
        late.set()
        loop.call_soon_threadsafe(task.cancel)

    timer = threading.Timer(seconds, give_up)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        assert not late.is_set()


async def test_inside_the_block(replaced_clock):
    m = aiointercept()
    with no_longer_than(5):
        async with m:
            with replaced_clock():
                await use(m)


async def test_before_the_block(replaced_clock):
    with no_longer_than(5), replaced_clock():
        async with aiointercept() as m:
            await use(m)


async def test_leaving_with_a_hanging_callback(replaced_clock):
    entered = asyncio.Event()

    async def callback(url, **kwargs):
        entered.set()
        await asyncio.Event().wait()

    with no_longer_than(5), replaced_clock():
        async with aiointercept() as m:
            m.get(f"{m.server_url}/", callback=callback)
            task = asyncio.ensure_future(fetch(m.server_url))
            await entered.wait()
        with pytest.raises(aiohttp.ClientConnectionError):
            await task


def test_in_sync_code(replaced_clock):
    with replaced_clock(), aiointercept() as m:
        m.get(f"{m.server_url}/", body="static")
        with urllib.request.urlopen(m.server_url, timeout=5) as response:
            assert response.read() == b"static"
