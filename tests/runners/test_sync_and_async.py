"""`with`, `async with` and start/stop do the same in plain functions, in loops of any kind and in threads."""

import asyncio
import unittest

import anyio
import httpx
import pytest
import requests
import trio
import uvloop
from support import fetch

from aiointercept import CallbackResult, aiointercept

MODES = pytest.mark.parametrize("external", [False, True], ids=["default", "external"])


def url_for(m, external):
    return "https://api.example.test/x" if external else f"{m.server_url}/x"


@MODES
def test_with_in_a_plain_function(external):
    with aiointercept(external) as m:
        m.get(url_for(m, external), payload=1)
        assert asyncio.run(fetch(url_for(m, external))).json == 1
    m.assert_called_once_with(url_for(m, external))


@MODES
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_both_forms_on_each_loop(external, factory):
    async def main():
        async with aiointercept(external) as m:
            m.get(url_for(m, external), payload="async")
            assert (await fetch(url_for(m, external))).json == "async"
        with aiointercept(external) as m:
            m.get(url_for(m, external), payload="sync")
            assert (await fetch(url_for(m, external))).json == "sync"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("run", [trio.run, lambda main: anyio.run(main, backend="trio")], ids=["trio", "anyio"])
def test_both_forms_where_no_asyncio_loop_runs(run):
    async def answer(url, **_):
        return CallbackResult(payload="from a callback")

    async def main():
        async with aiointercept() as m, httpx.AsyncClient() as client:
            m.get(f"{m.server_url}/x", callback=answer)
            assert (await client.get(f"{m.server_url}/x")).json() == "from a callback"
        m.assert_called_once()
        with aiointercept() as m:
            m.get(f"{m.server_url}/x", payload="sync")
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{m.server_url}/x")).json() == "sync"
        await m.start()
        await m.stop()

    run(main)


@MODES
def test_start_and_stop_in_sync_code_do_their_work_at_once(external):
    m = aiointercept(external)
    m.start()
    m.get(url_for(m, external), payload=1)
    assert asyncio.run(fetch(url_for(m, external))).json == 1
    m.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(m.server_url, timeout=5)


@MODES
def test_what_was_started_in_sync_code_is_stopped_in_async_code_and_the_other_way_round(external):
    async def use(m):
        m.get(url_for(m, external), payload=1)
        assert (await fetch(url_for(m, external))).json == 1

    async def use_and_stop(m):
        await use(m)
        await m.stop()

    async def start(m):
        assert await m.start() is m
        await use(m)

    m = aiointercept(external)
    m.start()
    asyncio.run(use_and_stop(m))
    asyncio.run(start(m))
    asyncio.run(use(m))
    m.stop()
    m.assert_called()


def fail(url, **_):
    raise LookupError("from the callback")


def _use(m):
    m.get(f"{m.server_url}/", callback=fail)
    assert requests.get(m.server_url, timeout=5).status_code == 500


def leave_with(m):
    with m:
        _use(m)


def leave_stop(m):
    m.start()
    _use(m)
    m.stop()


def leave_async_with(m):
    async def main():
        async with m:
            await asyncio.to_thread(_use, m)

    asyncio.run(main())


def leave_with_in_a_loop(m):
    async def main():
        with m:
            await asyncio.to_thread(_use, m)

    asyncio.run(main())


def leave_awaited_stop(m):
    async def main():
        await m.start()
        await asyncio.to_thread(_use, m)
        await m.stop()

    asyncio.run(main())


def leave_trio(m):
    async def main():
        async with m:
            await trio.to_thread.run_sync(_use, m)

    trio.run(main)


@pytest.mark.parametrize(
    "leave", [leave_with, leave_stop, leave_async_with, leave_with_in_a_loop, leave_awaited_stop, leave_trio]
)
def test_each_way_to_leave_raises_what_a_callback_raised(leave):
    with pytest.raises(LookupError, match="from the callback"):
        leave(aiointercept())


class _PlainCase(unittest.TestCase):
    # Run by the test below, with unittest's own means.
    __test__ = False

    def setUp(self):
        self.m = self.enterContext(aiointercept(mock_external_urls=True))

    def test_in_set_up(self):
        self.m.get("https://api.example.test/x", payload=1)
        assert asyncio.run(fetch("https://api.example.test/x")).json == 1

    def test_in_the_test(self):
        with aiointercept() as m:
            m.get(f"{m.server_url}/x", payload=1)
            assert requests.get(f"{m.server_url}/x", timeout=5).json() == 1


class _AsyncCase(unittest.IsolatedAsyncioTestCase):
    __test__ = False

    async def asyncSetUp(self):
        self.m = await self.enterAsyncContext(aiointercept(mock_external_urls=True))

    async def test_in_set_up(self):
        self.m.get("https://api.example.test/x", payload=1)
        assert (await fetch("https://api.example.test/x")).json == 1

    async def test_in_the_test(self):
        async with aiointercept() as m:
            m.get(f"{m.server_url}/x", payload=1)
            assert (await fetch(f"{m.server_url}/x")).json == 1
        with aiointercept() as m:
            m.get(f"{m.server_url}/x", payload=2)
            assert (await fetch(f"{m.server_url}/x")).json == 2


@pytest.mark.parametrize("case", [_PlainCase, _AsyncCase])
def test_in_unittest(case):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.testsRun == 2
    assert not result.errors
    assert not result.failures
