"""Core under a custom transport: an httpx client whose requests a registry answers."""

import asyncio
import re

import httpx
import pytest
from yarl import URL

from aiointercept_core import CallbackResult, CloseConnection, PlainRequest, Registry, Response


class RegistryTransport(httpx.AsyncBaseTransport):
    """Answers an httpx client's requests from a registry."""

    def __init__(self, registry: Registry[PlainRequest]) -> None:
        self.registry = registry

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread() or None
        reply = await self.registry.answer(PlainRequest(request.method, URL(str(request.url)), request.headers, body))
        if isinstance(reply, CloseConnection):
            raise httpx.ReadError(reply.explanation or "the server closed the connection", request=request)
        extensions = {"reason_phrase": reply.reason.encode()} if reply.reason else {}
        headers = [*reply.headers.items()]
        if isinstance(reply, Response):
            content = b"" if request.method == "HEAD" else reply.body
            return httpx.Response(reply.status, headers=headers, content=content, extensions=extensions)
        return httpx.Response(reply.status, headers=headers, content=reply.body, extensions=extensions)


class WeatherClient:
    """Code under test that is given its transport and knows nothing of mocks."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def forecast(self, city: str) -> list[str]:
        async with httpx.AsyncClient(transport=self._transport, base_url="https://api.weather.test/v2/") as client:
            response = await client.get("forecast", params={"city": city, "days": 2})
            response.raise_for_status()
            return [day["summary"] for day in response.json()]


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def transport(registry):
    return RegistryTransport(registry)


def test_unmodified_code_under_test(registry, transport):
    registry.get(
        "https://api.weather.test/v2/forecast?city=Zürich&days=2", payload=[{"summary": "sun"}, {"summary": "snow"}]
    )
    assert asyncio.run(WeatherClient(transport).forecast("Zürich")) == ["sun", "snow"]
    registry.assert_called_once_with("https://api.weather.test/v2/forecast", params={"city": "Zürich", "days": 2})


async def test_a_response(registry, transport):
    registry.post("https://h.test/", status=201, reason="Made", headers={"X-A": "1"}, payload={"id": 7})
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.post("https://h.test", json={"n": 1}, headers={"X-B": "2"})
    assert (response.status_code, response.reason_phrase, response.json()) == (201, "Made", {"id": 7})
    assert (response.headers["X-A"], response.headers["Content-Type"]) == ("1", "application/json")
    registry.assert_called_once_with("https://h.test/", "POST", json={"n": 1}, headers={"X-B": "2"})


async def test_a_stream(registry, transport):
    async def chunks():
        yield b"one "
        yield b"two"

    registry.get("https://h.test/", body=chunks, repeat=True)
    async with httpx.AsyncClient(transport=transport) as client:
        async with client.stream("GET", "https://h.test/") as response:
            assert [chunk async for chunk in response.aiter_raw()] == [b"one ", b"two"]
        assert (await client.get("https://h.test/")).text == "one two"


async def test_a_closed_connection(registry, transport):
    registry.get("https://h.test/", exception=True)
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ReadError, match="closed the connection"):
            await client.get("https://h.test/")
        with pytest.raises(
            httpx.ReadError,
            match=r"no reply is left for GET https://h\.test/: it was registered for 1 call and answered 1",
        ):
            await client.get("https://h.test/")
        with pytest.raises(
            httpx.ReadError, match=r"nearest: GET https://h\.test/ \(differs in path; exhausted after 1 call\)"
        ):
            await client.get("https://h.test/other")
    assert registry.call_count == 3


async def test_a_callback(registry, transport):
    async def echo(url, *, headers, query, json, data, **future):
        return CallbackResult(payload={"url": str(url), "agent": headers["user-agent"], "query": query, "json": json})

    registry.add(re.compile(r"https://h\.test/echo\b"), "PUT", callback=echo)
    async with httpx.AsyncClient(transport=transport, headers={"User-Agent": "test"}) as client:
        response = await client.put("https://h.test/echo?a=1&a=2", json=[1])
    assert response.json() == {
        "url": "https://h.test/echo?a=1&a=2",
        "agent": "test",
        "query": {"a": ["1", "2"]},
        "json": [1],
    }


async def test_head_redirects_and_cookies(registry, transport):
    registry.head("https://h.test/", headers={"Content-Length": "1234"}, body="not sent")
    registry.get("https://h.test/old", status=302, headers={"Location": "/new", "Set-Cookie": "a=1"})
    registry.get("https://h.test/new", body="here")
    async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
        response = await client.head("https://h.test/")
        assert (response.content, response.headers["Content-Length"]) == (b"", "1234")
        assert (await client.get("https://h.test/old")).text == "here"
    registry.assert_called_with("https://h.test/new", headers={"Cookie": "a=1"})


async def test_forms_and_files(registry, transport):
    registry.post("https://h.test/", repeat=2)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.post("https://h.test/", data={"a": "1", "b": ["2", "3"]})
        registry.assert_called_with("https://h.test/", "POST", data={"a": 1, "b": [2, 3]})
        await client.post("https://h.test/", data={"a": "1"}, files={"f": ("name", b"content")})
        registry.assert_called_with("https://h.test/", "POST", data={"a": "1", "f": b"content"})


async def test_many_requests_at_once(registry, transport):
    registry.get("https://h.test/", repeat=60)
    async with httpx.AsyncClient(transport=transport) as client:
        results = await asyncio.gather(*(client.get("https://h.test/") for _ in range(100)), return_exceptions=True)
    assert sum(isinstance(result, httpx.Response) for result in results) == 60
    assert sum(isinstance(result, httpx.ReadError) for result in results) == 40
    assert registry.call_count == 100
