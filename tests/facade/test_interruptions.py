"""Starting and stopping a mock at any point of something else: an interrupt, a collection, another thread."""

import asyncio
import contextlib
import gc
import os
import re
import socket
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector
from line_counter import LineCounter, at_each_line, interrupt
from support import fetch

import aiointercept as facade
import aiointercept_dns
import aiointercept_server
from aiointercept import aiointercept
from aiointercept.compat import aioresponses
from aiointercept_server._thread import SERVER_THREAD

# By default nothing of aiointercept_dns runs.
LINES_OF = pytest.mark.parametrize(
    ("package", "external"),
    [
        pytest.param(facade, False, id="facade-default"),
        pytest.param(facade, True, id="facade-external"),
        pytest.param(aiointercept_server, False, id="server-default"),
        pytest.param(aiointercept_server, True, id="server-external"),
        pytest.param(aiointercept_dns, True, id="dns-external"),
    ],
)
# A socket that has no port yet is left to its own destructor.
UNBOUND = pytest.mark.filterwarnings(r"ignore:unclosed <socket.*laddr=\('0.0.0.0', 0\):ResourceWarning")
MODES = pytest.mark.parametrize("external", [False, True], ids=["default", "external"])
UNPATCHED = TCPConnector.connect, ClientSession._request


def is_patched() -> bool:
    return (TCPConnector.connect, ClientSession._request) != UNPATCHED


def listening_ports() -> set[int]:
    """Return the ports on which this process listens, as the system knows them."""
    ports = set()
    for descriptor in map(int, os.listdir("/dev/fd")):
        try:
            opened = socket.socket(fileno=descriptor)
        except OSError:
            continue
        # A closed one may have been listed.
        with contextlib.suppress(OSError):
            if opened.family == socket.AF_INET and opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                ports.add(opened.getsockname()[1])
        opened.detach()
    return ports


def open_listeners() -> set:
    return {*SERVER_THREAD.listeners, *(listening_ports() if os.path.isdir("/dev/fd") else ())}


def wait_for_listeners(before: set) -> None:
    """Wait until no listener is open except those of `before`; far less than the 5 s that a mock may take to close."""
    deadline = time.monotonic() + 2
    while left := open_listeners() - before:
        assert time.monotonic() < deadline, f"open: {left}"
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch):
    # The plugin keeps the mocks of a test for its report.
    monkeypatch.delitem(sys.modules, "aiointercept_pytest", raising=False)
    with aiointercept():
        pass  # The server's thread runs from now on.
    before = open_listeners()
    yield
    assert not is_patched()
    wait_for_listeners(before)


def mocks_at_each_line(
    run: Callable[[aiointercept], object],
    action: Callable[[], None],
    package: ModuleType = facade,
    *,
    external: bool = True,
) -> Iterator[list[aiointercept]]:
    """Use a new mock with `action` before the first line of the package, before the second, and so on."""
    for line in range(1, 1000):
        began = time.monotonic()
        mocks = [aiointercept(mock_external_urls=external)]
        counter = LineCounter(package, line, action)
        try:
            with counter:
                run(mocks[0])
        except KeyboardInterrupt:
            assert counter.reached
        if not counter.reached:
            assert line > 20
            return
        yield mocks
        # A mock that does not close is waited for 5 s.
        assert time.monotonic() - began < 2
    raise AssertionError("the run does not end")


def block(m: aiointercept) -> None:
    with m:
        pass


def start_and_stop(m: aiointercept) -> None:
    m.start()
    m.stop()


USES = pytest.mark.parametrize("use", [block, start_and_stop])


@UNBOUND
@USES
@LINES_OF
def test_stop_removes_whatever_an_interrupt_has_left(use, package, external):
    before = open_listeners()
    for mocks in mocks_at_each_line(use, interrupt, package, external=external):
        mocks[0].stop()
        assert not is_patched()
        wait_for_listeners(before)
        assert "(stopped)" in repr(mocks[0]) or "not started" in repr(mocks[0])
        # And the mock can be used again.
        block(mocks[0])


@pytest.mark.filterwarnings("ignore:coroutine 'aiointercept.stop' was never awaited")
@USES
async def test_stop_removes_whatever_an_interrupt_has_left_in_a_loop(use):
    for mocks in mocks_at_each_line(use, interrupt):
        await mocks[0].stop()
        assert not is_patched()


def test_stop_removes_whatever_an_interrupt_has_left_of_a_mock_of_compat():
    def use() -> None:
        mocks.append(aioresponses())
        with mocks[0]:
            pass

    mocks: list[aioresponses] = []
    before = open_listeners()
    for _ in at_each_line(facade, use, interrupt):
        if mocks:
            mocks.pop().stop()
        assert not is_patched()
        wait_for_listeners(before)


@UNBOUND
@USES
@LINES_OF
def test_the_collection_of_the_mock_removes_whatever_an_interrupt_has_left(use, package, external):
    collected = 0
    before = open_listeners()
    for mocks in mocks_at_each_line(use, interrupt, package, external=external):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
            reference = weakref.ref(mocks.pop())
            if (kept := reference()) is not None and not caught:
                # CPython keeps the frames of an interrupt between two exceptions.
                kept.stop()
            del kept
        assert not is_patched()
        wait_for_listeners(before)
        collected += len(caught)
    assert collected


@USES
def test_another_mock_may_be_used_and_collected_at_any_point(use):
    def other() -> None:
        def generator() -> Iterator[None]:
            with aiointercept(mock_external_urls=True):
                yield

        suspended = generator()
        next(suspended)
        del suspended

    for _ in mocks_at_each_line(use, other):
        assert not is_patched()


@MODES
def test_a_mock_that_four_threads_start_at_once_is_started_once(external):
    def start() -> None:
        together.wait()
        try:
            m.start()
        except RuntimeError as exc:
            errors.append(str(exc))
        together.wait()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            m = aiointercept(external)
            errors: list[str] = []
            together = threading.Barrier(4)
            threads = [threading.Thread(target=start) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert errors == ["the mock is already running: call stop() first, or create a second mock"] * 3
            assert is_patched() == external
            m.get(f"{m.server_url}/", body="x")
            assert asyncio.run(fetch(m.server_url)).text == "x"
            m.stop()
            assert not is_patched()
    finally:
        sys.setswitchinterval(interval)


@MODES
async def test_a_mock_that_is_collected_before_it_is_stopped_stops_and_warns(external):
    m = aiointercept(external)
    m.start()
    url = m.server_url
    m.get(f"{url}/", body="x")
    assert (await fetch(url)).text == "x"
    assert is_patched() == external
    with pytest.warns(ResourceWarning) as caught:
        del m
    (warning,) = caught
    expected = rf"<aiointercept {url}, started at .*test_interruptions\.py:\d+> was collected before it was stopped: .*"
    assert re.fullmatch(expected, str(warning.message))
    assert not is_patched()
    for _ in range(1000):
        try:
            await fetch(url)
        except aiohttp.ClientConnectorError:
            break
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.001)
    else:
        raise AssertionError("the port is open")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


async def test_a_mock_of_compat_that_is_collected_before_it_is_stopped_stops_and_warns():
    m = aioresponses()
    m.start()
    m.get("http://api.example/", body="x")
    assert (await fetch("http://api.example/")).text == "x"
    assert is_patched()
    name = repr(m)
    with pytest.warns(ResourceWarning) as caught:
        del m
    assert [str(warning.message) for warning in caught] == [
        f"{name} was collected before it was stopped: use a with block, or call stop()"
    ]
    assert not is_patched()


COLLECTED = """
from aiointercept import aiointercept
aiointercept(True).start()
kept = aiointercept(True)
kept.start()
cycle = [kept]
cycle.append(cycle)
"""


def test_a_mock_that_runs_at_the_end_of_the_interpreter_does_not_warn():
    command = [sys.executable, "-X", "dev", "-c", COLLECTED]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert done.stderr.count("was collected before it was stopped") == 1, done.stderr
