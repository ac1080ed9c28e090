"""Clocks that tests stop or move, and sleeps that they replace, delay neither the mock's replies nor its end."""

import asyncio
import contextlib
import datetime
import signal
import subprocess
import sys
import threading
import time
import urllib.request

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
def freezegun_with_real_loops():
    with freezegun.freeze_time(FUTURE, real_asyncio=True):
        yield


@contextlib.contextmanager
def time_machine_stopped():
    with time_machine.travel(FUTURE, tick=False):
        assert time.time() == FUTURE.timestamp()
        yield


@contextlib.contextmanager
def functions_stopped():
    """Replace the functions themselves, for the whole process, and note calls from the mock's threads."""
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


@contextlib.contextmanager
def functions_that_go_backwards():
    now = 1e9

    def step():
        nonlocal now
        now -= 1e4
        return now

    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("time", "monotonic", "perf_counter"):
            monkeypatch.setattr(time, name, step)
        yield


PATCHERS = pytest.mark.parametrize(
    "patcher",
    [
        freezegun_stopped,
        freezegun_moved,
        freezegun_with_real_loops,
        time_machine_stopped,
        functions_stopped,
        functions_that_go_backwards,
    ],
)


@pytest.fixture(autouse=True)
def _in_good_time():
    """Fail a test that waits for ever, by the kernel's timer, which nothing replaces."""

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


async def use(m, base=BASE):
    """Ask for each kind of reply. The test's own loop has no timers meanwhile, so nothing here may need one."""
    m.get(f"{base}/static", payload="static")
    m.get(f"{base}/sync", callback=answer_sync)
    m.get(f"{base}/async", callback=answer)
    m.get(f"{base}/stream", body=body)
    m.get(f"{base}/closed", exception=True)
    for kind in ("static", "sync", "async", "stream"):
        assert (await fetch(f"{base}/{kind}")).json == kind
    for path in ("closed", "unmatched"):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await fetch(f"{base}/{path}")
    assert m.call_count == 6
    m.clear()


@PATCHERS
def test_in_sync_code(patcher):
    with patcher(), aiointercept(mock_external_urls=True) as m:
        asyncio.run(use(m))
    with aiointercept() as m, patcher():
        m.get(f"{m.server_url}/", body="static")
        with urllib.request.urlopen(m.server_url, timeout=5) as response:
            assert response.read() == b"static"
    m = aiointercept(mock_external_urls=True)
    m.start()
    with patcher():
        asyncio.run(use(m))
        m.stop()


@PATCHERS
async def test_in_a_running_loop(patcher):
    with patcher():
        async with aiointercept(mock_external_urls=True) as m:
            await use(m)
    async with aiointercept() as m:
        with patcher():
            await use(m, m.server_url)
    m = await aiointercept(mock_external_urls=True).start()
    with patcher():
        await use(m)
        await m.stop()


@PATCHERS
async def test_a_stream_whose_first_chunk_is_late(patcher):
    go = asyncio.Event()

    async def late_body():
        await go.wait()
        yield b"late"

    with patcher():
        async with aiointercept() as m, aiohttp.ClientSession() as session:
            m.get(m.server_url, body=late_body)
            # The server waits a moment before it sends the head, by its own clock.
            async with session.get(m.server_url) as response:
                go.set()
                assert await response.text() == "late"


@PATCHERS
async def test_leaving_while_a_callback_waits(patcher):
    started = asyncio.Event()

    async def wait(url, **_):
        started.set()
        await asyncio.Event().wait()

    with patcher():
        async with aiointercept(mock_external_urls=True) as m:
            m.get(f"{BASE}/waits", callback=wait)
            asking = asyncio.ensure_future(fetch(f"{BASE}/waits"))
            await started.wait()
        with pytest.raises(aiohttp.ClientConnectionError):
            await asking


@PATCHERS
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
