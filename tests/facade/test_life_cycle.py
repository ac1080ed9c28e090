"""Starting and stopping a mock: awaited or not, twice, again, and what is left to read afterwards."""

import asyncio
import contextlib
import gc
import re
import socket
from collections.abc import Coroutine
from unittest.mock import ANY

import aiohttp
import pytest
from support import fetch
from yarl import URL

from aiointercept import aiointercept

MODES = pytest.mark.parametrize("external", [False, True], ids=["default", "external"])


UNPATCHED = aiohttp.TCPConnector.connect, aiohttp.ClientSession._request


def is_patched():
    return (aiohttp.TCPConnector.connect, aiohttp.ClientSession._request) != UNPATCHED


def is_listening(m):
    try:
        socket.create_connection((m.server_host, m.server_port), timeout=5).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


@MODES
async def test_the_block_gives_a_running_mock(external):
    m = aiointercept(external)
    async with m as entered:
        assert entered is m
        m.get(f"{m.server_url}/", payload=1)
        assert (await fetch(m.server_url)).json == 1


@MODES
async def test_start_may_be_awaited_and_gives_the_mock(external):
    m = aiointercept(external)
    assert await m.start() is m
    m.get(f"{m.server_url}/", payload=1)
    assert (await fetch(m.server_url)).json == 1
    await m.stop()
    assert not is_listening(m)


@MODES
async def test_start_and_stop_need_not_be_awaited(external):
    m = aiointercept(external)
    m.start()
    try:
        assert is_patched() == external
        m.get(f"{m.server_url}/", payload=1)
        assert (await fetch(m.server_url)).json == 1
    finally:
        # Errors of callbacks would be lost.
        with pytest.warns(RuntimeWarning, match=r"^coroutine 'aiointercept.stop' was never awaited$") as caught:
            m.stop()
        assert [warning.filename for warning in caught] == [__file__]
    # Patches are out at once, and the sockets soon after.
    assert not is_patched()
    while is_listening(m):
        await asyncio.sleep(0)


async def test_stopping_twice_is_fine():
    m = aiointercept()
    await m.start()
    await m.stop()
    await m.stop()
    async with m:
        await m.stop()


async def test_stopping_a_mock_that_never_ran_is_fine():
    await aiointercept().stop()


async def test_what_start_and_stop_return_may_be_awaited_twice():
    m = aiointercept()
    started = m.start()
    assert await started is m
    assert await started is m
    stopped = m.stop()
    await stopped
    await stopped


def failing(url, **kwargs):
    raise LookupError("the callback's")


@MODES
def test_what_start_and_stop_return_is_a_coroutine_for_runners(external):
    m = aiointercept(external)
    assert asyncio.iscoroutine(m.start())
    stopped = m.stop()
    assert asyncio.iscoroutine(stopped)
    assert isinstance(stopped, Coroutine)
    assert asyncio.run(stopped) is None
    assert asyncio.run(m.start()) is m
    assert is_patched() == external
    m.get(f"{m.server_url}/", payload=1)
    assert asyncio.run(fetch(m.server_url)).json == 1
    assert asyncio.run(m.stop()) is None
    assert not is_patched()
    with asyncio.Runner() as runner:
        assert runner.run(m.start()) is m
        m.get(f"{m.server_url}/", callback=failing)
        assert runner.run(fetch(m.server_url)).status == 500
        with pytest.raises(LookupError, match="the callback's"):
            runner.run(m.stop())
    assert not is_listening(m)


@MODES
async def test_what_start_and_stop_return_is_a_coroutine_for_a_loop(external):
    loop = asyncio.get_running_loop()
    one, two = aiointercept(external), aiointercept(external)
    assert await asyncio.gather(one.start(), two.start()) == [one, two]
    task = loop.create_task(one.stop())
    assert "aiointercept.stop" in repr(task)
    assert await task is None
    two.get(f"{two.server_url}/", callback=failing)
    assert (await fetch(two.server_url)).status == 500
    assert await asyncio.gather(two.stop(), two.stop(), return_exceptions=True) == [ANY, None]
    assert not is_listening(one)
    assert not is_listening(two)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        assert await group.create_task(one.start()) is one
        group.create_task(one.stop())
    one.start()
    assert await asyncio.wait_for(one.stop(), 5) is None


async def test_an_error_of_a_callback_is_raised_by_a_task_that_stops_the_mock():
    m = aiointercept()
    m.start()
    m.get(f"{m.server_url}/", callback=failing)
    assert (await fetch(m.server_url)).status == 500
    with pytest.raises(LookupError, match="the callback's"):
        await asyncio.create_task(m.stop())


async def test_a_task_that_stops_the_mock_may_be_cancelled():
    for turns in range(3):
        m = aiointercept()
        m.start()
        task = asyncio.create_task(m.stop())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        while is_listening(m):
            await asyncio.sleep(0)


@pytest.mark.filterwarnings("error")
async def test_nothing_warns_where_nothing_can_be_lost():
    m = aiointercept()
    m.start()
    m.stop().close()
    m.stop()
    m.start()
    await m.stop()
    with m:
        pass
    gc.collect()


@MODES
async def test_a_second_start_of_a_running_mock_is_refused_and_does_no_harm(external):
    async with aiointercept(external) as m:
        m.get(f"{m.server_url}/", payload=1)
        with pytest.raises(RuntimeError, match=r"already running: call stop\(\)"):
            await m.start()
        with pytest.raises(RuntimeError, match=r"already running: call stop\(\)"):
            async with m:
                pass
        assert (await fetch(m.server_url)).json == 1


async def test_starting_again_begins_anew():
    m = aiointercept()
    async with m:
        m.get(f"{m.server_url}/", payload="first", repeat=True)
        await fetch(m.server_url)
    async with m:
        assert m.requests == {}
        assert m.ordered_requests == []
        assert m.call_count == 0
        assert m.last_request is None
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(m.server_url)
        m.get(f"{m.server_url}/", payload="second")
        assert (await fetch(m.server_url)).json == "second"


async def test_records_stay_readable_after_the_block():
    async with aiointercept() as m:
        m.post(f"{m.server_url}/x")
        await fetch(f"{m.server_url}/x", "POST", json={"n": 1})

    url = f"{m.server_url}/x"
    assert m.call_count == 1
    assert m.last_request.captured_body == b'{"n": 1}'
    assert m.requests["POST", URL(url)] == [m.last_request]
    assert m.ordered_requests == [(("POST", URL(url)), m.last_request)]
    assert await m.last_request.json() == {"n": 1}
    m.assert_called_once_with(url, "POST", json={"n": 1})


async def test_the_address_stays_readable_after_the_block():
    async with aiointercept() as m:
        inside = m.server_host, m.server_port, m.server_url
    assert (m.server_host, m.server_port, m.server_url) == inside


@pytest.mark.parametrize("name", ["server_host", "server_port", "server_url"])
def test_there_is_no_address_before_the_first_start(name):
    with pytest.raises(RuntimeError, match=r"not started yet: .*start\(\)"):
        getattr(aiointercept(), name)


async def test_the_repr_of_a_mock_shows_its_state():
    m = aiointercept()
    assert repr(m) == "<aiointercept not started>"
    place = r"started at .*test_life_cycle\.py:\d+"
    async with m:
        assert re.fullmatch(f"<aiointercept {m.server_url}, {place}>", repr(m))
    assert re.fullmatch(rf"<aiointercept {m.server_url} \(stopped\), {place}>", repr(m))


REGISTER = pytest.mark.parametrize("register", ["add", "get"])


@REGISTER
def test_registering_before_the_start_is_refused(register):
    with pytest.raises(RuntimeError, match=r"not running: .*async with.*start\(\)"):
        getattr(aiointercept(), register)("http://api.example.com/")


@REGISTER
async def test_registering_after_the_stop_is_refused(register):
    async with aiointercept() as m:
        pass
    with pytest.raises(RuntimeError, match=r"was stopped: .*async with.*start\(\) again"):
        getattr(m, register)("http://api.example.com/")


def test_registering_needs_no_event_loop():
    m = aiointercept()
    m.start()
    try:
        m.get(f"{m.server_url}/", payload=1)
        m.get(f"{m.server_url}/stream", body=_stream)
        assert asyncio.run(fetch(m.server_url)).json == 1
        assert asyncio.run(fetch(f"{m.server_url}/stream")).body == b"streamed"
    finally:
        m.stop()
    assert not is_listening(m)


async def _stream():
    yield b"streamed"


@MODES
async def test_an_exception_leaves_the_block_as_itself_and_the_mock_stopped(external):
    error = LookupError("the test's own")
    with pytest.raises(LookupError) as caught:
        async with aiointercept(external) as m:
            raise error
    assert caught.value is error
    assert not is_listening(m)


async def test_one_mocks_requests_and_replies_are_not_seen_by_another():
    async with aiointercept() as one, aiointercept() as other:
        one.get(f"{one.server_url}/", payload="one")
        other.get(f"{other.server_url}/", payload="other")
        assert (await fetch(other.server_url)).json == "other"
        one.assert_not_called()
        other.assert_called_once()


async def test_the_server_listens_on_loopback_only():
    async with aiointercept(True) as m:
        assert m.server_host == "127.0.0.1"
        outside = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for address in outside - {"127.0.0.1", "127.0.1.1"}:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, m.server_port), timeout=5).close()


async def test_clear_forgets_registrations_and_records_while_the_mock_runs_on():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", payload="before", repeat=True)
        m.get(re.compile(".*"), payload="before", repeat=True)
        await fetch(m.server_url)

        m.clear()

        assert m.requests == {}
        assert m.call_count == 0
        m.assert_not_called()
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(m.server_url)
        # Nothing is behind what repeated for ever, either.
        m.get(f"{m.server_url}/", payload="after")
        assert (await fetch(m.server_url)).json == "after"


async def test_clear_before_the_start_and_after_the_stop_is_fine():
    m = aiointercept()
    m.clear()
    async with m:
        m.get(f"{m.server_url}/")
        await fetch(m.server_url)
    m.clear()
    assert m.call_count == 0


async def test_overriding_add_in_a_subclass_is_seen_by_the_shortcuts():
    class Prefixed(aiointercept):
        def add(self, url, method="GET", **options):
            return super().add(f"{self.server_url}/v2{url}", method, **options)

    async with Prefixed() as m:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
            getattr(m, method.lower())("/x", status=202)
            assert (await fetch(f"{m.server_url}/v2/x", method)).status == 202
