"""Clocks that tests stop or move, and sleeps that they replace, concern neither the mock's replies nor its end."""

import asyncio
import contextlib
import datetime
import signal
import subprocess
import sys
import threading
import time

import aiohttp
import freezegun
import pytest
import time_machine
from support import fetch, real_server

from aiointercept import CallbackResult, aiointercept

FUTURE = datetime.datetime(2071, 3, 4, 5, 6, tzinfo=datetime.UTC)
BASE = "https://api.example.test"


@contextlib.contextmanager
def freezegun_stopped():
    with freezegun.freeze_time(FUTURE):
        assert time.time() == FUTURE.timestamp()
        yield


@contextlib.contextmanager
def freezegun_moved():
    with freezegun.freeze_time(FUTURE) as frozen:
        yield
        frozen.tick(1_000_000)


@contextlib.contextmanager
def time_machine_stopped():
    with time_machine.travel(FUTURE, tick=False):
        assert time.time() == FUTURE.timestamp()
        yield


@contextlib.contextmanager
def replaced():
    """The functions themselves, for the whole process; it is noted who of the server's thread calls them."""
    calls = []

    def note(name, value):
        if threading.current_thread().name.startswith("aiointercept"):
            calls.append(name)
        return value

    async def sleep(delay, result=None):
        return note("asyncio.sleep", result)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        monkeypatch.setattr(time, "sleep", lambda seconds: note("time.sleep", None))
        monkeypatch.setattr(time, "monotonic", lambda: note("time.monotonic", 0.0))
        monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
        monkeypatch.setattr(time, "time", lambda: 0.0)
        yield
    assert calls == []


PATCHERS = [freezegun_stopped, freezegun_moved, time_machine_stopped, replaced]


@pytest.fixture(autouse=True)
def _in_good_time():
    """Have what waits for ever fail; the kernel's timer is the one clock that nobody replaces."""

    def give_up(number, frame):
        raise TimeoutError("it waits for ever")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


async def answer(url, **_):
    return CallbackResult(payload="async")


def answer_sync(url, **_):
    return CallbackResult(payload="sync")


async def body():
    yield b'"str'
    yield b'eam"'


async def use(m):
    """Ask for each kind of reply."""
    m.get(f"{BASE}/static", payload="static")
    m.get(f"{BASE}/sync", callback=answer_sync)
    m.get(f"{BASE}/async", callback=answer)
    m.get(f"{BASE}/stream", body=body)
    m.get(f"{BASE}/closed", exception=True)
    for kind in ("static", "sync", "async", "stream"):
        assert (await fetch(f"{BASE}/{kind}")).json == kind
    for path in ("closed", "unmatched"):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await fetch(f"{BASE}/{path}")
    assert m.call_count == 6
    m.clear()


@pytest.mark.parametrize("patcher", PATCHERS)
def test_in_sync_code(patcher):
    with patcher(), aiointercept(mock_external_urls=True) as m:
        asyncio.run(use(m))
    with aiointercept(mock_external_urls=True) as m, patcher():
        asyncio.run(use(m))
    m = aiointercept(mock_external_urls=True)
    m.start()
    with patcher():
        asyncio.run(use(m))
        m.stop()


@pytest.mark.parametrize("patcher", PATCHERS)
async def test_in_a_running_loop(patcher):
    with patcher():
        async with aiointercept(mock_external_urls=True) as m:
            await use(m)
    async with aiointercept(mock_external_urls=True) as m:
        with patcher():
            await use(m)
    m = await aiointercept(mock_external_urls=True).start()
    with patcher():
        await use(m)
        await m.stop()


@pytest.mark.parametrize("patcher", PATCHERS)
async def test_leaving_what_hangs(patcher):
    started = asyncio.Event()

    async def hang(url, **_):
        started.set()
        await asyncio.Event().wait()

    with patcher():
        async with aiointercept(mock_external_urls=True) as m:
            m.get(f"{BASE}/hangs", callback=hang)
            asking = asyncio.ensure_future(fetch(f"{BASE}/hangs"))
            await started.wait()
        with pytest.raises(aiohttp.ClientConnectionError):
            await asking


@pytest.mark.parametrize("patcher", PATCHERS)
async def test_passthrough(patcher):
    async with real_server() as real:
        with patcher():
            async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
                m.get(f"{real.url}/mocked", payload="mocked")
                assert (await fetch(f"{real.url}/mocked")).json == "mocked"
                assert (await fetch(f"{real.url}/other")).text == "real GET /other"


FIRST_USE = """
import freezegun

with freezegun.freeze_time("2071-03-04"):
    import asyncio
    import aiohttp
    from aiointercept import aiointercept

    async def ask(url):
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.json()

    def use():
        with aiointercept(mock_external_urls=True) as m:
            m.get("https://api.example.test/", payload=1)
            assert asyncio.run(ask("https://api.example.test/")) == 1

    use()
use()
"""


def test_the_first_mock_of_a_process_is_made_while_time_stands_still():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIRST_USE], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
