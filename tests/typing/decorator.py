"""How the decorator is used, as a type checker sees it: whatever is decorated keeps its type."""

import contextlib
import unittest
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, assert_type

import pytest

from aiointercept import aiointercept


@aiointercept()
def sync_function(a: int, m: aiointercept) -> str:
    return f"{a} {m.server_url}"


@aiointercept(mock_external_urls=True, param="api")
async def coroutine_function(a: int, *, b: str = "", api: aiointercept) -> list[str]:
    return [f"{a}", b, api.server_url]


@aiointercept()
def generator_function(a: int, m: aiointercept) -> Generator[int, str, bytes]:
    sent = yield a + m.server_port
    return sent.encode()


@aiointercept()
async def async_generator_function(m: aiointercept) -> AsyncGenerator[int, str]:
    yield m.server_port


@aiointercept()
def variadic(*args: Any) -> int:
    return len(args)


async def functions(m: aiointercept) -> None:
    assert_type(sync_function(1, m), str)
    assert_type(await coroutine_function(1, b="b", api=m), list[str])
    assert_type(generator_function(1, m), Generator[int, str, bytes])
    assert_type(async_generator_function(m), AsyncGenerator[int, str])
    assert_type(variadic(1, 2), int)
    same: Callable[[int, aiointercept], str] = sync_function
    print(same)

    sync_function("1", m)  # type: ignore[arg-type]
    sync_function()  # type: ignore[call-arg]
    await coroutine_function(1, c="c", api=m)  # type: ignore[call-arg]


@aiointercept()
class Decorated(unittest.TestCase):
    value: int = 3

    def test_it(self, m: aiointercept) -> None:
        assert_type(self.value, int)


class Derived(Decorated):
    @aiointercept()
    def test_own(self, a: int, m: aiointercept) -> str:
        return f"{a}"

    @staticmethod
    @aiointercept()
    def test_static(a: int, m: aiointercept) -> str:
        return f"{a}"

    @classmethod
    @aiointercept()
    def test_of_class(cls, a: int, m: aiointercept) -> str:
        return f"{a}"


def classes(m: aiointercept) -> None:
    assert_type(Decorated(), Decorated)
    assert_type(Derived().value, int)
    assert_type(Derived().test_own(1, m), str)
    assert_type(Derived.test_static(1, m), str)
    assert_type(Derived.test_of_class(1, m), str)
    Derived().test_own("1", m)  # type: ignore[arg-type]


@pytest.fixture
@aiointercept()
def fixture(m: aiointercept) -> Iterator[aiointercept]:
    yield m
    m.clear()


@contextlib.contextmanager
@aiointercept()
def context(a: int, m: aiointercept) -> Iterator[str]:
    yield f"{a}"


@contextlib.asynccontextmanager
@aiointercept()
async def async_context(a: int, m: aiointercept) -> AsyncGenerator[str, None]:
    yield f"{a}"


def contexts(m: aiointercept) -> None:
    assert_type(context(1, m), "contextlib._GeneratorContextManager[str, None, None]")
    plain: AbstractContextManager[str] = context(1, m)
    waiting: AbstractAsyncContextManager[str] = async_context(1, m)
    print(plain, waiting)


def what_is_no_function() -> None:
    aiointercept()(3)  # type: ignore[type-var]
