"""The argument `sse` of `add`: a body source whose events are checked, encoded and sent one by one."""

import asyncio
import re

import pytest
from memory_client import MemoryClient, make_request

from aiointercept_core import Fault, Registry, Response, ServerSentEvent, Stream

URL = "https://h.test/chat"
EVENTS = [{"delta": "Hel"}, ["lo", 1], "two\nlines", ServerSentEvent({"a": None}, event="end", id="3", retry=1000)]
CHUNKS = [
    b'data: {"delta": "Hel"}\n\n',
    b'data: ["lo", 1]\n\n',
    b"data: two\ndata: lines\n\n",
    b'event: end\nid: 3\nretry: 1000\ndata: {"a": null}\n\n',
]


@pytest.fixture
def registry():
    return Registry()


async def ask(registry, method="GET", url=URL):
    """Return the reply and its chunks."""
    reply = await registry.answer(make_request(method, url))
    assert isinstance(reply, Stream)
    return reply, [chunk async for chunk in reply.body]


def plain_generator():
    yield from EVENTS


async def async_generator():
    for event in EVENTS:
        yield event


async def coroutine_function():
    return EVENTS


class AsyncIterable:
    def __aiter__(self):
        return async_generator()


@pytest.mark.parametrize(
    "make",
    [
        lambda: EVENTS,
        lambda: tuple(EVENTS),
        lambda: iter(EVENTS),
        plain_generator,
        async_generator,
        AsyncIterable,
        lambda: dict(enumerate(EVENTS)).values(),
        lambda: plain_generator,
        lambda: async_generator,
        lambda: coroutine_function,
        lambda: lambda: EVENTS,
    ],
)
async def test_what_a_stream_may_be(registry, make):
    registry.get(URL, sse=make())
    reply, chunks = await ask(registry)
    assert reply.status == 200
    assert chunks == CHUNKS


async def test_the_headers(registry):
    registry.post(URL, sse=["a"])
    registry.post(URL, sse=["a"], content_type="text/event-stream; charset=utf-8", status=206, reason="Some")
    registry.post(URL, sse=["a"], headers={"cache-control": "no-cache", "CONTENT-TYPE": "text/plain", "X-A": "1"})
    replies = [(await ask(registry, "POST"))[0] for _ in range(3)]
    assert dict(replies[0].headers) == {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    assert replies[1].headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert (replies[1].status, replies[1].reason) == (206, "Some")
    assert dict(replies[2].headers) == {"cache-control": "no-cache", "CONTENT-TYPE": "text/plain", "X-A": "1"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
async def test_any_method(registry, method):
    registry.add(URL, method, sse=["a"])
    assert (await ask(registry, method))[1] == [b"data: a\n\n"]


async def test_an_empty_stream(registry):
    registry.get(URL, sse=[])
    reply, chunks = await ask(registry)
    assert chunks == []
    assert reply.headers["Content-Type"] == "text/event-stream"


@pytest.mark.parametrize(
    "sse", ["text", b"bytes", bytearray(b"a"), memoryview(b"a"), {"delta": "a"}, ServerSentEvent("a")]
)
def test_a_single_event_is_refused(registry, sse):
    with pytest.raises(TypeError, match=r"^sse must be a list of events, got .*; write sse=\[\.\.\.\] for one event$"):
        registry.get(URL, sse=sse)
    assert registry.routes == []


@pytest.mark.parametrize("sse", [1, 1.5, object(), True, False, 0])
def test_what_is_no_stream_is_refused(registry, sse):
    message = "sse must be an iterable or async iterable of events, or a function that returns one, got "
    with pytest.raises(TypeError, match=f"^{message}"):
        registry.get(URL, sse=sse)
    assert registry.routes == []


@pytest.mark.parametrize("event", [1, None, b"bytes", ("a",), {1, 2}, 1.5, object()])
def test_an_event_of_a_list_is_checked_at_once(registry, event):
    with pytest.raises(TypeError, match="an event must be a str, a mapping, a list or a ServerSentEvent, got "):
        registry.get(URL, sse=["a", event])
    assert registry.routes == []


@pytest.mark.parametrize("event", [{"a": object()}, ["\ud800", {1}], "\ud800"])
def test_data_that_cannot_be_sent_is_refused_at_once(registry, event):
    with pytest.raises((TypeError, ValueError), match="the data of an event must be"):
        registry.get(URL, sse=[event])


def test_a_list_is_encoded_at_once(registry):
    events = [{"a": 1}]
    registry.get(URL, sse=events, repeat=2)
    events[0]["a"] = 2
    events.append("more")
    assert asyncio.run(ask(registry))[1] == [b'data: {"a": 1}\n\n']


@pytest.mark.parametrize(
    ("options", "other"),
    [({"body": "a"}, "body"), ({"body": [b"a"]}, "body"), ({"json": {}}, "json"), ({"payload": 0}, "payload")],
)
def test_two_bodies_contradict_each_other(registry, options, other):
    with pytest.raises(ValueError, match=f"^sse and {other} contradict each other: pass one of them$"):
        registry.get(URL, sse=["a"], **options)


def test_a_content_length_and_a_coding_are_checked_like_those_of_other_bodies(registry):
    for headers in ({"X-A": "a\r\nb"}, {"Content-Length": "x"}):
        with pytest.raises(ValueError, match=r".+"):
            registry.get(URL, sse=["a"], headers=headers)


# How often.


@pytest.mark.parametrize("repeat", [2, True])
@pytest.mark.parametrize("make", [plain_generator, async_generator, lambda: iter(EVENTS)])
def test_what_can_be_sent_once_is_refused_with_repeat(registry, repeat, make):
    with pytest.raises(ValueError, match=rf"^sse: .* can be sent only once, but repeat={repeat}; pass "):
        registry.get(URL, sse=make(), repeat=repeat)
    assert registry.routes == []


def test_the_advice_names_the_argument(registry):
    advice = "sse: a generator can be sent only once, but repeat=2; pass the function itself: "
    advice += "sse=plain_generator, not sse=plain_generator()"
    with pytest.raises(ValueError, match=f"^{re.escape(advice)}$"):
        registry.get(URL, sse=plain_generator(), repeat=2)


@pytest.mark.parametrize(
    "sse", [EVENTS, tuple(EVENTS), plain_generator, async_generator, AsyncIterable(), coroutine_function]
)
async def test_what_can_be_sent_again(registry, sse):
    registry.get(URL, sse=sse, repeat=True)
    for _ in range(3):
        assert (await ask(registry))[1] == CHUNKS


async def test_two_streams_at_a_time_do_not_share_events(registry):
    registry.get(URL, sse=async_generator, repeat=2)
    replies = [await registry.answer(make_request("GET", URL)) for _ in range(2)]
    first, second = (aiter(reply.body) for reply in replies)
    received = [(await anext(first), await anext(second)) for _ in EVENTS]
    assert received == [(chunk, chunk) for chunk in CHUNKS]


# With the other arguments.


async def test_a_response_without_a_body_has_the_headers(registry):
    registry.head(URL, sse=["a"])
    registry.get(URL, sse=["a"], status=204)
    for method in ("HEAD", "GET"):
        reply = await registry.answer(make_request(method, URL))
        assert reply.headers["Content-Type"] == "text/event-stream"


async def test_a_delay(registry):
    registry.get(URL, sse=["a"], delay=0.5)
    assert (await ask(registry))[0].delay == 0.5


async def test_a_condition(registry):
    registry.post(URL, sse=["a"], match_json={"stream": True})
    registry.post(URL, json={"text": "a"})
    client = MemoryClient(registry)
    assert (await client.request("POST", URL, body=b'{"stream": true}')).body == b"data: a\n\n"
    assert (await client.request("POST", URL, body=b"{}")).body == b'{"text": "a"}'


async def test_exception_and_callback_replace_the_stream(registry):
    from aiointercept_core import CallbackResult, CloseConnection

    registry.get(URL, sse=["a"], exception=True)
    registry.get(URL, sse=["a"], callback=lambda url: CallbackResult(body="b"))
    assert isinstance(await registry.answer(make_request("GET", URL)), CloseConnection)
    reply = await registry.answer(make_request("GET", URL))
    assert isinstance(reply, Response)
    assert reply.body == b"b"


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATED, OSError("no")])
def test_a_fault_contradicts_a_stream(registry, fault):
    with pytest.raises(ValueError, match=r"^fault and sse contradict each other: pass one of them$"):
        registry.get(URL, sse=["a"], fault=fault)


# Functions.


@pytest.mark.parametrize("result", ["text", b"a", {"a": 1}, None, 1, lambda: EVENTS, ServerSentEvent("a")])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_that_returns_no_stream(registry, result, is_async):
    def events():
        return result

    async def async_events():
        return result

    registry.get(URL, sse=async_events if is_async else events)
    with pytest.raises(TypeError, match=r"sse"):
        await ask(registry)


async def test_a_function_that_takes_an_argument(registry):
    registry.get(URL, sse=lambda request: ["a"])
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        await ask(registry)


async def test_a_bad_event_of_a_function_is_an_error_of_the_stream(registry):
    registry.get(URL, sse=lambda: iter(["a", 1]))
    reply = await registry.answer(make_request("GET", URL))
    received = []
    with pytest.raises(TypeError, match="an event must be a str, a mapping, a list or a ServerSentEvent, got 1"):
        received.extend([received.append(chunk) async for chunk in reply.body])
    assert received == [b"data: a\n\n"]


async def test_leaving_early_closes_the_generator(registry):
    closed = []

    async def events():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    for sse in (events, events()):
        registry.get(URL, sse=sse)
        reply = await registry.answer(make_request("GET", URL))
        chunks = aiter(reply.body)
        assert await anext(chunks) == b"data: a\n\n"
        await chunks.aclose()
    assert closed == [True, True]
