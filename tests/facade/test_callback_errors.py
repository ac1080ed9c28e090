"""What a callback or a body raises reaches both ends: a 500 for the client, the error itself for the test."""

import asyncio
import functools
import logging
import re
import sys
import threading
import traceback
import unittest.mock

import aiohttp
import pytest
from support import fetch

from aiointercept import CallbackResult, aiointercept


class FirstError(Exception):
    pass


class SecondError(Exception):
    pass


def raising(error, *, is_async):
    """Return a callback that raises `error`."""

    def sync_callback(url, **kwargs):
        raise error

    async def async_callback(url, **kwargs):
        await asyncio.sleep(0)
        raise error

    return async_callback if is_async else sync_callback


SYNC_AND_ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@SYNC_AND_ASYNC
async def test_the_client_gets_a_500_with_the_traceback_as_text(is_async):
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=raising(FirstError("ü told"), is_async=is_async))
    reply = await fetch(m.server_url)
    assert reply.status == 500
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    name = "async_callback" if is_async else "sync_callback"
    # Clients show the reason in their own errors.
    assert reply.reason == f"your callback {name}() raised FirstError: ? told"
    first, _, *traceback, error, note = reply.text.splitlines()
    assert first == f"your callback {name}() raised FirstError: ü told"
    # Only what the user wrote is in the traceback.
    assert [line.split(", in ")[1] for line in traceback if line.startswith("  File")] == [name]
    assert error.endswith("FirstError: ü told")
    assert note == f"your callback {name}() raised this for GET {m.server_url}/"
    with pytest.raises(FirstError):
        await m.stop()


@SYNC_AND_ASYNC
async def test_the_error_is_raised_as_itself_after_everything_is_torn_down(is_async):
    error = FirstError("told")
    unpatched = aiohttp.TCPConnector.connect
    m = aiointercept(True)

    async def block():
        async with m:
            m.get("https://api.example.com/", callback=raising(error, is_async=is_async))
            await fetch("https://api.example.com/")

    with pytest.raises(FirstError) as caught:
        await block()
    assert caught.value is error
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(m.server_host, m.server_port)
    assert aiohttp.TCPConnector.connect is unpatched
    m.assert_called_once_with("https://api.example.com/")


@SYNC_AND_ASYNC
def test_the_error_is_raised_by_a_sync_block_as_well(is_async):
    error = FirstError("told")

    def block():
        with aiointercept() as m:
            m.get(f"{m.server_url}/", callback=raising(error, is_async=is_async))
            asyncio.run(fetch(m.server_url))

    with pytest.raises(FirstError) as caught:
        block()
    assert caught.value is error


async def test_the_error_is_raised_once():
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=raising(FirstError(), is_async=False))
    await fetch(m.server_url)
    with pytest.raises(FirstError):
        m.check()
    m.check()
    await m.stop()


async def test_an_error_is_not_carried_into_the_next_block():
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=raising(FirstError(), is_async=False))
    await fetch(m.server_url)
    with pytest.raises(FirstError):
        await m.stop()
    async with m:
        pass


async def test_several_errors_are_raised_as_a_group():
    first, second = FirstError("one"), SecondError("two")
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=raising(first, is_async=False))
    m.get(f"{m.server_url}/", callback=raising(second, is_async=True))
    for _ in range(2):
        assert (await fetch(m.server_url)).status == 500
    with pytest.raises(ExceptionGroup) as caught:
        await m.stop()
    assert caught.value.exceptions == (first, second)


@pytest.mark.parametrize("sync_block", [False, True], ids=["async with", "with"])
async def test_an_exception_of_the_test_is_raised_with_a_note_on_the_callback_error(sync_block, caplog):
    own = LookupError("the test's own")
    m = aiointercept()

    async def body():
        m.get(f"{m.server_url}/", callback=raising(FirstError("told as a note"), is_async=False))
        await fetch(m.server_url)
        raise own

    async def block():
        if sync_block:
            with m:
                await body()
        else:
            async with m:
                await body()

    with pytest.raises(LookupError) as caught:
        await block()
    assert caught.value is own
    (note,) = own.__notes__
    assert "FirstError: told as a note" in note
    assert "in sync_callback" in note
    assert caplog.records == []


@SYNC_AND_ASYNC
async def test_pytest_fail_and_a_failed_assertion_in_a_callback_fail_the_test(is_async):
    """`pytest.fail` raises what is no `Exception`."""

    def sync_callback(url, *, json, **kwargs):
        if json == "assert":
            assert url == "another"
        pytest.fail("said by the callback")

    async def async_callback(url, **kwargs):
        sync_callback(url, **kwargs)

    m = await aiointercept().start()
    m.post(f"{m.server_url}/", callback=async_callback if is_async else sync_callback, repeat=2)
    for json in ("assert", "fail"):
        reply = await fetch(m.server_url, "POST", json=json)
        assert reply.status == 500
    assert "said by the callback" in reply.text
    with pytest.raises(BaseExceptionGroup) as caught:
        await m.stop()
    assert [type(error) for error in caught.value.exceptions] == [AssertionError, pytest.fail.Exception]


async def test_an_exhausted_iterator_in_a_callback_is_an_error_too():
    replies = iter([CallbackResult(body="only one")])
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=lambda url, **kwargs: next(replies), repeat=True)
    assert (await fetch(m.server_url)).text == "only one"
    assert (await fetch(m.server_url)).status == 500
    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        await m.stop()
    assert isinstance(caught.value.__cause__, StopIteration)


@pytest.mark.parametrize("kind", ["sync", "async", "body"])
def test_the_server_survives_an_exit_in_a_callback(kind):
    def sync_callback(url, **kwargs):
        sys.exit("said by the callback")

    async def async_callback(url, **kwargs):
        sync_callback(url)

    async def body():
        sync_callback("")
        yield

    options = {"sync": {"callback": sync_callback}, "async": {"callback": async_callback}, "body": {"body": body}}
    m = aiointercept()
    m.start()
    m.get(f"{m.server_url}/", **options[kind])
    m.get(f"{m.server_url}/", body="next")
    assert asyncio.run(fetch(m.server_url)).status == 500
    assert asyncio.run(fetch(m.server_url)).text == "next"
    with pytest.raises(RuntimeError, match=r"a callback raised SystemExit\('said by the callback'\)"):
        m.stop()


async def test_a_failed_callback_counts_as_one_answered_request():
    m = await aiointercept().start()
    registered = m.get(f"{m.server_url}/", callback=raising(FirstError(), is_async=False))
    await fetch(m.server_url)
    assert (registered.call_count, m.call_count) == (1, 1)
    m.get(f"{m.server_url}/", body="next")
    assert (await fetch(m.server_url)).text == "next"
    with pytest.raises(FirstError):
        await m.stop()


async def test_a_callback_cancelled_because_its_client_left_is_no_error():
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def callback(url, **kwargs):
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback)
        task = asyncio.ensure_future(fetch(m.server_url))
        await entered.wait()
        task.cancel()
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_an_error_in_a_sync_callback_whose_client_left_is_an_error_all_the_same(caplog):
    """Nothing cancels it: it has come to its end, if late."""
    caplog.set_level(logging.DEBUG, "aiointercept")
    entered, gate = threading.Event(), threading.Event()

    def callback(url, **kwargs):
        entered.set()
        gate.wait(5)
        raise FirstError("told late")

    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=callback)
    m.get(f"{m.server_url}/next", callback=lambda url, **kwargs: CallbackResult())
    task = asyncio.ensure_future(fetch(m.server_url))
    await asyncio.to_thread(entered.wait, 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # Callbacks run one after the other: when the next has answered, this one is over.
    following = asyncio.ensure_future(fetch(f"{m.server_url}/next"))
    async with asyncio.timeout(5):
        while m.call_count < 2:
            await asyncio.sleep(0.001)
    gate.set()
    await following
    with pytest.raises(FirstError, match="told late"):
        await m.stop()
    (record,) = caplog.records
    told = r"your function callback\(\) raised FirstError: told late after its client had left \(\S+:\d+\)"
    assert record.levelname == "DEBUG"
    assert re.fullmatch(told, record.getMessage())


async def test_a_callback_cancelled_because_the_block_ended_is_no_error():
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def callback(url, **kwargs):
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback)
        task = asyncio.ensure_future(fetch(m.server_url))
        await entered.wait()
    await asyncio.wait_for(cancelled.wait(), 5)
    with pytest.raises(aiohttp.ClientConnectionError):
        await task


async def test_a_callback_that_cancels_itself_closes_the_connection_and_is_no_error():
    async def callback(url, **kwargs):
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback)
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(m.server_url)


async def test_errors_from_many_threads_and_clients_all_arrive():
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=raising(FirstError(), is_async=False), repeat=True)

    def ask():
        asyncio.run(fetch(m.server_url))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    with pytest.raises(ExceptionGroup) as caught:
        await m.stop()
    assert len(caught.value.exceptions) == 4


def answer(*args, **kwargs):
    raise FirstError("told")


class Answer:
    async def __call__(self, url):
        answer()


@functools.wraps(answer)
def wrapper(*args, **kwargs):
    return answer(*args, **kwargs)


@pytest.mark.parametrize(
    ("callback", "name"),
    [
        (functools.partial(answer, 1), "answer"),
        (functools.partial(wrapper, 1), "answer"),
        (Answer(), "Answer.__call__"),
        (Answer().__call__, "Answer.__call__"),
        (unittest.mock.Mock(side_effect=FirstError("told")), "Mock"),
    ],
    ids=["partial", "wrapper", "object", "method", "mock"],
)
async def test_what_is_around_a_callback_does_not_hide_it(callback, name):
    async with aiointercept(raise_callback_errors=False) as m:
        m.get(f"{m.server_url}/", callback=callback)
        assert (await fetch(m.server_url)).reason == f"your callback {name}() raised FirstError: told"


def wrong(*args):
    return 5


def wrong_payload(url):
    return CallbackResult(payload={1})


async def wrong_chunks():
    yield "a str"


def wrong_events():
    yield 5


@pytest.mark.parametrize(
    ("function", "options", "name", "reason"),
    [
        (wrong, {"callback": wrong}, "callback wrong()", "callback wrong() must return a CallbackResult, got 5"),
        (wrong, {"body": wrong}, "body function wrong()", "body: wrong() must return str, bytes or an async"),
        (wrong, {"sse": wrong}, "body function wrong()", "sse: wrong() must return an iterable"),
        (wrong_chunks, {"body": wrong_chunks()}, "body function wrong_chunks()", "body: the async iterable must yield"),
        (wrong_events, {"sse": wrong_events}, "body function wrong_events()", "an event must be a str, a mapping"),
        (wrong_events, {"sse": wrong_events()}, "body function wrong_events()", "an event must be a str, a mapping"),
        (wrong_payload, {"callback": wrong_payload}, "callback wrong_payload()", "payload must be a value that json"),
    ],
    ids=["callback", "body", "sse", "chunks", "events", "generator", "payload"],
)
async def test_a_function_that_returns_what_cannot_be_sent_is_named_with_its_place(
    function, options, name, reason, caplog
):
    caplog.set_level(logging.DEBUG, "aiointercept")
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", **options)
    reply = await fetch(m.server_url)
    assert (reply.status, reply.text.count("\n")) == (500, 1)
    assert reply.reason.startswith(f"your {name} failed: TypeError: {reason}")
    with pytest.raises(TypeError, match=re.escape(reason)) as caught:
        await m.stop()
    place = rf"\(\S*test_callback_errors\.py:{function.__code__.co_firstlineno}\)"
    (note,) = caught.value.__notes__
    assert re.search(rf"^your {re.escape(name)} {place} failed for GET {m.server_url}/$", note)
    (record,) = caplog.records
    assert re.search(rf"^your {re.escape(name)} failed: .* for GET \S+ {place}$", record.getMessage())
    # Where our code found out is not shown.
    assert caught.value.__cause__ is None
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert not [frame for frame in frames if re.search("aiointercept_(core|server)", frame.filename)]
