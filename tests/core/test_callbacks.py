"""How a callback is called, and what it may return."""

import asyncio
import functools

import pytest
from memory_client import MemoryClient
from yarl import URL

from aiointercept_core import CallbackResult, PlainRequest, Registry, request_details

HERE = "http://h.test/"


@pytest.fixture
def client():
    return MemoryClient(Registry())


async def test_what_a_callback_gets(client):
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
    assert future == {}


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
    assert details == {"headers": {}, "query": {}, "json": json, "data": body}


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


async def test_a_callback_decides_instead_of_what_is_registered(client):
    client.registry.get(HERE, status=404, body="registered", headers={"X-A": "1"}, callback=sync)
    answer = await client.get(HERE)
    assert (answer.status, answer.body) == (200, b"{}")
    assert "X-A" not in answer.headers


async def test_an_exception_closes_the_connection_without_a_call(client):
    client.registry.get(HERE, exception=True, callback=sync)
    with pytest.raises(ConnectionError):
        await client.get(HERE)


def test_what_a_callback_returns_by_default():
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


def gives_nonsense(value):
    def nonsense(url, **kwargs):
        return value

    return nonsense


def gives_nonsense_later(value):
    async def nonsense(url, **kwargs):
        return value

    return nonsense


@pytest.mark.parametrize("made", [gives_nonsense, gives_nonsense_later])
@pytest.mark.parametrize("value", [None, "text", {"status": 200}, CallbackResult, (200, "text")])
async def test_a_callback_that_returns_something_else(client, made, value):
    client.registry.get(HERE, callback=made(value))
    with pytest.raises(TypeError) as caught:
        await client.get(HERE)
    assert str(caught.value).startswith("callback <function gives_nonsense")
    assert str(caught.value).endswith(f"expected it to return a CallbackResult, got {value!r}")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"status": 99}, ValueError, "status: expected"),
        ({"status": True}, ValueError, "status: expected"),
        ({"body": 5}, TypeError, "body: expected"),
        ({"payload": object()}, TypeError, "payload: expected"),
        ({"headers": ["X-A"]}, TypeError, "headers: expected"),
        ({"headers": {"X-A": "1\r\n"}}, ValueError, "headers: the value of 'X-A'"),
        ({"content_type": b"text/plain"}, TypeError, "content_type: expected"),
        ({"reason": "a\nb"}, ValueError, "reason may not"),
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
    everybody = asyncio.Barrier(3)

    async def wait(url, **kwargs):
        await everybody.wait()
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


async def test_a_reply_by_what_is_registered_whatever_the_callback_says(client):
    one = client.registry.get(HERE, status=203, callback=sync)
    reply = await one.registered_reply()
    assert reply.status == 203
    reply = await one.reply_from(CallbackResult(status=299), PlainRequest("GET", URL(HERE)))
    assert reply.status == 299
