"""The arguments of callbacks, their return values, and the context in which they run."""

import asyncio
import functools
import inspect
import json
import os
import unittest.mock

import pytest
from memory_client import MemoryClient
from yarl import URL

from aiointercept_core import CallbackResult, PlainRequest, Registry, request_details

HERE = "http://h.test/"


@pytest.fixture
def client():
    return MemoryClient(Registry())


async def test_the_arguments_of_a_callback(client):
    calls = []

    def callback(url, *, headers, query, json, data, **future):
        calls.append((url, dict(headers), query, json, data, future))
        return CallbackResult()

    client.registry.post("https://h.test/a?x=2&y=&x=1", callback=callback)
    await client.request("POST", "HTTPS://H.test/a?x=1&y=&x=2#top", headers={"X-A": "1"}, body=b'{"n": 1}')
    (url, headers, query, json, data, future), *more = calls
    assert not more
    assert type(url) is URL
    assert url == URL("https://h.test/a?x=1&y=&x=2#top")
    assert headers == {"X-A": "1"}
    assert query == {"x": ["1", "2"], "y": [""]}
    assert json == {"n": 1}
    assert data == b'{"n": 1}'
    assert {name: value for name, value in future.items() if name != "request"} == {
        "method": "POST",
        "form": None,
        "match": None,
    }


@pytest.mark.parametrize(
    ("body", "json"),
    [
        (None, None),
        (b"", None),
        (b"null", None),
        (b"[]", []),
        (b"0", 0),
        (b'"a"', "a"),
        ("{}".encode("utf-16"), {}),
        (b"{", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_body_as_json(body, json):
    details = request_details(PlainRequest("POST", URL(HERE), body=body))
    assert [details[name] for name in ("headers", "query", "json", "data")] == [{}, {}, json, body]


def sync(url, **kwargs):
    return CallbackResult(payload=kwargs["query"])


async def coroutine(url, **kwargs):
    await asyncio.sleep(0)
    return CallbackResult(payload=kwargs["query"])


def returns_awaitable(url, **kwargs):
    return coroutine(url, **kwargs)


class Callable:
    def __call__(self, url, **kwargs):
        return CallbackResult(payload=kwargs["query"])

    def method(self, url, **kwargs):
        return self(url, **kwargs)


class AsyncCallable:
    async def __call__(self, url, **kwargs):
        return CallbackResult(payload=kwargs["query"])


@pytest.mark.parametrize(
    "callback",
    [
        sync,
        coroutine,
        returns_awaitable,
        Callable(),
        Callable().method,
        AsyncCallable(),
        functools.partial(sync, extra=1),
        functools.partial(coroutine, extra=1),
        lambda url, **kwargs: CallbackResult(payload=kwargs["query"]),
    ],
)
async def test_kinds_of_callback(client, callback):
    client.registry.get(f"{HERE}?a=1", callback=callback, repeat=True)
    for _ in range(2):
        assert (await client.get(f"{HERE}?a=1")).body == b'{"a": ["1"]}'


def inject(function):
    """Call `function` with one more argument."""

    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, "injected", **kwargs)

    return inner


def inject_for_url(function):
    """Call `function` with the URL and one more argument only."""

    @functools.wraps(function)
    def inner(url):
        return function(url, "injected")

    return inner


def inject_method(function):
    """Call `function` with the method by position."""

    @functools.wraps(function)
    def inner(url, *, method):
        return function(url, method)

    return inner


def returned(url, extra, json="default"):
    return CallbackResult(payload=[str(extra), json])


@unittest.mock.patch("os.getcwd", return_value="patched")
def patched(url, getcwd, *, json):
    return CallbackResult(payload=[os.getcwd(), json])


@unittest.mock.patch("os.getcwd", return_value="patched")
async def patched_coroutine(url, getcwd, json):
    return CallbackResult(payload=[os.getcwd(), json])


@pytest.mark.parametrize(
    ("callback", "result"),
    [
        (inject(returned), ["injected", 1]),
        (inject_for_url(returned), ["injected", "default"]),
        (inject_method(returned), ["POST", "default"]),
        (functools.lru_cache(lambda url, extra="cached", *, json: returned(url, extra, json)), ["cached", 1]),
        (functools.partial(returned, extra="bound"), ["bound", 1]),
        (functools.partial(returned, extra="bound", json="bound"), ["bound", "bound"]),
        (functools.partial(lambda url, **options: returned(url, 0, options["json"]), json="bound"), ["0", "bound"]),
        (lambda url, extra="default", json="default": returned(url, extra, json), ["default", 1]),
        (patched, ["patched", 1]),
        (patched_coroutine, ["patched", 1]),
    ],
)
async def test_a_callback_gets_what_it_takes_itself(client, callback, result):
    client.registry.post(HERE, callback=callback)
    reply = await client.request("POST", HERE, body=b"1")
    assert json.loads(reply.body) == result


@pytest.mark.parametrize(
    ("callback", "name"),
    [
        (lambda request: CallbackResult(), "request"),
        (lambda headers, **rest: CallbackResult(), "headers"),
        (lambda json, /: CallbackResult(payload=json), "json"),
        (functools.partial(lambda extra, data: CallbackResult(), 1), "data"),
    ],
)
def test_a_first_parameter_with_the_name_of_a_keyword_argument_is_refused(client, callback, name):
    with pytest.raises(TypeError, match=rf"takes '{name}' as its first .* write def answer\(url, \*, {name}\)$"):
        client.registry.get(HERE, callback=callback)


class Unfit:
    def __call__(self, url, extra):
        return CallbackResult()


def unfit(url, extra, other):
    return CallbackResult()


@pytest.mark.parametrize(
    ("callback", "name"), [(functools.partial(functools.partial(unfit), other=1), "unfit"), (Unfit(), "Unfit")]
)
def test_a_partial_is_named_by_its_function_and_an_object_by_its_class(client, callback, name):
    with pytest.raises(TypeError, match=rf"^callback {name}\(\) needs the argument 'extra', which is not passed: "):
        client.registry.get(HERE, callback=callback)


async def test_the_result_of_a_callback_replaces_the_registered_reply(client):
    client.registry.get(HERE, status=404, body="registered", headers={"X-A": "1"}, callback=sync)
    answer = await client.get(HERE)
    assert (answer.status, answer.body) == (200, b"{}")
    assert "X-A" not in answer.headers


async def test_an_exception_closes_the_connection_and_the_callback_is_not_called(client):
    client.registry.get(HERE, exception=True, callback=sync)
    with pytest.raises(ConnectionError):
        await client.get(HERE)


def test_the_defaults_of_a_result():
    result = CallbackResult()
    assert (result.method, result.status, result.body, result.content_type) == ("GET", 200, "", "application/json")
    assert (result.payload, result.headers, result.response_class, result.reason) == (None, None, None, None)


async def test_fields_in_the_order_of_aioresponses(client):
    result = CallbackResult("POST", 201, "body", "text/plain", None, {"X-A": "1"}, object, "Made")
    client.registry.get(HERE, callback=lambda url, **kwargs: result)
    answer = await client.get(HERE)
    assert (answer.status, answer.body, answer.reason) == (201, b"body", "Made")
    assert dict(answer.headers) == {"X-A": "1", "Content-Type": "text/plain"}


async def test_none_in_a_result_is_the_default(client):
    result = CallbackResult(status=None, body=None, content_type=None, headers=None, reason=None)
    client.registry.get(HERE, callback=lambda url, **kwargs: result)
    answer = await client.get(HERE)
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"", "application/json")


def returning(value):
    def callback(url, **kwargs):
        return value

    return callback


def async_returning(value):
    async def callback(url, **kwargs):
        return value

    return callback


@pytest.mark.parametrize("made", [returning, async_returning])
@pytest.mark.parametrize("value", [None, "text", {"status": 200}, CallbackResult, (200, "text")])
async def test_a_callback_that_returns_another_type(client, made, value):
    client.registry.get(HERE, callback=made(value))
    with pytest.raises(TypeError) as caught:
        await client.get(HERE)
    assert str(caught.value) == (
        f"callback {made.__name__}.callback() must return a CallbackResult, got {value!r}; "
        "write return CallbackResult(payload=...)"
    )


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"status": 99}, ValueError, "status must be"),
        ({"status": True}, ValueError, "status must be"),
        ({"body": 5}, TypeError, "body must be"),
        ({"payload": object()}, TypeError, "payload must be"),
        ({"headers": ["X-A"]}, TypeError, "headers must be"),
        ({"headers": {"X-A": "1\r\n"}}, ValueError, "headers: the value of 'X-A'"),
        ({"content_type": b"text/plain"}, TypeError, "content_type must be"),
        ({"reason": "a\nb"}, ValueError, "reason must not"),
        ({"headers": {"X-A": "a\x01b"}}, ValueError, "headers: the value of 'X-A' must not contain control"),
        ({"reason": "a\x7fb"}, ValueError, "reason must not contain control"),
        ({"content_type": "text/plain\x1f"}, ValueError, "content_type must not contain control"),
        ({"headers": {"Set-Cookie": ["a=1", "b=2"]}}, TypeError, "pass a multidict for several headers of one name"),
    ],
)
async def test_a_result_that_cannot_be_sent(client, wrong, error, message):
    client.registry.get(HERE, callback=lambda url, **kwargs: CallbackResult(**wrong))
    with pytest.raises(error, match=message):
        await client.get(HERE)


@pytest.mark.parametrize("made", [lambda error: error, KeyError])
async def test_an_error_in_a_callback_is_raised_as_itself(client, made):
    error = made(ValueError("mine"))

    def fail(url, **kwargs):
        raise error

    async def fail_later(url, **kwargs):
        raise error

    one, other = client.registry.get(HERE, callback=fail), client.registry.get(HERE, callback=fail_later)
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            await client.get(HERE)
        assert caught.value is error
    assert (one.call_count, other.call_count) == (1, 1)
    assert client.registry.call_count == 2


async def test_callbacks_of_several_requests_run_at_the_same_time(client):
    barrier = asyncio.Barrier(3)

    async def wait(url, **kwargs):
        await barrier.wait()
        return CallbackResult(status=202)

    client.registry.get(HERE, callback=wait, repeat=3)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(client.get(HERE) for _ in range(3)))
    assert [answer.status for answer in answers] == [202] * 3


async def test_a_callback_may_register_and_read_requests(client):
    def grow(url, **kwargs):
        client.registry.get(HERE, body=str(client.registry.call_count))
        return CallbackResult(body="first")

    client.registry.get(HERE, callback=grow)
    assert [(await client.get(HERE)).body for _ in range(2)] == [b"first", b"1"]


async def test_the_reply_without_the_callback(client):
    route = client.registry.get(HERE, status=203, callback=sync)
    record = client.registry.match(PlainRequest("GET", URL(HERE)))
    assert (await client.registry.reply(record)).status == 200
    assert (await client.registry.reply(record, use_callback=False)).status == 203
    assert route.call_count == 1


async def test_the_reply_for_a_result(client):
    route = client.registry.get(HERE)
    request = PlainRequest("GET", URL(HERE))
    reply = await client.registry.reply_from(CallbackResult(status=299, body=lambda: "text"), request, route)
    assert (reply.status, reply.body) == (299, b"text")
    with pytest.raises(TypeError, match="must return a CallbackResult, got 5"):
        await client.registry.reply_from(5, request, route)


# The context in which users' functions run.


class RecordingContext:
    """Records the functions and bodies of one registration."""

    def __init__(self):
        self.used = []

    async def call(self, function, *args, **kwargs):
        self.used.append(function)
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def iterate(self, body):
        self.used.append(body)
        async for chunk in body:
            yield chunk.upper()


class Chunks:
    async def __aiter__(self):
        yield b"one "
        yield b"two"


@pytest.fixture
def contexts():
    return []


@pytest.fixture
def client_with_contexts(contexts):
    def make_context():
        contexts.append(RecordingContext())
        return contexts[-1]

    return MemoryClient(Registry(callback_context=make_context))


@pytest.mark.parametrize("callback", [sync, coroutine, AsyncCallable()])
async def test_a_callback_is_called_in_the_context_of_its_registration(client_with_contexts, contexts, callback):
    client = client_with_contexts
    client.registry.get(HERE, callback=callback, repeat=True)
    client.registry.post(HERE, callback=sync)
    for _ in range(2):
        assert (await client.get(HERE)).body == b"{}"
    first, second = contexts
    assert first.used == [callback, callback]
    assert second.used == []


@pytest.mark.parametrize("by_callback", [False, True])
@pytest.mark.parametrize("by_function", [False, True])
async def test_bodies_run_in_the_context_of_the_registration(client_with_contexts, contexts, by_callback, by_function):
    body = chunks = Chunks()
    if by_function:

        def body():
            return chunks

    def callback(url, **kwargs):
        return CallbackResult(body=body)

    client = client_with_contexts
    client.registry.get(HERE, **({"callback": callback} if by_callback else {"body": body}))
    assert (await client.get(HERE)).body == b"ONE TWO"
    (context,) = contexts
    assert context.used == [*[callback] * by_callback, *[body] * by_function, chunks]


async def test_texts_need_no_context(client_with_contexts, contexts):
    client_with_contexts.registry.get(HERE, body="text")
    assert (await client_with_contexts.get(HERE)).body == b"text"
    assert contexts == []


def test_a_refused_registration_makes_no_context(client_with_contexts, contexts):
    for options in ({"status": 99}, {"callback": 5}, {"repeat": -1}, {"url": "nonsense"}, {"unknown": 1}):
        with pytest.raises((TypeError, ValueError)):
            client_with_contexts.registry.add(**{"url": HERE, **options})
    assert contexts == []
