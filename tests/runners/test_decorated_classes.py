"""A decorated class: each of its tests has a mock of its own, whatever the kind of class or test."""

import asyncio
import inspect
import unittest

import pytest
from support import fetch

from aiointercept import aiointercept

URL = "https://api.example.test/x"


async def ask(m, payload=1):
    m.get(URL, payload=payload)
    assert (await fetch(URL)).json == payload
    m.assert_called_once_with(URL)


@aiointercept(mock_external_urls=True)
class TestPlain:
    value = 1
    test_of_nothing = "no function"

    def test_sync(self, m):
        asyncio.run(ask(m))
        assert self.value == 1

    async def test_async(self, m):
        await ask(m)

    async def test_with_fixtures(self, tmp_path, m):
        assert tmp_path.is_dir()
        await ask(m)

    @pytest.mark.parametrize("payload", ["a", "b"])
    async def test_parametrized(self, payload, m):
        await ask(m, payload)

    @staticmethod
    async def test_static(tmp_path, m):
        assert tmp_path.is_dir()
        await ask(m)

    @classmethod
    def test_of_class(cls, m):
        assert cls.value == 1
        asyncio.run(ask(m))

    @aiointercept()
    async def test_with_one_of_its_own(self, external, local):
        await ask(external)
        local.assert_not_called()

    @aiointercept(assert_all_called=True)
    def test_decorated_by_itself_the_nearest_counts(self, m):
        with pytest.raises(LookupError):
            asyncio.run(fetch(URL, proxy=refuse()))
        m.assert_not_called()

    def helper(self):
        """What is no test is left alone."""
        return self.value

    def test_helpers_are_left_alone(self, m):
        assert self.helper() == 1


def refuse():
    raise LookupError


class Base:
    async def test_inherited(self, m):
        await ask(m, self.payload)


@aiointercept(mock_external_urls=True)
class TestInherited(Base):
    payload = "inherited"


@aiointercept(mock_external_urls=True)
class DecoratedBase:
    async def test_once(self, tmp_path, m):
        assert tmp_path.is_dir()
        await ask(m)


class TestOfADecoratedBase(DecoratedBase):
    pass


@aiointercept(mock_external_urls=True)
class TestDecoratedLikeItsBase(DecoratedBase):
    async def test_own(self, m):
        await ask(m)


def test_the_base_class_stays_as_it_was():
    assert str(inspect.signature(Base.test_inherited)) == "(self, m)"
    assert str(inspect.signature(TestInherited.test_inherited)) == "(self)"


def test_a_test_without_room_for_the_mock_is_named():
    with pytest.raises(TypeError, match=r"test_without\(\) has no parameter to receive the mock"):

        @aiointercept()
        class Wrong:
            def test_without(self):
                pass


@aiointercept(mock_external_urls=True, param="m")
class TestNamed:
    async def test_it(self, m, tmp_path):
        assert tmp_path.is_dir()
        await ask(m)


@aiointercept(mock_external_urls=True)
class SyncCase(unittest.TestCase):
    def setUp(self):
        self.ready = True

    def test_sync(self, m):
        assert self.ready
        asyncio.run(ask(m))

    def testCamelCase(self, m):
        for payload in (1, 2):
            with self.subTest(payload=payload):
                asyncio.run(ask(m, payload))
                m.clear()


@aiointercept(mock_external_urls=True)
class AsyncCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.loop = asyncio.get_running_loop()

    async def test_async(self, m):
        assert asyncio.get_running_loop() is self.loop
        await ask(m)

    async def test_more(self, m):
        await ask(m)

    def test_sync(self, m):
        asyncio.run(ask(m))


class CaseBase(unittest.IsolatedAsyncioTestCase):
    async def test_inherited(self, m):
        await ask(m)


@aiointercept(mock_external_urls=True)
class InheritedCase(CaseBase):
    pass


class MethodsCase(unittest.IsolatedAsyncioTestCase):
    @aiointercept(mock_external_urls=True)
    async def test_async(self, m):
        await ask(m)

    @aiointercept()
    def test_sync(self, m):
        assert m.server_port


# pytest runs these classes by itself as well, all but the base, whose test is none without the decorator.
del CaseBase


@pytest.mark.parametrize("case", [SyncCase, AsyncCase, InheritedCase, MethodsCase])
def test_unittests_own_runner(case):
    result = unittest.TestResult()
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    count = suite.countTestCases()
    suite.run(result)
    assert result.testsRun == count >= 1
    assert result.wasSuccessful(), [*result.errors, *result.failures]
