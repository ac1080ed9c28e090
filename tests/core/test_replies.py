"""Replies: the body, payload, headers and status of a route or a callback result."""

import gzip
import zlib
from collections import UserDict
from http import HTTPStatus

import pytest
from memory_client import AIORESPONSES_RULES, MemoryClient
from multidict import CIMultiDict, MultiDict

from aiointercept_core import (
    CallbackResult,
    PlainRequest,
    Registry,
    Response,
    Stream,
)

URL = "http://h.test/"


@pytest.fixture
def client():
    return MemoryClient(Registry())


def from_callback(**options):
    """Return arguments of `add` for a callback that returns this reply."""
    return {"callback": lambda url, **kwargs: CallbackResult(**options)}


@pytest.fixture(params=["registered", "callback"])
def arguments(request):
    """Return a function that returns the arguments of `add` for a reply, with or without a callback."""
    return dict if request.param == "registered" else from_callback


async def chunks():
    yield b"one "
    yield b"two"


def text():
    return "fresh"


async def later():
    return b"fresh"


async def later_chunks():
    return chunks()


class Chunks:
    """An async iterable that can be iterated again and must not be called."""

    def __aiter__(self):
        return chunks()

    def __call__(self):
        raise AssertionError("an async iterable is iterated, not called")

    class Iterator:
        def __aiter__(self):
            return self

        async def __anext__(self):
            raise StopAsyncIteration


# Bodies.


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("", b""),
        ("text", b"text"),
        ("ü€", "ü€".encode()),
        (b"", b""),
        (b"\x00\xff", b"\x00\xff"),
        (None, b""),
        (text, b"fresh"),
        (later, b"fresh"),
        (lambda: "ü", "ü".encode()),
        (chunks, b"one two"),
        (later_chunks, b"one two"),
        (Chunks(), b"one two"),
        (Chunks, b"one two"),
    ],
)
async def test_kinds_of_body(client, arguments, body, sent):
    client.registry.get(URL, repeat=3, **arguments(body=body))
    for _ in range(3):
        assert (await client.get(URL)).body == sent


async def test_an_iterator_is_a_body_for_one_reply(client, arguments):
    client.registry.get(URL, **arguments(body=chunks()))
    assert (await client.get(URL)).body == b"one two"


@pytest.mark.parametrize("repeat", [True, 2])
def test_a_generator_cannot_be_sent_twice(client, repeat):
    with pytest.raises(ValueError, match="generator") as caught:
        client.registry.get(URL, body=chunks(), repeat=repeat)
    assert str(caught.value) == (
        f"body: a generator can be sent only once, but repeat={repeat}; "
        "pass the function itself: body=chunks, not body=chunks()"
    )
    assert client.registry.routes == []


@pytest.mark.parametrize("body", [aiter(Chunks.Iterator()), (chunk async for chunk in Chunks())])
def test_another_iterator_cannot_be_sent_twice(client, body):
    with pytest.raises(ValueError, match="iterator") as caught:
        client.registry.get(URL, body=body, repeat=2)
    assert str(caught.value) == (
        "body: an iterator can be sent only once, but repeat=2; pass a function that returns a new one"
    )


@pytest.mark.parametrize("repeat", [False, 0, 1])
async def test_an_iterator_may_be_sent_once(client, repeat):
    client.registry.get(URL, body=chunks(), repeat=repeat)
    assert (await client.get(URL)).body == b"one two"


async def test_a_body_function_is_called_anew_for_each_reply(client):
    calls = []

    def count():
        calls.append(len(calls))
        return str(calls[-1])

    client.registry.get(URL, body=count, repeat=True)
    assert calls == []
    assert [(await client.get(URL)).body for _ in range(3)] == [b"0", b"1", b"2"]


async def test_a_stream_is_not_read_in_advance():
    registry = Registry()
    registry.get(URL, body=chunks, status=206, reason="Some", headers={"Content-Length": "7"})
    reply = await registry.answer(PlainRequest("GET", URL))
    assert isinstance(reply, Stream)
    assert (reply.status, reply.reason, reply.headers["Content-Length"]) == (206, "Some", "7")
    assert [chunk async for chunk in reply.body] == [b"one ", b"two"]


@pytest.mark.parametrize("made", [None, 5, ["a"], {"a": 1}, iter([b"a"])])
async def test_a_body_function_that_returns_another_type(client, arguments, made):
    def make():
        return made

    client.registry.get(URL, **arguments(body=make))
    with pytest.raises(TypeError) as caught:
        await client.get(URL)
    assert str(caught.value) == (
        "body: test_a_body_function_that_returns_another_type.make() must return str, bytes or an async iterable of "
        f"bytes, got {made!r}"
    )


async def test_an_error_in_a_body_function_is_raised(client, arguments):
    error = KeyError("mine")

    def fail():
        raise error

    client.registry.get(URL, **arguments(body=fail))
    with pytest.raises(KeyError) as caught:
        await client.get(URL)
    assert caught.value is error


# JSON.


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        ({"a": [1, None]}, b'{"a": [1, null]}'),
        ([], b"[]"),
        ({}, b"{}"),
        (0, b"0"),
        (0.0, b"0.0"),
        (False, b"false"),
        (True, b"true"),
        ("", b'""'),
        ("ü", b'"\\u00fc"'),
        ((1, 2), b"[1, 2]"),
    ],
)
async def test_a_payload_is_sent_as_json_instead_of_the_body(client, arguments, payload, sent):
    client.registry.get(URL, **arguments(payload=payload, body="never seen"))
    answer = await client.get(URL)
    assert answer.body == sent
    assert answer.headers["Content-Type"] == "application/json"


async def test_none_is_no_payload(client, arguments):
    client.registry.get(URL, **arguments(payload=None, body="seen"))
    assert (await client.get(URL)).body == b"seen"


@pytest.mark.parametrize("payload", [{"a": 1}, [], 0, False, ""])
async def test_json_and_payload_are_the_same(client, payload):
    client.registry.get(URL, json=payload)
    client.registry.get(URL, payload=payload)
    assert (await client.get(URL)).body == (await client.get(URL)).body != b""


async def test_a_payload_is_serialised_at_once(client):
    payload = {"a": 1}
    client.registry.get(URL, payload=payload)
    payload["a"] = 2
    assert (await client.get(URL)).body == b'{"a": 1}'


# Headers.


@pytest.mark.parametrize(
    ("options", "content_type"),
    [
        ({}, "application/json"),
        ({"body": "text"}, "application/json"),
        ({"content_type": "text/html"}, "text/html"),
        ({"content_type": "text/html", "payload": {}}, "text/html"),
        ({"headers": {"content-type": "text/css"}}, "text/css"),
        ({"headers": {"Content-Type": "text/css"}, "content_type": "text/html"}, "text/css"),
        ({"headers": {"X-A": "1"}, "content_type": "text/html"}, "text/html"),
    ],
)
async def test_the_content_type(client, arguments, options, content_type):
    client.registry.get(URL, **arguments(**options))
    assert (await client.get(URL)).headers.getall("Content-Type") == [content_type]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Case": "1", "x-other": "2"},
        CIMultiDict([("Set-Cookie", "a=1"), ("X", "y"), ("set-cookie", "b=2")]),
        MultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "a=1")]),
        UserDict({"X-A": "ü", "X-B": "", "X-Tab": "a\tb"}),
    ],
)
async def test_headers_keep_order_case_and_duplicates(client, arguments, headers):
    client.registry.get(URL, **arguments(headers=headers))
    sent = (await client.get(URL)).headers
    assert [(str(name), value) for name, value in sent.items()] == [
        *headers.items(),
        ("Content-Type", "application/json"),
    ]


async def test_headers_are_copied_at_registration(client):
    headers = {"X-A": "1"}
    client.registry.get(URL, headers=headers)
    headers["X-A"] = "2"
    assert (await client.get(URL)).headers["X-A"] == "1"


# Status.


@pytest.mark.parametrize(
    ("status", "sent"),
    [(200, 200), (299, 299), (999, 999), (HTTPStatus.NOT_FOUND, 404), (None, 200)],
)
async def test_the_status(client, arguments, status, sent):
    client.registry.get(URL, **arguments(status=status))
    answer = await client.get(URL)
    assert answer.status == sent
    assert type(answer.status) is int


async def test_the_reason(client, arguments):
    client.registry.get(URL, **arguments(status=404, reason="Gone Fishing"))
    client.registry.get(URL, **arguments(status=404))
    assert [(await client.get(URL)).reason for _ in range(2)] == ["Gone Fishing", None]


@pytest.mark.parametrize(
    "name", ["status", "body", "headers", "exception", "json", "payload", "content_type", "reason"]
)
async def test_none_is_the_default(client, name):
    client.registry.get(URL, **{name: None})
    client.registry.get(URL)
    assert await client.get(URL) == await client.get(URL)


# Closed connections.


@pytest.mark.parametrize(
    "exception", [True, ConnectionError, ConnectionError("mine"), TimeoutError(), KeyboardInterrupt]
)
async def test_an_exception_closes_the_connection(client, exception):
    route = client.registry.get(URL, exception=exception, body="never sent")
    with pytest.raises(ConnectionError):
        await client.get(URL)
    assert route.call_count == 1
    assert client.registry.journal.records[0].route is route
    assert not client.registry.journal.records[0].unmatched


@pytest.mark.parametrize("exception", [False, None])
async def test_a_false_exception_has_no_effect(client, exception):
    client.registry.get(URL, exception=exception, body="sent")
    assert (await client.get(URL)).body == b"sent"


# Headers about the length and the encoding of the body.

GZIPPED = gzip.compress(b"text", mtime=0)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"text", {"Content-Length": "4"}),
        ("ü", {"content-length": "2"}),
        (b"text", {"Transfer-Encoding": "chunked"}),
        (b"text", {"Transfer-Encoding": "Chunked", "Content-Length": "4"}),
        (GZIPPED, {"Content-Encoding": "gzip"}),
        (GZIPPED, {"Content-Encoding": "X-GZip", "Content-Length": str(len(GZIPPED))}),
        (zlib.compress(b"text"), {"Content-Encoding": "deflate"}),
        (zlib.compress(b"text", wbits=-15), {"Content-Encoding": "deflate"}),
        (zlib.compress(GZIPPED), {"Content-Encoding": "gzip, deflate"}),
        (b"text", {"Content-Encoding": "identity"}),
        (b"cannot be checked", {"Content-Encoding": "br"}),
        (b"", {"Content-Encoding": "gzip"}),
    ],
)
async def test_correct_headers_about_the_body(client, arguments, body, headers):
    client.registry.get(URL, **arguments(body=body, headers=headers))
    answer = await client.get(URL)
    assert answer.body == (body.encode() if isinstance(body, str) else body)
    # The transport decides whether the body is sent in chunks.
    assert "Transfer-Encoding" not in answer.headers
    assert answer.headers.get("Content-Encoding") == headers.get("Content-Encoding")


CONTRADICTING = [
    (b"text", {"Content-Length": "5"}, r"Content-Length must be 4, the length of the body, got '5'; leave"),
    (b"text", {"Content-Length": "0"}, r"Content-Length must be 4"),
    (b"text", {"Content-Length": "-4"}, r"Content-Length must be a single number, got '-4'"),
    (b"text", {"Content-Length": "four"}, r"Content-Length must be a single number"),
    (b"text", {"Content-Length": ""}, r"Content-Length must be a single number"),
    (
        b"text",
        CIMultiDict([("Content-Length", "4"), ("Content-Length", "4")]),
        r"Content-Length must be a single number, got '4', '4'",
    ),
    (b"text", {"Transfer-Encoding": "gzip, chunked"}, r"Transfer-Encoding must be 'chunked', got 'gzip, chunked'"),
    (
        b"text",
        {"Content-Encoding": "gzip"},
        r"Content-Encoding is 'gzip', but the body b'text' is not encoded that way; leave",
    ),
    (GZIPPED[:-1], {"Content-Encoding": "gzip"}, r"Content-Encoding is 'gzip'"),
    (b"text", {"Content-Encoding": "deflate"}, r"Content-Encoding is 'deflate'"),
    (GZIPPED, {"Content-Encoding": "gzip, gzip"}, r"Content-Encoding is 'gzip, gzip'"),
]


@pytest.mark.parametrize(("body", "headers", "message"), CONTRADICTING)
async def test_headers_that_contradict_the_body_are_refused(client, body, headers, message):
    with pytest.raises(ValueError, match=message):
        client.registry.get(URL, body=body, headers=headers)
    assert client.registry.routes == []
    for options in (from_callback(body=body, headers=headers), from_callback(body=lambda: body, headers=headers)):
        client.registry.get(URL, **options)
        with pytest.raises(ValueError, match=message):
            await client.get(URL)


@pytest.mark.parametrize(("body", "headers", "message"), CONTRADICTING)
async def test_headers_that_contradict_the_body_can_be_dropped(body, headers, message):
    client = MemoryClient(Registry(AIORESPONSES_RULES))
    client.registry.get(URL, body=body, headers=headers)
    client.registry.get(URL, **from_callback(body=body, headers=headers))
    for _ in range(2):
        answer = await client.get(URL)
        assert answer.body == body
        assert list(answer.headers) == ["Content-Type"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "1234"},
        {"Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "gzip"},
        {"Content-Encoding": "gzip"},
        {"Content-Length": "1234", "Content-Encoding": "br"},
    ],
)
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_headers_about_a_body_that_is_not_sent_are_sent_as_given(client, arguments, method, status, headers):
    client.registry.add(URL, method, **arguments(status=status, headers=headers, body="short"))
    answer = await client.request(method.lower(), URL)
    assert {**headers, "Content-Type": "application/json"} == dict(answer.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "many"},
        {"Content-Length": "9" * 30},
        CIMultiDict([("Content-Length", "1"), ("Content-Length", "1")]),
        {"Content-Length": "1", "Transfer-Encoding": "chunked"},
    ],
)
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_headers_that_no_client_accepts_are_always_refused(client, method, status, headers):
    with pytest.raises(ValueError, match=r"headers: Content-Length .*leave"):
        client.registry.add(URL, method, status=status, headers=headers)
    client.registry.add(URL, method, **from_callback(status=status, headers=headers))
    with pytest.raises(ValueError, match=r"headers: Content-Length .*leave"):
        await client.request(method.lower(), URL)


async def test_a_stream_is_sent_in_chunks_or_with_its_length(client, arguments):
    for headers, kept in (
        ({"Content-Length": "7"}, ["Content-Length", "Content-Type"]),
        ({"Transfer-Encoding": "chunked"}, ["Content-Type"]),
        ({"Transfer-Encoding": "chunked", "Content-Length": "9"}, ["Content-Type"]),
    ):
        client.registry.get(URL, **arguments(body=chunks, headers=headers))
        assert list((await client.get(URL)).headers) == kept


async def test_a_static_reply_is_built_once():
    registry = Registry()
    registry.get(URL, payload=[1], repeat=True)
    first, second = [await registry.answer(PlainRequest("GET", URL)) for _ in range(2)]
    assert isinstance(first, Response)
    assert first is second
