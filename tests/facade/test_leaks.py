"""Nothing is left behind by starting and stopping: no thread, file descriptor, patch or object."""

import asyncio
import errno
import gc
import os
import resource
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress

import aiohttp
import pytest
from support import fetch

from aiointercept import CallbackResult, aiointercept

CLASSES = (aiohttp.TCPConnector, aiohttp.ClientSession, aiohttp.connector.BaseConnector, aiohttp.ClientRequest)
MODES = pytest.mark.parametrize("external", [False, True], ids=["default", "external"])


class Traces:
    """What the process has besides what it had before."""

    def __init__(self):
        with aiointercept():
            pass  # The one shared thread is there from now on.
        self.threads = set(threading.enumerate())
        self.descriptors = open_descriptors()
        self.classes = [dict(vars(cls)) for cls in CLASSES]

    def remain(self):
        return [
            *set(threading.enumerate()) - self.threads,
            *open_descriptors() - self.descriptors,
            *([dict(vars(cls)) for cls in CLASSES] != self.classes) * ["a patch"],
        ]

    def vanish(self):
        """Wait until nothing remains: some things end on their own threads."""
        deadline = time.monotonic() + 5
        while remaining := self.remain():
            assert time.monotonic() < deadline, remaining
            time.sleep(0.001)


def open_descriptors():
    """Return what is open, each with what it is: numbers are used again."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.add((name, os.readlink(f"/proc/self/fd/{name}")))
    return found


async def until_vanished(traces):
    # What is closed by the test's own loop needs it to run.
    for _ in range(5):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    traces.vanish()


pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc to count descriptors")


async def cycle(external):
    """Start a mock, have it answer in every way, stop it; return a weak reference to what it received last."""

    async def async_callback(url, **kwargs):
        return CallbackResult(body="async")

    async with aiointercept(external) as m:
        base = "https://api.example.com" if external else m.server_url
        m.get(f"{base}/static", body="static")
        m.get(f"{base}/sync", callback=lambda url, **kwargs: CallbackResult(body="sync"))
        m.get(f"{base}/async", callback=async_callback)
        async with aiohttp.ClientSession() as session:
            for path in ("static", "sync", "async"):
                async with session.get(f"{base}/{path}") as response:
                    assert await response.text() == path
    return weakref.ref(m.last_request)


@MODES
async def test_what_was_received_is_freed_with_its_mock(external, monkeypatch):
    # A suite has many mocks: none may wait for the garbage collector with all that it received.
    # The plugin keeps those of a test for its report.
    monkeypatch.delitem(sys.modules, "aiointercept_pytest")
    await cycle(external)
    gc.collect()
    gc.disable()
    try:
        received = await cycle(external)
        deadline = time.monotonic() + 5
        # The server's thread and the one for callbacks may be about to let go of it.
        while received() is not None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)
    finally:
        gc.enable()


@MODES
@pytest.mark.parametrize("cycles", [25, pytest.param(1000, marks=pytest.mark.long)])
async def test_cycles_of_start_requests_and_stop(external, cycles):
    await cycle(external)
    traces = Traces()
    for _ in range(cycles):
        await cycle(external)
    await until_vanished(traces)


@MODES
def test_cycles_without_a_loop(external):
    traces = Traces()
    for _ in range(200):
        m = aiointercept(external)
        m.start()
        m.get(f"{m.server_url}/")
        m.stop()
    traces.vanish()


@MODES
async def test_cycles_in_a_loop(external):
    traces = Traces()
    for _ in range(200):
        async with aiointercept(external):
            pass
    await until_vanished(traces)


@MODES
async def test_cycles_of_which_nothing_is_awaited(external):
    traces = Traces()
    for _ in range(100):
        m = aiointercept(external)
        m.start()
        with pytest.warns(RuntimeWarning, match="never awaited"):
            m.stop()
        with aiointercept(external):
            pass
    await until_vanished(traces)


@MODES
async def test_exceptions_in_the_block(external):
    await cycle(external)
    traces = Traces()
    for _ in range(20):
        with suppress(LookupError):
            async with aiointercept(external) as m:
                m.get(f"{m.server_url}/")
                await fetch(m.server_url)
                raise LookupError
    await until_vanished(traces)


@MODES
async def test_exceptions_in_callbacks(external):
    def callback(url, **kwargs):
        raise LookupError

    await cycle(external)
    traces = Traces()
    for _ in range(20):
        with suppress(LookupError):
            async with aiointercept(external) as m:
                m.get(f"{m.server_url}/", callback=callback)
                await fetch(m.server_url)
    await until_vanished(traces)


@MODES
async def test_cancellation_in_the_block(external, caplog):
    async def block(entered):
        async with aiointercept(external) as m:

            async def callback(url, **kwargs):
                entered.set()
                await asyncio.Event().wait()

            m.get(f"{m.server_url}/", callback=callback)
            await fetch(m.server_url)

    await cycle(external)
    traces = Traces()
    for _ in range(20):
        entered = asyncio.Event()
        task = asyncio.ensure_future(block(entered))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until_vanished(traces)
    gc.collect()
    assert caplog.records == []


@MODES
async def test_cancellation_while_the_block_is_left(external):
    left = []

    async def block():
        m = aiointercept(external)
        await m.__aenter__()
        left.append(m)
        await m.__aexit__(None, None, None)

    traces = Traces()
    for turns in range(20):
        task = asyncio.ensure_future(block())
        while not left:
            await asyncio.sleep(0)
        for _ in range(turns % 3):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        left.clear()
    await until_vanished(traces)


@MODES
async def test_cancellation_in_start_and_stop(external):
    async def start_and_stop(m):
        await m.start()
        try:
            await asyncio.sleep(0)
        finally:
            await m.stop()

    traces = Traces()
    for turns in range(20):
        m = aiointercept(external)
        task = asyncio.ensure_future(start_and_stop(m))
        for _ in range(turns % 5):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await m.stop()
    await until_vanished(traces)


async def test_a_start_that_fails_because_aiohttp_cannot_be_redirected(monkeypatch):
    async def connect(self, something_else):
        raise NotImplementedError

    traces = Traces()
    with monkeypatch.context() as patch:
        for cls in aiohttp.TCPConnector.__mro__:
            if "connect" in vars(cls):
                patch.setattr(cls, "connect", connect)
        for _ in range(20):
            with pytest.raises(RuntimeError, match=rf"aiohttp {aiohttp.__version__}.*TCPConnector.connect"):
                aiointercept(True).start()
    await until_vanished(traces)


@MODES
async def test_a_start_that_fails_because_no_descriptor_is_left(external):
    traces = Traces()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers, refused = [], []
    m = aiointercept(external)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(name) for name, _ in traces.descriptors) + 10, limits[1]))
        # Something else of this process may be closed meanwhile: then there was room.
        for _ in range(10):
            with suppress(OSError):
                while True:
                    fillers.append(os.dup(0))
            try:
                m.start()
            except OSError as exc:
                refused.append(exc.errno)
                break
            await m.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for filler in fillers:
            os.close(filler)
    assert refused == [errno.EMFILE]
    await until_vanished(traces)


async def test_clients_that_connect_while_the_mock_stops():
    def keep_connecting(m):
        with suppress(OSError):
            for _ in range(50):
                socket.create_connection((m.server_host, m.server_port), timeout=5).close()

    traces = Traces()
    for _ in range(15):
        m = aiointercept()
        m.start()
        clients = [threading.Thread(target=keep_connecting, args=(m,)) for _ in range(3)]
        for client in clients:
            client.start()
        await m.stop()
        for client in clients:
            client.join()
    # What nobody closed warns when it is collected.
    gc.collect()
    await until_vanished(traces)


AT_EXIT = """
import asyncio, time
import aiohttp
from aiointercept import aiointercept, CallbackResult

mocks = []

async def main(external):
    m = aiointercept(external)
    mocks.append(m)
    m.start()
    m.get(f"{m.server_url}/sync", callback=lambda url, **kwargs: time.sleep(60))
    m.get(f"{m.server_url}/", payload=1)
    session = aiohttp.ClientSession()
    async with session:
        assert (await session.get(m.server_url)).status == 200
        task = asyncio.ensure_future(session.get(f"{m.server_url}/sync"))
        while m.call_count < 2:
            await asyncio.sleep(0.001)
        task.cancel()

for external in (False, True):
    asyncio.run(main(external))
"""


def test_a_mock_that_is_never_stopped_does_not_keep_the_interpreter():
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", AT_EXIT]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")
