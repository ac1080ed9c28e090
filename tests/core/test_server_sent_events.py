"""Server-sent events, as a client that follows the HTML standard reads them."""

import asyncio
import inspect
import json
import re
import threading
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import Registry, ServerSentEvent, sse_stream
from aiointercept_core._arguments import check_repeat
from aiointercept_core._reply_template import ReplyTemplate
from aiointercept_core._server_sent_events import encode_event

URL = "https://api.example.com/events"


def parse(stream: bytes) -> list[dict[str, object]]:
    """Return the events of a stream, read by the rules of the HTML standard, section 9.2.6."""
    events, last_id, retry = [], "", None
    data: list[str] = []
    kind = ""
    for line in re.split("\r\n|\r|\n", stream.decode().removeprefix("\ufeff"))[:-1]:
        if not line:
            if data:
                events.append({"data": "\n".join(data), "event": kind or "message", "id": last_id, "retry": retry})
            data, kind = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            retry = int(value)
    return events


async def sent(body) -> list[bytes]:
    return [chunk async for chunk in body]


async def answered(body) -> list[bytes]:
    """Return the chunks of the body of a reply, made as the registry makes it."""
    template = ReplyTemplate(200, None, CIMultiDictProxy(CIMultiDict()), body, bodiless=False)
    return await sent((await template.make(Registry()._callback_context())).body)


# The format.


@pytest.mark.parametrize(
    ("event", "encoded"),
    [
        ("a", b"data: a\n\n"),
        ("", b"data: \n\n"),
        ("a\nb", b"data: a\ndata: b\n\n"),
        ("a\r\nb\rc\n", b"data: a\ndata: b\ndata: c\ndata: \n\n"),
        ("ü: x", "data: ü: x\n\n".encode()),
        ({"delta": "Hel"}, b'data: {"delta": "Hel"}\n\n'),
        ([1, "ü"], b'data: [1, "\\u00fc"]\n\n'),
        (ServerSentEvent("a"), b"data: a\n\n"),
        (ServerSentEvent("a", "add", "7", 1000), b"event: add\nid: 7\nretry: 1000\ndata: a\n\n"),
        (ServerSentEvent({"a": 1}, id="", event="", retry=0), b'event: \nid: \nretry: 0\ndata: {"a": 1}\n\n'),
    ],
)
def test_the_lines_of_an_event(event, encoded):
    assert encode_event(event) == encoded


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXTS, st.none() | LINES, LINES, st.integers(0))))
def test_a_client_reads_what_was_sent(events):
    stream = b"".join(encode_event(ServerSentEvent(*event)) for event in events)
    assert parse(stream) == [
        {"data": re.sub("\r\n|\r", "\n", data), "event": event or "message", "id": last_id, "retry": retry}
        for data, event, last_id, retry in events
    ]


@given(st.dictionaries(TEXTS, TEXTS) | st.lists(TEXTS))
def test_a_client_reads_json(data):
    (event,) = parse(encode_event(data))
    assert json.loads(event["data"]) == data


def test_an_event_is_a_value():
    event = ServerSentEvent("a", id="1")
    assert event == ServerSentEvent("a", id="1") != ServerSentEvent("a")
    assert repr(event) == "ServerSentEvent(data='a', event=None, id='1', retry=None)"
    with pytest.raises(FrozenInstanceError):
        event.id = "2"


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"id": "a\nb"}, ValueError, r"the id of an event must not contain line ends and NUL, got 'a\\nb'"),
        ({"id": "a\0"}, ValueError, r"the id of an event must not contain line ends and NUL, got 'a\\x00'"),
        ({"id": 1}, TypeError, "the id of an event must be a str, got 1"),
        ({"event": "a\rb"}, ValueError, r"the event of an event must not contain line ends, got 'a\\rb'"),
        ({"event": "\ud800"}, ValueError, "the event of an event must be a str that can be encoded as UTF-8"),
        ({"retry": -1}, ValueError, "the retry of an event must be at least 0, got -1"),
        ({"retry": True}, TypeError, "the retry of an event must be an int, in milliseconds, got True"),
        ({"retry": "1"}, TypeError, "the retry of an event must be an int, in milliseconds, got '1'"),
        ({"data": b"a"}, TypeError, "an event must be a str, a mapping, a list or a ServerSentEvent, got b'a'"),
        ({"data": None}, TypeError, "an event must be a str, a mapping, a list or a ServerSentEvent, got None"),
        ({"data": "\ud800"}, ValueError, "the data of an event must be a str that can be encoded as UTF-8"),
        ({"data": {"a": {1}}}, TypeError, r"the data of an event must be a value that json.dumps can serialise"),
    ],
)
def test_values_that_cannot_be_sent(fields, error, message):
    with pytest.raises(error, match=message):
        ServerSentEvent(**{"data": "", **fields})


# Streams.


def generator():
    yield "a"
    yield {"b": 1}


async def async_generator():
    yield "a"
    yield {"b": 1}


async def coroutine():
    return async_generator()


class Iterated:
    def __iter__(self):
        return generator()


class AsyncIterated:
    def __aiter__(self):
        return async_generator()


CHUNKS = [b"data: a\n\n", b'data: {"b": 1}\n\n']
REPEATABLE = [
    ["a", {"b": 1}],
    ("a", {"b": 1}),
    Iterated(),
    AsyncIterated(),
    generator,
    async_generator,
    coroutine,
    lambda: ["a", {"b": 1}],
    lambda: asyncio.wait_for(coroutine(), 5),
]


@pytest.mark.parametrize("events", REPEATABLE, ids=range(len(REPEATABLE)))
async def test_a_stream_that_can_be_sent_any_number_of_times(events):
    body = sse_stream(events)
    assert check_repeat(True, body) is None
    assert await answered(body) == CHUNKS
    assert await answered(body) == CHUNKS


@pytest.mark.parametrize("make", [generator, async_generator])
async def test_a_generator_can_be_sent_only_once(make):
    body = sse_stream(make())
    with pytest.raises(ValueError, match=f"a generator can be sent only once.*not body={make.__name__}"):
        check_repeat(True, body)
    assert check_repeat(False, body) == 1
    assert await answered(body) == CHUNKS
    assert await sent(sse_stream(make())) == CHUNKS
    assert await anext(sse_stream(make())) == CHUNKS[0]


async def test_a_list_is_encoded_at_once():
    events = [{"a": 1}]
    body = sse_stream(events)
    events[0]["a"] = 2
    assert await sent(body) == [b'data: {"a": 1}\n\n']
    with pytest.raises(TypeError, match="an event must be a str"):
        sse_stream(["a", 1])


async def test_an_async_generator_is_closed_with_its_stream():
    closed = []

    async def events():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    body = aiter(sse_stream(events()))
    assert await anext(body) == b"data: a\n\n"
    await body.aclose()
    assert closed == [True]


class ThreadContext:
    """Runs functions in a thread, and records which."""

    def __init__(self):
        self.called = []

    async def call(self, function, *args):
        self.called.append(function.__name__)
        result = await asyncio.to_thread(function, *args)
        return await result if inspect.isawaitable(result) else result

    def iterate(self, body):
        return aiter(body)


async def test_a_plain_generator_runs_where_plain_functions_do():
    threads = set()

    def events():
        threads.add(threading.current_thread())
        yield "a"
        threads.add(threading.current_thread())

    template = ReplyTemplate(200, None, CIMultiDictProxy(CIMultiDict()), sse_stream(events()), bodiless=False)
    context = ThreadContext()
    assert await sent((await template.make(context)).body) == [b"data: a\n\n"]
    assert context.called == ["iter", "next", "next"]
    assert threading.current_thread() not in threads


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ("a", r"sse must be a list of events, got 'a'; write sse=\[\.\.\.\] for one event"),
        (b"a", "sse must be a list of events, got b'a'"),
        ({"a": 1}, r"sse must be a list of events, got \{'a': 1\}"),
        (ServerSentEvent("a"), "sse must be a list of events, got ServerSentEvent"),
        (1, "sse must be an iterable or async iterable of events, or a function that returns one, got 1"),
        (None, "sse must be an iterable or async iterable of events, or a function that returns one, got None"),
    ],
)
def test_what_is_no_stream(events, message):
    with pytest.raises(TypeError, match=message):
        sse_stream(events)


async def test_a_function_that_returns_no_stream():
    with pytest.raises(
        TypeError, match=r"sse: .*<lambda>.* must return an iterable or async iterable of events, got 1"
    ):
        await answered(sse_stream(lambda: 1))
    with pytest.raises(TypeError, match="must return an iterable or async iterable of events, got <function generator"):
        await answered(sse_stream(lambda: generator))
