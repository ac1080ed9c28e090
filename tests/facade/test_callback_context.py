"""Where callbacks run: sync ones on one daemon thread of their mock, async ones on the loop they belong to."""

import asyncio
import contextvars
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest
from support import fetch

from aiointercept import CallbackResult, _cross_loop, aiointercept

STATE = contextvars.ContextVar("state", default="unset")


def callback_threads():
    return [thread for thread in threading.enumerate() if thread.name == "aiointercept-callbacks"]


async def until(condition):
    """Wait until `condition()` holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def gate():
    """An event that sync callbacks wait for, open at the end so that no thread stays behind."""
    event = threading.Event()
    yield event
    event.set()


async def test_sync_callbacks_run_on_one_daemon_thread_of_their_own():
    threads = set()

    def callback(url, **kwargs):
        threads.add(threading.current_thread())
        return CallbackResult()

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback, repeat=True)
        await asyncio.gather(*(fetch(m.server_url) for _ in range(5)))
        (thread,) = threads
        assert thread is not threading.main_thread()
        assert thread.name != "aiointercept-server"
        assert thread.daemon


async def test_no_thread_is_made_for_a_mock_without_sync_callbacks():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", payload=1)
        m.get(f"{m.server_url}/async", callback=_answer)
        await fetch(m.server_url)
        await fetch(f"{m.server_url}/async")
        assert callback_threads() == []


async def _answer(url, **kwargs):
    return CallbackResult(body="async")


async def test_sync_callbacks_run_one_at_a_time_in_order_of_arrival(gate):
    arrived, running = [], []

    def callback(url, *, query, **kwargs):
        running.append(query["n"][0])
        assert len(running) == 1
        arrived.append(running[0])
        if len(arrived) == 1:
            gate.wait(5)
        running.clear()
        return CallbackResult(body=query["n"][0])

    async with aiointercept() as m:
        tasks = []
        for n in range(8):
            m.get(f"{m.server_url}/?n={n}", callback=callback)
            tasks.append(asyncio.ensure_future(fetch(f"{m.server_url}/?n={n}")))
            await until(lambda: m.call_count == len(tasks))
        gate.set()
        replies = await asyncio.gather(*tasks)

    assert arrived == [reply.text for reply in replies] == [str(n) for n in range(8)]


async def test_a_blocking_sync_callback_delays_nothing_else(gate):
    def callback(url, **kwargs):
        gate.wait(5)
        return CallbackResult(body="released")

    async with aiointercept() as m, aiointercept() as other:
        m.get(f"{m.server_url}/blocking", callback=callback)
        m.get(f"{m.server_url}/static", body="static")
        m.get(f"{m.server_url}/async", callback=_answer)
        other.get(f"{other.server_url}/", callback=lambda url, **kwargs: CallbackResult(body="another mock's"))
        blocked = asyncio.ensure_future(fetch(f"{m.server_url}/blocking"))
        await until(lambda: m.call_count)

        assert (await fetch(f"{m.server_url}/static")).text == "static"
        assert (await fetch(f"{m.server_url}/async")).text == "async"
        assert (await fetch(other.server_url)).text == "another mock's"
        assert not blocked.done()

        gate.set()
        assert (await blocked).text == "released"


async def test_leaving_does_not_wait_for_a_sync_callback_and_its_thread_ends_when_it_returns(gate):
    begun = []

    def callback(url, **kwargs):
        begun.append(url)
        gate.wait(5)

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback, repeat=True)
        tasks = [asyncio.ensure_future(fetch(m.server_url)) for _ in range(2)]
        # A request is counted before its callback begins, and one that has not begun is not called any more.
        await until(lambda: m.call_count == 2 and begun)
        left_at = time.perf_counter()
    assert time.perf_counter() - left_at < 0.1
    await asyncio.gather(*tasks, return_exceptions=True)
    (thread,) = callback_threads()

    gate.set()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_the_thread_of_sync_callbacks_ends_with_the_block():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=lambda url, **kwargs: CallbackResult())
        await fetch(m.server_url)
        (thread,) = callback_threads()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_a_sync_callback_whose_client_has_left_is_not_begun(gate):
    begun = []

    def callback(url, *, query, **kwargs):
        begun.append(query["n"][0])
        gate.wait(5)
        return CallbackResult()

    async with aiointercept() as m:
        tasks = []
        for n in range(3):
            m.get(f"{m.server_url}/?n={n}", callback=callback)
            tasks.append(asyncio.ensure_future(fetch(f"{m.server_url}/?n={n}")))
            await until(lambda: m.call_count == len(tasks))
        tasks[1].cancel()
        # The server has noticed once it serves a client that came later.
        m.get(f"{m.server_url}/later")
        await fetch(f"{m.server_url}/later")
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert begun == ["0", "2"]


def recording_loop(loops):
    async def callback(url, **kwargs):
        loops.append(asyncio.get_running_loop())
        return CallbackResult()

    return callback


async def test_an_async_callback_runs_on_the_loop_on_which_it_was_registered():
    loops = []
    with ExitStack() as stack:
        # Entered where no loop runs, as by a fixture.
        m = await asyncio.to_thread(lambda: stack.enter_context(aiointercept()))
        m.get(f"{m.server_url}/", callback=recording_loop(loops))
        await fetch(m.server_url)
    assert loops == [asyncio.get_running_loop()]


async def test_an_async_callback_registered_where_no_loop_runs_runs_where_the_mock_was_entered():
    loops = []
    async with aiointercept() as m:
        await asyncio.to_thread(lambda: m.get(f"{m.server_url}/", callback=recording_loop(loops)))
        await fetch(m.server_url)
    assert loops == [asyncio.get_running_loop()]


async def test_the_loop_of_the_registration_comes_before_the_loop_of_the_block():
    async with aiointercept() as m:
        loops = []

        async def elsewhere():
            m.get(f"{m.server_url}/", callback=recording_loop(loops))
            await fetch(m.server_url)
            assert loops == [asyncio.get_running_loop()]

        await asyncio.to_thread(lambda: asyncio.run(elsewhere()))


def test_an_async_callback_registered_without_a_loop_runs_on_the_servers_loop():
    loops = []
    with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=recording_loop(loops))
        asyncio.run(fetch(m.server_url))
    (loop,) = loops
    assert loop.is_running()


def test_an_async_callback_whose_loop_is_closed_runs_on_the_servers_loop():
    loops = []

    async def register():
        m.get(f"{m.server_url}/", callback=recording_loop(loops))

    with aiointercept() as m:
        asyncio.run(register())
        asyncio.run(fetch(m.server_url))
    (loop,) = loops
    assert loop.is_running()


async def test_a_callback_may_wait_for_the_tests_own_event_and_queue():
    go, asked = asyncio.Event(), asyncio.Queue()

    async def callback(url, *, json, **kwargs):
        await asked.put(json)
        await go.wait()
        return CallbackResult(body="gone")

    async with aiointercept() as m:
        m.post(f"{m.server_url}/", callback=callback)
        task = asyncio.ensure_future(fetch(m.server_url, "POST", json="asked"))
        assert await asked.get() == "asked"
        assert not task.done()
        go.set()
        assert (await task).text == "gone"


@pytest.mark.parametrize("by", ["registration", "callback"])
async def test_a_body_generator_may_wait_for_the_tests_own_event_and_queue(by):
    go, items = asyncio.Event(), asyncio.Queue()

    async def body():
        yield b"first "
        await go.wait()
        while item := await items.get():
            yield item

    async with aiointercept() as m:
        options = {"body": body} if by == "registration" else {"callback": lambda url, **_: CallbackResult(body=body)}
        m.get(f"{m.server_url}/", **options)
        task = asyncio.ensure_future(fetch(m.server_url))
        for item in (b"second ", b"third", b""):
            items.put_nowait(item)
        go.set()
        assert (await task).body == b"first second third"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_a_callback_sees_the_context_variables_of_its_registration(is_async):
    def sync_callback(url, **kwargs):
        return CallbackResult(body=STATE.get())

    async def async_callback(url, **kwargs):
        return CallbackResult(body=STATE.get())

    async with aiointercept() as m:
        STATE.set("registered")
        m.get(f"{m.server_url}/", callback=async_callback if is_async else sync_callback)
        STATE.set("later")
        assert (await fetch(m.server_url)).text == "registered"


async def test_a_callback_whose_loop_is_blocked_for_five_seconds_is_an_error(monkeypatch):
    # As the documentation says; the test itself does not wait that long.
    assert _cross_loop._START_TIMEOUT == 5.0
    monkeypatch.setattr(_cross_loop, "_START_TIMEOUT", 0.05)

    async def callback(url, **kwargs):
        return CallbackResult()

    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=callback)
    # A blocking call on the loop on which the callback is to run.
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(m.server_url, timeout=5)
    with caught.value as response:
        assert response.code == 500
        assert "could not start within 0.05 s" in response.read().decode()
    with pytest.raises(RuntimeError, match=r"its event loop .* is blocked; make blocking calls in a thread"):
        await m.stop()


async def test_a_callback_that_has_started_has_no_limit(monkeypatch):
    monkeypatch.setattr(_cross_loop, "_START_TIMEOUT", 0.02)

    async def callback(url, **kwargs):
        await asyncio.sleep(0.1)
        return CallbackResult(body="late")

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback)
        assert (await fetch(m.server_url)).text == "late"
