"""Each kind of function is decorated as what it is, and each call of it has a mock of its own."""

import asyncio
import contextlib
import functools
import inspect

import pytest
import requests
from support import fetch

from aiointercept import aiointercept

URL = "https://api.example.test/x"


@aiointercept(mock_external_urls=True)
async def ask(payload, m):
    m.get(URL, payload=payload)
    assert (await fetch(URL)).json == payload
    m.assert_called_once_with(URL)
    return m


@aiointercept(mock_external_urls=True)
def ask_sync(payload, m):
    m.get(URL, payload=payload)
    assert asyncio.run(fetch(URL)).json == payload
    m.assert_called_once_with(URL)
    return m


def is_running(m):
    return "stopped" not in repr(m)


async def test_a_coroutine_function():
    assert inspect.iscoroutinefunction(ask)
    m = await ask(1)
    assert not is_running(m)
    m.assert_called_once_with(URL)


def test_a_plain_function():
    assert not inspect.iscoroutinefunction(ask_sync)
    assert not is_running(ask_sync(1))


async def test_a_plain_function_inside_a_running_loop():
    @aiointercept()
    def register_and_ask(m):
        m.get(f"{m.server_url}/x", payload=1)
        return requests.get(f"{m.server_url}/x", timeout=5).json()

    assert register_and_ask() == 1


async def test_each_call_has_a_mock_of_its_own():
    mocks = [await ask(1), await ask(2), await ask(3)]
    assert len({id(m) for m in mocks}) == 3
    assert [m.call_count for m in mocks] == [1, 1, 1]


async def test_the_same_coroutine_function_runs_several_times_at_once():
    all_in = asyncio.Barrier(3)

    @aiointercept()
    async def ask_together(payload, m):
        m.get(f"{m.server_url}/x", payload=payload)
        await all_in.wait()
        assert (await fetch(f"{m.server_url}/x")).json == payload
        await all_in.wait()
        m.assert_called_once()
        return m.server_port

    assert len(set(await asyncio.gather(ask_together(1), ask_together(2), ask_together(3)))) == 3


def test_recursion():
    @aiointercept(mock_external_urls=True)
    def countdown(number, m):
        m.get(URL, payload=number, repeat=True)
        before = asyncio.run(fetch(URL)).json
        below = countdown(number - 1) if number else []
        assert asyncio.run(fetch(URL)).json == before == number
        assert m.call_count == 2
        return [number, *below]

    assert countdown(2) == [2, 1, 0]


async def test_one_decorator_serves_many_functions_and_a_block_at_once():
    shared = aiointercept(mock_external_urls=True)

    @shared
    async def first(m):
        m.get(URL, payload="first")
        return (await fetch(URL)).json

    @shared
    def second(m):
        return m

    async with shared as around:
        around.get(URL, payload="around")
        assert await first() == "first"
        assert second() is not around
        assert (await fetch(URL)).json == "around"
    assert await first() == "first"


async def test_an_exception_leaves_as_itself_with_the_mock_stopped():
    error = LookupError("the test's own")
    seen = []

    @aiointercept(mock_external_urls=True)
    async def failing(m):
        seen.append(m)
        raise error

    @aiointercept()
    def failing_sync(m):
        seen.append(m)
        raise error

    with pytest.raises(LookupError) as caught:
        await failing()
    assert caught.value is error
    with pytest.raises(LookupError):
        failing_sync()
    assert not any(is_running(m) for m in seen)


async def test_options_hold_for_each_call():
    @aiointercept(assert_all_called=True)
    async def unused(m):
        m.get(f"{m.server_url}/never")

    for _ in range(2):
        with pytest.raises(AssertionError, match="/never"):
            await unused()


def passed_on(function):
    """Decorate as careless libraries do: what was async does not look so any more."""

    @functools.wraps(function)
    def passing(*args, **kwargs):
        return function(*args, **kwargs)

    return passing


async def test_an_async_function_that_another_decorator_hides():
    @aiointercept(mock_external_urls=True)
    @passed_on
    async def hidden(payload, m):
        m.get(URL, payload=payload)
        assert (await fetch(URL)).json == payload
        return m

    m = await hidden(1)
    assert not is_running(m)
    m.assert_called_once_with(URL)


async def test_an_async_function_that_another_decorator_hides_and_that_fails():
    seen = []

    @aiointercept()
    @passed_on
    async def hidden(m):
        seen.append(m)
        raise LookupError

    with pytest.raises(LookupError):
        await hidden()
    assert not is_running(seen[0])


class Methods:
    offset = 10

    @aiointercept()
    def method(self, a, m):
        return self.offset + a, isinstance(m, aiointercept)

    @aiointercept()
    async def async_method(self, a, m):
        return self.offset + a, isinstance(m, aiointercept)

    @aiointercept(param="m")
    def named(self, m, a):
        return self.offset + a, isinstance(m, aiointercept)

    @aiointercept()
    @staticmethod
    def static(a, m):
        return a, isinstance(m, aiointercept)

    @staticmethod
    @aiointercept()
    def static_inside(a, m):
        return a, isinstance(m, aiointercept)

    @aiointercept()
    @classmethod
    def of_class(cls, a, m):
        return cls.offset + a, isinstance(m, aiointercept)

    @classmethod
    @aiointercept()
    def of_class_inside(cls, a, m):
        return cls.offset + a, isinstance(m, aiointercept)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("method", 11), ("named", 11), ("static", 1), ("static_inside", 1), ("of_class", 11), ("of_class_inside", 11)],
)
def test_methods(name, expected):
    assert str(inspect.signature(getattr(Methods(), name))) == "(a)"
    assert getattr(Methods(), name)(1) == (expected, True)
    assert getattr(Methods(), name)(a=1) == (expected, True)


async def test_an_async_method():
    assert await Methods().async_method(1) == (11, True)


@pytest.fixture
@aiointercept(mock_external_urls=True)
def registered(tmp_path, m):
    m.get(URL, payload=str(tmp_path), repeat=True)
    yield m
    m.assert_called()
    # The mock is there until the fixture ends.
    assert asyncio.run(fetch(URL)).json == str(tmp_path)


async def test_a_generator_fixture(registered, tmp_path):
    assert (await fetch(URL)).json == str(tmp_path)


@contextlib.contextmanager
@aiointercept()
def sync_context(a, m):
    try:
        yield a, m
    except LookupError as error:
        m.get(f"{m.server_url}/after", payload=str(error))
        assert requests.get(f"{m.server_url}/after", timeout=5).json() == "sent in"


@contextlib.asynccontextmanager
@aiointercept()
async def async_context(a, m):
    try:
        yield a, m
    except LookupError as error:
        m.get(f"{m.server_url}/after", payload=str(error))
        assert (await fetch(f"{m.server_url}/after")).json == "sent in"


async def test_what_is_raised_where_a_generator_waits_reaches_the_function():
    with sync_context(1) as (a, m):
        assert (a, is_running(m)) == (1, True)
        raise LookupError("sent in")
    assert m.call_count == 1
    async with async_context(2) as (a, other):
        assert (a, is_running(other)) == (2, True)
        raise LookupError("sent in")
    assert other.call_count == 1
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as caught:
        async with async_context(3) as (_, m):
            raise error
    assert caught.value is error
    assert not is_running(m)


async def test_what_is_sent_to_a_generator_reaches_the_function():
    @aiointercept()
    def echo(m):
        received = yield "first"
        while received != "end":
            received = yield received
        return "done"

    @aiointercept()
    async def async_echo(m):
        received = yield "first"
        while received != "end":
            received = yield received

    generator = echo()
    assert [next(generator), generator.send("second"), generator.send("third")] == ["first", "second", "third"]
    with pytest.raises(StopIteration) as stop:
        generator.send("end")
    assert stop.value.value == "done"

    items = async_echo()
    assert [await anext(items), await items.asend("second")] == ["first", "second"]
    with pytest.raises(StopAsyncIteration):
        await items.asend("end")


async def test_a_generator_that_is_closed_early_stops_its_mock():
    seen = []

    @aiointercept()
    async def endless(m):
        seen.append(m)
        try:
            while True:
                yield
        finally:
            seen.append("closed")

    items = endless()
    await anext(items)
    await items.aclose()
    assert seen[1:] == ["closed"]
    assert not is_running(seen[0])
