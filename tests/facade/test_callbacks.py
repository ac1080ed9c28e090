"""What a callback may be, what it is called with, and what it may return."""

import asyncio
import functools
import re
import threading
import urllib.request
from unittest.mock import AsyncMock, Mock

import pytest
from multidict import CIMultiDict
from support import fetch
from yarl import URL

from aiointercept import CallbackResult, aiointercept


def sync_callback(url, **kwargs):
    return CallbackResult(body="answered")


async def async_callback(url, **kwargs):
    await asyncio.sleep(0)
    return CallbackResult(body="answered")


def with_more(more, url, **kwargs):
    return CallbackResult(body=more)


async def async_with_more(more, url, **kwargs):
    return CallbackResult(body=more)


class SyncObject:
    def __call__(self, url, **kwargs):
        return CallbackResult(body="answered")

    def method(self, url, **kwargs):
        return CallbackResult(body="answered")

    async def async_method(self, url, **kwargs):
        return CallbackResult(body="answered")


class AsyncObject:
    async def __call__(self, url, **kwargs):
        return CallbackResult(body="answered")


def in_a_future(url, **kwargs):
    async def answer():
        return CallbackResult(body="answered")

    return answer()


CALLBACKS = {
    "sync": sync_callback,
    "async": async_callback,
    "lambda": lambda url, **kwargs: CallbackResult(body="answered"),
    "partial": functools.partial(with_more, "answered"),
    "async partial": functools.partial(async_with_more, "answered"),
    "partial of a partial": functools.partial(functools.partial(async_with_more, "answered")),
    "object": SyncObject(),
    "method": SyncObject().method,
    "async method": SyncObject().async_method,
    "object with async __call__": AsyncObject(),
    "partial of an object with async __call__": functools.partial(AsyncObject()),
    "returning an awaitable": in_a_future,
    "Mock": Mock(return_value=CallbackResult(body="answered")),
    "AsyncMock": AsyncMock(return_value=CallbackResult(body="answered")),
}


@pytest.mark.parametrize("callback", CALLBACKS.values(), ids=CALLBACKS)
async def test_kinds_of_callbacks(callback):
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=callback)
        assert (await fetch(m.server_url)).text == "answered"


async def test_a_callback_is_called_with_the_request():
    calls = []

    def callback(url, *, headers, query, json, data, **future):
        calls.append((url, headers, query, json, data))
        return CallbackResult()

    async with aiointercept() as m:
        m.add(re.compile(".*"), "PATCH", callback=callback)
        headers = CIMultiDict([("X-Tag", "1"), ("X-Tag", "2")])
        await fetch(f"{m.server_url}/a%2Fb?tag=b&tag=a", "PATCH", json={"n": [1]}, headers=headers)

        ((url, headers, query, json, data),) = calls
        assert isinstance(url, URL)
        assert str(url) == f"{m.server_url}/a%2Fb?tag=b&tag=a"
        assert headers.getall("x-tag") == ["1", "2"]
        assert query == {"tag": ["b", "a"]}
        assert json == {"n": [1]}
        assert data == b'{"n": [1]}'


@pytest.mark.parametrize(
    "url", ["https://api.example.com/x?a=1", "http://api.example.com/x?a=1", "https://api.example.com:8443/"]
)
async def test_the_url_is_the_requested_one_with_its_scheme(url):
    seen = []

    async def callback(url, **kwargs):
        seen.append(url)
        return CallbackResult()

    async with aiointercept(mock_external_urls=True) as m:
        m.get(url, callback=callback)
        await fetch(url)
        assert seen == [URL(url)]
        assert m.last_request.url == URL(url)


async def chunks():
    yield b"one "
    yield b"two"


class Chunks:
    def __aiter__(self):
        return chunks()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("grün", "grün".encode()),
        (b"\xff", b"\xff"),
        (chunks, b"one two"),
        (Chunks(), b"one two"),
        (lambda: "made", b"made"),
    ],
    ids=["str", "bytes", "generator function", "iterable", "function"],
)
async def test_a_result_may_be_returned_again_whatever_its_body(body, expected):
    result = CallbackResult(body=body)
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=lambda url, **kwargs: result, repeat=True)
        for _ in range(3):
            assert (await fetch(m.server_url)).body == expected
        assert result == CallbackResult(body=body)


async def test_a_result_may_carry_a_generator():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=lambda url, **kwargs: CallbackResult(body=chunks()), repeat=True)
        for _ in range(2):
            assert (await fetch(m.server_url)).body == b"one two"


async def test_the_fields_kept_for_aioresponses_have_no_effect():
    async with aiointercept() as m:
        result = CallbackResult(method="POST", response_class=object, body="answered")
        m.get(f"{m.server_url}/", callback=lambda url, **kwargs: result)
        assert (await fetch(m.server_url)).text == "answered"


async def test_a_callback_may_use_the_mock():
    async with aiointercept() as m:

        def log_in(url, *, json, **kwargs):
            m.get(f"{m.server_url}/me", payload=json, repeat=True)
            return CallbackResult(status=201, payload=m.call_count)

        m.post(f"{m.server_url}/login", callback=log_in)
        reply = await fetch(f"{m.server_url}/login", "POST", json={"user": "ann"})
        assert (reply.status, reply.json) == (201, 1)
        assert (await fetch(f"{m.server_url}/me")).json == {"user": "ann"}


async def test_a_sync_callback_may_itself_ask_the_mock():
    async with aiointercept() as m:

        def callback(url, **kwargs):
            with urllib.request.urlopen(f"{m.server_url}/inner") as response:
                return CallbackResult(body=response.read())

        m.get(f"{m.server_url}/outer", callback=callback)
        m.get(f"{m.server_url}/inner", body="inner")
        assert (await fetch(f"{m.server_url}/outer")).text == "inner"


async def test_an_async_callback_may_itself_ask_the_mock():
    async with aiointercept() as m:

        async def callback(url, **kwargs):
            return CallbackResult(body=(await fetch(f"{m.server_url}/inner")).body)

        m.get(f"{m.server_url}/outer", callback=callback)
        m.get(f"{m.server_url}/inner", callback=async_callback)
        assert (await fetch(f"{m.server_url}/outer")).text == "answered"


async def test_a_thread_that_cannot_be_started_is_started_by_the_next_callback(monkeypatch):
    original = threading.Thread.start
    failures = [RuntimeError("can't start new thread")]

    def start(thread):
        if thread.name.startswith("aiointercept-callbacks") and failures:
            raise failures.pop()
        return original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", callback=lambda url, **kwargs: CallbackResult(body="called"), repeat=True)
        answer = await fetch(m.server_url)
        assert answer.status == 500
        assert "RuntimeError: can't start new thread" in answer.text
        assert (await fetch(m.server_url)).text == "called"
        with pytest.raises(RuntimeError, match="can't start new thread"):
            m.check()
