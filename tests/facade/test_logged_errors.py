"""An error of a callback or a body is told once: by the exception that the test gets, or else in the log."""

import asyncio
import logging
import os
import re
import subprocess
import sys
import threading

import aiohttp
import pytest
from support import fetch

from aiointercept import aiointercept
from aiointercept.compat import aioresponses


class FirstError(Exception):
    pass


async def failing(url):
    raise FirstError("told")


async def test_raise_callback_errors_false_keeps_the_500_and_logs_the_error(caplog):
    async with aiointercept(raise_callback_errors=False) as m:
        m.get(f"{m.server_url}/", callback=failing)
        reply = await fetch(m.server_url)
        assert (reply.status, reply.text.splitlines()[-2]) == (500, f"{FirstError.__module__}.FirstError: told")
        # At once: nothing else tells it.
        (record,) = caplog.records
    assert caplog.records == [record]
    assert record.levelname == "ERROR"
    told = f"your callback failing() raised FirstError: told for GET {m.server_url}/ ("
    assert record.getMessage().startswith(told)
    assert re.search(r"test_logged_errors\.py:\d+\)$", record.getMessage())


async def failing_chunks():
    raise FirstError("told")
    yield


async def failing_handler(ws):
    raise FirstError("told")


@pytest.mark.parametrize("kind", ["body function", "WebSocket handler"])
async def test_an_error_that_is_raised_later_is_one_line_of_the_debug_log(kind, caplog):
    caplog.set_level(logging.DEBUG, "aiointercept")
    m = await aiointercept().start()
    if kind == "body function":
        m.get(f"{m.server_url}/", body=failing_chunks)
        reply = await fetch(m.server_url)
        assert (reply.status, reply.reason) == (500, "your body function failing_chunks() raised FirstError: told")
        told = "your body function failing_chunks() raised FirstError: told for GET"
    else:
        m.ws(f"{m.server_url}/", failing_handler)
        async with aiohttp.ClientSession() as session, session.ws_connect(m.server_url) as ws:
            assert (await ws.receive()).data == aiohttp.WSCloseCode.INTERNAL_ERROR
        told = "your WebSocket handler failing_handler() raised FirstError: told for GET"
    with pytest.raises(FirstError):
        await m.stop()
    (record,) = caplog.records
    assert record.levelname == "DEBUG"
    assert record.getMessage().startswith(told)
    assert len(record.getMessage().splitlines()) == 1


async def failing_mock(**options):
    """Return a running mock of which a callback has raised `FirstError("told")`."""
    m = await aiointercept(**options).start()
    m.get(f"{m.server_url}/", callback=failing)
    assert (await fetch(m.server_url)).status == 500
    return m


def errors_in(caplog):
    return [record.getMessage() for record in caplog.records if "FirstError: told" in record.getMessage()]


@pytest.mark.parametrize("end", ["stop", "check"])
async def test_an_error_that_is_raised_is_not_in_the_log(end, caplog):
    m = await failing_mock()
    with pytest.raises(FirstError):
        await (m.stop() if end == "stop" else asyncio.to_thread(m.check))
    await m.stop()
    assert caplog.records == []


async def test_an_error_that_a_check_leaves_out_is_logged_once(caplog):
    m = await failing_mock()
    assert errors_in(caplog) == []
    m.check(raise_callback_errors=False)
    await m.stop()
    assert len(errors_in(caplog)) == 1


async def test_an_error_can_be_raised_by_a_check_after_it_was_logged(caplog):
    m = await failing_mock(raise_callback_errors=False)
    with pytest.raises(FirstError):
        m.check(raise_callback_errors=True)
    await m.stop()
    assert len(errors_in(caplog)) == 1


async def test_an_error_is_logged_if_stop_is_not_awaited(caplog):
    m = await failing_mock()
    with pytest.warns(RuntimeWarning, match="was never awaited"):
        m.stop()
    assert len(errors_in(caplog)) == 1


async def test_an_error_is_logged_if_the_mock_is_not_stopped(caplog, monkeypatch):
    # The plugin keeps the mocks of a test for its report.
    monkeypatch.delitem(sys.modules, "aiointercept_pytest")
    mocks = [await failing_mock()]
    with pytest.warns(ResourceWarning, match="collected before it was stopped"):
        mocks.clear()
    assert len(errors_in(caplog)) == 1


@pytest.mark.parametrize("when", ["in the block", "at its end", "in stop"])
async def test_an_error_is_logged_if_the_block_is_cancelled(when, caplog):
    """A note on a cancellation would be lost."""

    async def use() -> None:
        if when == "in stop":
            m = await failing_mock()
            asyncio.current_task().cancel()
            await m.stop()
        async with aiointercept() as m:
            m.get(f"{m.server_url}/", callback=failing)
            await fetch(m.server_url)
            asyncio.current_task().cancel()
            if when == "in the block":
                await asyncio.sleep(5)

    with pytest.raises(asyncio.CancelledError) as caught:
        await asyncio.create_task(use())
    assert len(errors_in(caplog)) == 1
    assert not getattr(caught.value, "__notes__", ())


async def test_an_error_is_logged_if_the_block_is_left_by_a_closed_generator(caplog):
    def mocks():
        with aiointercept() as m:
            yield m

    generator = mocks()
    m = next(generator)
    m.get(f"{m.server_url}/", callback=failing)
    await fetch(m.server_url)
    generator.close()
    assert len(errors_in(caplog)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_does_not_log_an_error_of_its_parent():
    source = (
        SCRIPT
        + """
import os
if os.fork():
    os.wait()
    m.check(raise_callback_errors=False)
"""
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stderr.count("raised LookupError: told") == 1


async def test_an_error_after_the_end_of_the_block_is_logged(caplog):
    entered, gate = threading.Event(), threading.Event()

    def callback(url, **kwargs):
        entered.set()
        gate.wait(5)
        raise FirstError("told")

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback)
        task = asyncio.ensure_future(fetch(m.server_url))
        await asyncio.to_thread(entered.wait, 5)
    gate.set()
    with pytest.raises(aiohttp.ClientConnectionError):
        await task
    async with asyncio.timeout(5):
        while not errors_in(caplog):
            await asyncio.sleep(0.001)


SCRIPT = """
import asyncio, aiohttp
from aiointercept import aiointercept

async def answer(url, **kwargs):
    raise LookupError("told")

async def main():
    async with aiohttp.ClientSession() as session, session.get(m.server_url) as response:
        print(response.status)

m = aiointercept()
m.start()
m.get(m.server_url, callback=answer)
asyncio.run(main())
"""


def test_an_error_is_logged_if_the_process_ends_before_the_block():
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout == "500\n"
    assert re.fullmatch(r"your callback answer\(\) raised LookupError: told for GET \S+ \(<string>:6\)\n", ended.stderr)


async def test_an_error_in_a_body_of_compat_is_logged_at_once(caplog):
    """Nothing is raised at the end of such a block."""
    with aioresponses() as m:
        m.get("https://api.example.com/", body=failing_chunks())
        assert (await fetch("https://api.example.com/")).status == 500
        assert len(errors_in(caplog)) == 1
    assert len(errors_in(caplog)) == 1
