"""Interpreters of their own: every warning an error, a forked child, several workers at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiointercept_core import Registry

ROOT = Path(__file__).resolve().parents[2]

EVERYTHING = """
import asyncio, gc, re, time, weakref
import aiohttp
from aiointercept import CallbackResult, aiointercept

async def get(url, method="GET", **options):
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        return await response.read()

async def use(m, base):
    entered = asyncio.Event()

    async def async_callback(url, **kwargs):
        return CallbackResult(payload=kwargs["json"])

    async def hanging(url, **kwargs):
        entered.set()
        await asyncio.Event().wait()

    async def body():
        yield b"one"
        yield b"two"

    async def failing_body():
        yield b"one"
        raise LookupError

    m.get(f"{base}/static", payload=1)
    m.get(f"{base}/sync", callback=lambda url, **kwargs: CallbackResult(body="sync"))
    m.post(f"{base}/async", callback=async_callback)
    m.get(f"{base}/stream", body=body)
    m.get(f"{base}/failing", body=failing_body)
    m.get(f"{base}/hanging", callback=hanging)
    m.get(f"{base}/closed", exception=True)
    m.put(re.compile(".*/upload"))
    assert await get(f"{base}/static") == b"1"
    assert await get(f"{base}/sync") == b"sync"
    assert await get(f"{base}/async", "POST", json=2) == b"2"
    assert await get(f"{base}/stream") == b"onetwo"
    form = aiohttp.FormData({"name": "ann"})
    form.add_field("file", b"x" * 100_000, filename="x")
    await get(f"{base}/upload", "PUT", data=form)
    assert (await m.last_request.post())["name"] == "ann"
    for path in ("closed", "unmatched", "failing"):
        try:
            await get(f"{base}/{path}")
        except aiohttp.ClientError:
            pass
        else:
            raise AssertionError(path)
    task = asyncio.ensure_future(get(f"{base}/hanging"))
    await entered.wait()
    return task

async def main():
    for external in (False, True):
        try:
            async with aiointercept(external) as m:
                task = await use(m, "https://api.example.com" if external else m.server_url)
        except LookupError:
            pass
        else:
            raise AssertionError("the error in the body was lost")
        try:
            await task
        except aiohttp.ClientConnectionError:
            pass
        gc.collect()
        with aiointercept(external) as m:
            m.get(f"{m.server_url}/", body="x")
            assert await get(m.server_url) == b"x"
        m.start()
        await m.stop()
        gc.collect()

for _ in range(2):
    asyncio.run(main())
    gc.collect()
with aiointercept(True) as m:
    m.get("https://api.example.com/", body="x")
    assert asyncio.run(get("https://api.example.com/")) == b"x"
gc.collect()

# Nothing keeps a mock that is over, nor what it has recorded.
references = [weakref.ref(m), weakref.ref(m.last_request)]
del m
deadline = time.monotonic() + 5
while any(reference() is not None for reference in references):
    assert time.monotonic() < deadline, "a mock is kept alive"
    gc.collect()
    time.sleep(0.001)
"""

FORKING = """
import asyncio, os, socket, sys, time, traceback, warnings
import aiohttp
from aiointercept import aiointercept

URL = "http://api.example.com/"

async def ask(url, family=socket.AF_UNSPEC):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(family=family)) as session:
        async with session.get(url) as response:
            return await response.text()

def get(url):
    return asyncio.run(asyncio.wait_for(ask(url), 5))

def child(m):
    # What the parent mocks is mocked for its child.
    assert get(URL) == "parent"
    assert get("https://api.example.com/") == "parent, https"
    assert get(m.server_url) == "parent"
    # A port that the parent has not opened would be served by no thread.
    try:
        asyncio.run(ask(URL, family=socket.AF_INET6))
    except OSError as error:
        assert "start another mock here" in str(error)
    else:
        raise AssertionError("expected an error")
    # A mock of one's own has a thread of its own.
    with aiointercept(True) as own:
        own.get("https://api.example.com/", body="child")
        assert get("https://api.example.com/") == "child"
        assert own.call_count == 1
    assert get(URL) == "parent"
    # The block that was open at the fork can be left, without waiting for a thread that is not there.
    started = time.perf_counter()
    m.stop()
    assert time.perf_counter() - started < 1
    with aiointercept() as own:
        own.get(f"{own.server_url}/", body="child")
        assert get(own.server_url) == "child"

with aiointercept(True) as m:
    m.get(URL, body="parent", repeat=True)
    m.get("https://api.example.com/", body="parent, https", repeat=True)
    m.get(f"{m.server_url}/", body="parent", repeat=True)
    assert get(URL) == "parent"
    with warnings.catch_warnings():
        # Newer Pythons warn of every fork in a process that has threads.
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        try:
            child(m)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    # What the child did has not harmed the parent, which has seen the child's requests.
    assert get(URL) == "parent"
    assert m.call_count == 6, m.requests
"""

FORKING_UNDER_A_LOCK = """
import os, signal, threading, warnings
from aiointercept import aiointercept

def hold():
    with m._registry._lock:
        held.set()
        forked.wait()

m, held, forked = aiointercept(), threading.Event(), threading.Event()
with m:
    threading.Thread(target=hold).start()
    held.wait()
    with warnings.catch_warnings():
        # Newer Pythons warn of every fork in a process that has threads.
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        signal.alarm(5)
        m.get(f"{m.server_url}/", body="child")
        assert len(m.routes) == 1
        m.stop()
        os._exit(0)
    forked.set()
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    assert m.routes == []
"""

# The server's thread lives on when the mock and the context in which it was started are gone.
STARTED_IN_A_CONTEXT = """
import contextvars, gc, threading, urllib.request, weakref
from aiointercept import CallbackResult, aiointercept

class Value: pass

def callback(url, **kwargs):
    threads.append(threading.current_thread().name)
    return CallbackResult()

def use():
    value = Value()
    variable.set(value)
    with aiointercept() as m:
        m.get(m.server_url, callback=callback)
        urllib.request.urlopen(m.server_url).close()
    return weakref.ref(value)

variable, threads = contextvars.ContextVar("variable"), []
value = contextvars.Context().run(use)
gc.collect()
assert threads == ["aiointercept-callbacks"]
assert "aiointercept-server" in [thread.name for thread in threading.enumerate()]
assert value() is None
"""


def run(*command, **options):
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, check=False, capture_output=True, text=True, timeout=100, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_nothing_warns_in_development_mode_with_every_warning_an_error():
    done = run("-X", "dev", "-W", "error", "-c", EVERYTHING)
    # What is logged is expected: unmatched requests and the error in a body. A warning in a finaliser is not.
    assert "Warning" not in done.stderr
    assert "never retrieved" not in done.stderr
    assert "ignored" not in done.stderr


def test_no_thread_keeps_the_context_in_which_it_was_started():
    # The default of free-threaded builds since Python 3.14, without effect before.
    assert run("-X", "thread_inherit_context=1", "-c", STARTED_IN_A_CONTEXT).stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_uses_mocks_of_its_own_and_those_of_its_parent():
    assert run("-c", FORKING).stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.skipif(not hasattr(Registry, "renew_lock"), reason="this core has no lock to renew")
def test_a_child_forked_while_a_thread_held_the_lock_of_the_registry_may_use_it():
    assert run("-c", FORKING_UNDER_A_LOCK).stderr == ""


FILES = [f"tests/facade/test_{name}.py" for name in ("life_cycle", "callbacks", "body_functions", "usage_modes")]


@pytest.mark.long
def test_four_workers_at_once():
    done = run("-m", "pytest", "-n", "4", "-q", *FILES)
    assert "passed" in done.stdout


@pytest.mark.long
def test_tests_in_development_mode_with_every_warning_an_error():
    run("-X", "dev", "-W", "error", "-m", "pytest", "-q", *FILES[:2])
