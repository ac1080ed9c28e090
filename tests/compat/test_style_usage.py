"""Ways in, as tests for aioresponses use them: `with`, decorators, unittest, fixtures, start and stop."""

import asyncio
import gc
import importlib
import os
import unittest
from unittest.mock import patch

import aiohttp
import pytest

library = importlib.import_module(os.environ.get("AIORESPONSES_STYLE_LIBRARY", "aiointercept.compat"))
CallbackResult, aioresponses = library.CallbackResult, library.aioresponses

URL = "http://example.com/api?foo=bar#fragment"


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def session(loop):
    async def make():
        return aiohttp.ClientSession()

    session = loop.run_until_complete(make())
    yield session
    loop.run_until_complete(session.close())


@pytest.fixture
def mocked():
    with aioresponses() as m:
        yield m


async def ask(url=URL, method="GET", **options):
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        return response.status, await response.read()


def run_case(case):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.wasSuccessful(), [text for _, text in result.errors + result.failures]
    return result.testsRun


def test_with_block_in_sync_code(loop, session):
    with aioresponses() as m:
        m.get(URL, payload={"foo": "bar"})
        response = loop.run_until_complete(session.get(URL))
        assert loop.run_until_complete(response.json()) == {"foo": "bar"}
        m.assert_called_once_with(URL)


async def test_with_block_in_async_code():
    with aioresponses() as m:
        m.get(URL, body="text")
        assert await ask() == (200, b"text")
        m.assert_called_once_with(URL)


def test_decorated_sync_function(loop, session):
    @aioresponses()
    def check(mocked):
        mocked.get(URL, status=200, body="test")
        response = loop.run_until_complete(session.get(URL))
        assert response.status == 200
        mocked.assert_called_once_with(URL)
        return "returned"

    assert check() == "returned"


async def test_decorated_async_function():
    @aioresponses()
    async def check(m):
        m.get(URL, status=201)
        return await ask()

    assert await check() == (201, b"")


def test_decorated_function_keeps_its_name():
    @aioresponses()
    def check(m):
        """What it says."""

    assert (check.__name__, check.__doc__) == ("check", "What it says.")


async def test_decorated_function_gets_its_own_arguments_first():
    @aioresponses()
    async def check(first, second, m, *, third):
        m.get(URL, status=202)
        return first, second, third, (await ask())[0]

    assert await check(1, 2, third=3) == (1, 2, 3, 202)


def test_param_names_the_argument_in_sync_code(loop, session):
    @aioresponses(param="mocked")
    def check(mocked, other=None):
        mocked.get(URL, status=203)
        return other, loop.run_until_complete(session.get(URL)).status

    assert check(other="other") == ("other", 203)


async def test_param_names_the_argument_in_async_code():
    @aioresponses(param="mocked")
    async def check(value, mocked=None):
        mocked.get(URL, status=204)
        return value, (await ask())[0]

    assert await check("value") == ("value", 204)


async def test_a_function_of_any_arguments_gets_the_mock_last():
    @aioresponses()
    async def check(*args):
        args[-1].get(URL, status=205)
        return args[:-1], (await ask())[0]

    assert await check(1, 2) == ((1, 2), 205)


async def test_with_unittest_mocks_patch_inside_and_outside():
    @aioresponses()
    @patch("os.getcwd")
    async def inside(word, m, getcwd):
        getcwd.return_value = "patched"
        m.get(URL, status=201)
        return word, os.getcwd(), (await ask())[0]

    @patch("os.getcwd")
    @aioresponses()
    async def outside(word, getcwd, m):
        getcwd.return_value = "patched"
        m.get(URL, status=202)
        return word, os.getcwd(), (await ask())[0]

    assert await inside("word") == ("word", "patched", 201)
    assert await outside("word") == ("word", "patched", 202)


async def test_decorated_function_may_run_again():
    @aioresponses()
    async def check(status, m):
        m.get(URL, status=status)
        return (await ask())[0]

    assert [await check(200), await check(404), await check(500)] == [200, 404, 500]


async def test_one_mock_decorates_several_functions_that_may_use_it_by_its_name():
    responses = aioresponses()

    @responses
    async def first(_):
        responses.get(URL, status=201)
        return (await ask())[0]

    @responses
    async def second(m):
        assert m is responses
        responses.get(URL, status=202)
        return (await ask())[0]

    assert [await first(), await second()] == [201, 202]


async def test_an_exception_leaves_a_decorated_function_and_nothing_mocked():
    @aioresponses()
    async def check(m):
        m.get(URL, status=200)
        raise LookupError("of the test")

    with pytest.raises(LookupError, match="of the test"):
        await check()
    with aioresponses(), pytest.raises(aiohttp.ClientConnectionError):
        await ask()


def test_unittest_case_with_decorated_methods():
    class Case(unittest.TestCase):
        def setUp(self):
            self.loop = asyncio.new_event_loop()
            self.addCleanup(self.loop.close)

        @aioresponses()
        def test_decorated(self, m):
            m.get(URL, status=200, body="one")
            assert self.loop.run_until_complete(ask()) == (200, b"one")

        @aioresponses(param="m")
        def test_by_keyword(self, m):
            m.get(URL, status=404)
            assert self.loop.run_until_complete(ask()) == (404, b"")
            m.assert_called_once()

    assert run_case(Case) == 2


def test_unittest_case_with_start_and_stop_in_set_up():
    class Case(unittest.TestCase):
        def setUp(self):
            self.loop = asyncio.new_event_loop()
            self.addCleanup(self.loop.close)
            self.mocked = aioresponses()
            self.mocked.start()
            self.addCleanup(self.mocked.stop)

        def test_get(self):
            self.mocked.get(URL, payload=[1])
            assert self.loop.run_until_complete(ask()) == (200, b"[1]")

        def test_nothing_is_left_of_the_other_test(self):
            with pytest.raises(aiohttp.ClientConnectionError):
                self.loop.run_until_complete(ask())

    assert run_case(Case) == 2


def test_isolated_asyncio_case():
    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            self.session = aiohttp.ClientSession()

        async def asyncTearDown(self):
            await self.session.close()

        @aioresponses()
        async def test_decorated(self, m):
            m.post(URL, status=201, payload={"created": True})
            response = await self.session.post(URL, json={"name": "x"})
            assert response.status == 201
            assert await response.json() == {"created": True}
            m.assert_called_once_with(URL, method="POST", json={"name": "x"})

        async def test_block(self):
            with aioresponses() as m:
                m.get(URL, status=418)
                response = await self.session.get(URL)
                assert response.status == 418

    assert run_case(Case) == 2


def test_isolated_asyncio_case_with_start_and_stop_inside_the_loop():
    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            self.mocked = aioresponses()
            self.mocked.start()

        async def asyncTearDown(self):
            self.mocked.stop()

        async def test_get(self):
            self.mocked.get(URL, body="one")
            assert await ask() == (200, b"one")

        async def test_get_again(self):
            self.mocked.get(URL, body="two")
            assert await ask() == (200, b"two")

    assert run_case(Case) == 2


async def test_fixture(mocked):
    mocked.get(URL, status=200)
    assert (await ask())[0] == 200


def test_fixture_in_sync_code(mocked, loop, session):
    mocked.delete(URL, status=202)
    assert loop.run_until_complete(session.delete(URL)).status == 202


async def test_start_and_stop():
    m = aioresponses()
    m.start()
    try:
        m.get(URL, status=200)
        assert (await ask())[0] == 200
    finally:
        m.stop()
    m.assert_called_once_with(URL)


async def test_a_stopped_mock_starts_again_with_nothing_registered():
    m = aioresponses()
    for status in (200, 201):
        with m as entered:
            assert entered is m
            m.get(URL, status=status)
            assert (await ask())[0] == status
    with m, pytest.raises(aiohttp.ClientConnectionError):
        await ask()


async def test_clear_forgets_the_registrations_and_keeps_the_calls():
    with aioresponses() as m:
        m.get(URL, status=200, repeat=True)
        assert (await ask())[0] == 200
        m.clear()
        m.assert_called_once_with(URL)
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask()
        m.get(URL, status=404)
        assert (await ask())[0] == 404


async def test_requests_may_be_cleared_or_replaced():
    with aioresponses() as m:
        m.get(URL, repeat=True)
        await ask()
        m.requests.clear()
        m.assert_not_called()
        await ask()
        m.requests = {}
        m.assert_not_called()
        await ask()
        m.assert_called_once_with(URL, allow_redirects=True)


async def test_subclass_with_its_own_constructor_add_and_block():
    class api(aioresponses):
        def __init__(self, base):
            super().__init__()
            self.base = base
            self.added = []

        def add(self, url, method="GET", **options):
            self.added.append((method, url))
            super().add(self.base + url, method, **options)

        def __enter__(self):
            super().__enter__()
            self.get("/default", status=299)
            return self

    with api("http://api.test") as m:
        m.post("/items", status=201)
        assert (await ask("http://api.test/items", "POST"))[0] == 201
        assert (await ask("http://api.test/default"))[0] == 299
        assert m.added == [("GET", "/default"), ("POST", "/items")]

    @api("http://other.test")
    async def check(m):
        return (await ask("http://other.test/default"))[0]

    assert await check() == 299


async def test_a_closed_session_stays_closed(mocked):
    mocked.get(URL)
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(RuntimeError, match="Session is closed"):
        await session.get(URL)
    mocked.assert_not_called()


async def test_several_sessions_older_and_younger_than_the_mock():
    async with aiohttp.ClientSession() as older:
        with aioresponses() as m:
            m.get(URL, repeat=True, payload=1)
            async with aiohttp.ClientSession() as younger:
                assert [await (await one.get(URL)).json() for one in (older, younger, older)] == [1, 1, 1]
            assert len(m.requests["GET", next(iter(m.requests))[1]]) == 3


async def test_module_level_request_function(mocked):
    mocked.get(URL, body="from aiohttp.request")
    async with aiohttp.request("GET", URL) as response:
        assert await response.text() == "from aiohttp.request"


def test_sessions_of_several_loops(mocked):
    mocked.get(URL, repeat=True)
    assert [asyncio.run(ask())[0] for _ in range(3)] == [200, 200, 200]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_test_that_closes_nothing():
    @aioresponses()
    def check(m):
        async def ask_twice():
            session = aiohttp.ClientSession()
            return [await session.get(URL), await session.get(URL)]

        m.get(URL, body="one")
        m.get(URL, body="two" * 100_000)
        loop = asyncio.get_event_loop()
        first, _ = loop.run_until_complete(ask_twice())
        assert loop.run_until_complete(first.text()) == "one"

    asyncio.set_event_loop(asyncio.new_event_loop())
    check()
    asyncio.set_event_loop(None)
    # What complains of being left open does it here.
    gc.collect()


def test_names_that_may_be_imported():
    assert {"CallbackResult", "aioresponses"} <= set(library.__all__)
    assert aioresponses.__name__ == "aioresponses"
