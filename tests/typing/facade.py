"""How the facade is used, as a type checker sees it: what is right has its type, what is wrong is an error."""

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Awaitable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Any, assert_type
from unittest.mock import ANY

from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from aiointercept import AiointerceptRequest, CallbackResult, Fault, Route, aiointercept


async def body() -> AsyncIterator[bytes]:
    yield b"chunk"


async def takes_json(url: URL, *, json: Any) -> CallbackResult:
    return CallbackResult(payload=json)


def takes_all(url: URL, **kwargs: Any) -> CallbackResult:
    return CallbackResult(payload=sorted(kwargs))


def returns_a_dict(url: URL) -> dict[str, int]:
    return {}


def sync_callback(url: URL, **kwargs: Any) -> CallbackResult:
    return CallbackResult(status=201, payload={"url": str(url)}, headers=CIMultiDict({"X-A": "1"}))


async def async_callback(url: URL, *, json: Any, **kwargs: Any) -> CallbackResult:
    return CallbackResult(body=body)


async def life_cycle() -> None:
    async with aiointercept() as m:
        assert_type(m, aiointercept)
        assert_type(m.server_url, str)
        assert_type(m.server_host, str)
        assert_type(m.server_port, int)
    with aiointercept(True, ["api.example.com"], True, None, raise_callback_errors=False) as m:
        assert_type(m, aiointercept)
    m = aiointercept(mock_external_urls=True, passthrough=("a", "b"), passthrough_unmatched=True, param="m")
    assert_type(await m.start(), aiointercept)
    await m.stop()
    m.start()
    m.stop()
    m.clear()

    aiointercept(mock_external=True)  # type: ignore[call-arg]
    aiointercept(passthrough=3)  # type: ignore[arg-type]
    aiointercept(False, None, False, None, False)  # type: ignore[call-arg]


def failing(m: aiointercept) -> None:
    url = "https://api.example.com/"
    assert_type(m.get(url, fault=Fault.RESET), Route[AiointerceptRequest])
    m.add(url, "POST", fault=TimeoutError("mine"), delay=0.2, repeat=True)
    m.post(url, fault=KeyboardInterrupt, delay=1)
    m.get(url, fault=Fault.TRUNCATED, payload={"a": 1}, status=201, headers={"X-A": "1"})

    m.get(url, fault="reset")  # type: ignore[arg-type]
    m.get(url, fault=True)  # type: ignore[arg-type]
    m.get(url, fault=int)  # type: ignore[arg-type]
    m.get(url, delay="1")  # type: ignore[arg-type]


def registering(m: aiointercept) -> None:
    assert_type(m.add("https://api.example.com/"), Route[AiointerceptRequest])
    assert_type(m.get("https://api.example.com/").call_count, int)
    m.add(
        URL("https://api.example.com/"), "post", 201, b"", None, None, {"X-A": "1"}, 3, "text/plain", None, "Made", None
    )
    m.add(re.compile("https://"), method="PURGE", status=HTTPStatus.CREATED, payload=[1], repeat=True)
    for shortcut in (m.get, m.post, m.put, m.patch, m.delete, m.head, m.options):
        assert_type(shortcut("https://api.example.com/", status=204, headers=CIMultiDict()), Route[AiointerceptRequest])
    m.get("https://api.example.com/", body="text", reason="Fine", content_type="text/plain", json={"a": 1})
    m.get("https://api.example.com/", body=body)
    m.get("https://api.example.com/", body=body())
    m.get("https://api.example.com/", body=lambda: "text")
    m.get("https://api.example.com/", callback=sync_callback)
    m.get("https://api.example.com/", callback=async_callback)
    m.get("https://api.example.com/", callback=lambda url: CallbackResult())
    m.get("https://api.example.com/", callback=takes_json)
    m.get("https://api.example.com/", callback=takes_all)
    m.get("https://api.example.com/", callback=functools.partial(takes_all, status=404))
    m.get("https://api.example.com/", exception=True)
    m.get("https://api.example.com/", exception=TimeoutError)
    m.get("https://api.example.com/", exception=TimeoutError("late"))
    m.get("https://api.example.com/", status=None, body=None, headers=None, exception=None)

    m.add("https://api.example.com/", stauts=404)  # type: ignore[arg-type]
    m.get("https://api.example.com/", stauts=404)  # type: ignore[call-arg]
    m.get("https://api.example.com/", method="POST")  # type: ignore[call-arg]
    m.add(b"https://api.example.com/")  # type: ignore[arg-type]
    m.add("https://api.example.com/", status="200")  # type: ignore[arg-type]
    m.add("https://api.example.com/", body={"a": 1})  # type: ignore[arg-type]
    m.get("https://api.example.com/", body=["a"])  # type: ignore[arg-type]
    m.get("https://api.example.com/", headers=[("X-A", "1")])  # type: ignore[arg-type]
    m.get("https://api.example.com/", headers={"X-A": 1})  # type: ignore[dict-item]
    m.get("https://api.example.com/", repeat="2")  # type: ignore[arg-type]
    m.get("https://api.example.com/", callback="name")  # type: ignore[arg-type]
    m.get("https://api.example.com/", callback=lambda url: {})  # type: ignore[arg-type, return-value]
    m.add("https://api.example.com/", callback=lambda url: None)  # type: ignore[arg-type, return-value]
    m.get("https://api.example.com/", callback=returns_a_dict)  # type: ignore[arg-type]
    m.get("https://api.example.com/", exception="broken")  # type: ignore[arg-type]
    m.get()  # type: ignore[call-arg]


def results() -> None:
    assert_type(CallbackResult(), CallbackResult)
    CallbackResult("GET", 200, b"", "text/plain", None, {"X-A": "1"}, web.Response, "Fine")
    CallbackResult(state=200)  # type: ignore[call-arg]
    CallbackResult(status="200")  # type: ignore[arg-type]


async def inspecting(m: aiointercept) -> None:
    assert_type(m.requests["GET", URL("https://api.example.com/")], list[AiointerceptRequest])
    assert_type(m.requests["GET", "https://api.example.com/"], list[AiointerceptRequest])
    assert_type(m.ordered_requests, list[tuple[tuple[str, URL], AiointerceptRequest]])
    # There may be none, but a test that uses it without a question is right.
    assert_type(m.last_request, AiointerceptRequest | Any)
    assert_type(m.call_count, int)
    for _, request in m.ordered_requests:
        assert_type(request.captured_body, bytes | None)
        assert_type(request.kwargs, dict[str, Any])
        assert_type(request.canonical_url, URL)
        assert_type(request.complete, bool)
        assert_type(await request.text(), str)
        as_aiohttps: web.Request = request
        print(as_aiohttps.method)
    m.assert_called()
    m.assert_not_called()
    m.assert_called_once()
    m.assert_any_call("https://api.example.com/", "POST", params={"page": 1})
    m.assert_called_with(URL("https://api.example.com/"), "POST", data=b"", json=ANY, headers={"X-A": ANY})
    m.assert_called_once_with("https://api.example.com/", strict_headers=True, headers={})
    m.assert_called_with()  # type: ignore[call-arg]
    m.assert_called_with("https://api.example.com/", body=b"")  # type: ignore[call-arg]


@aiointercept()
async def decorated(tmp_path: Path, m: aiointercept) -> int:
    return m.server_port


@aiointercept(mock_external_urls=True, param="m")
def decorated_sync(value: int, *, m: aiointercept) -> str:
    return m.server_url


@aiointercept()
class TestDecorated:
    async def test_it(self, m: aiointercept) -> None:
        m.get("https://api.example.com/")


async def a_decorated_function_keeps_its_type(m: aiointercept) -> None:
    assert_type(await decorated(Path(), m), int)
    assert_type(decorated_sync(1, m=m), str)
    TestDecorated()


class Prefixed(aiointercept):
    """A subclass that overrides what it may."""

    async def __aenter__(self) -> "Prefixed":
        await super().__aenter__()
        return self


def awaitables(m: aiointercept) -> Awaitable[None]:
    asyncio.run(life_cycle())
    assert_type(asyncio.run(m.start()), aiointercept)
    asyncio.run(m.stop())
    # In sync code both may be left alone.
    m.start()
    m.stop()
    return m.stop()


def coroutines(m: aiointercept) -> tuple[Coroutine[Any, Any, aiointercept], Coroutine[Any, Any, None]]:
    return m.start(), m.stop()
