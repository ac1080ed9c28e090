"""Core under httpx: a transport that gets its replies from a registry, without a server, a socket or aiohttp.

Needs aiointercept-core and httpx.
"""

import httpx
import pytest
from yarl import URL

from aiointercept_core import CloseConnection, PlainRequest, Registry, Response, Stream


class RegistryTransport(httpx.AsyncBaseTransport):
    """An httpx transport whose replies come from a registry."""

    def __init__(self, registry: Registry[PlainRequest]) -> None:
        self.registry = registry

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        received = PlainRequest(request.method, URL(str(request.url)), request.headers, body or None)
        reply = await self.registry.answer(received)
        if isinstance(reply, Response):
            return httpx.Response(reply.status, headers=list(reply.headers.items()), content=reply.body)
        if isinstance(reply, Stream):
            return httpx.Response(reply.status, headers=list(reply.headers.items()), content=reply.body)
        explanation = reply.explanation if isinstance(reply, CloseConnection) else None
        raise httpx.RemoteProtocolError(explanation or "the connection was closed", request=request)


async def test_a_reply() -> None:
    registry: Registry[PlainRequest] = Registry()
    registry.get("https://api.example.com/users?page=1", payload=[{"id": 1}])

    async with httpx.AsyncClient(transport=RegistryTransport(registry)) as client:
        response = await client.get("https://api.example.com/users", params={"page": 1})

    assert response.json() == [{"id": 1}]
    registry.assert_called_once_with("https://api.example.com/users?page=1")


async def test_the_request() -> None:
    registry: Registry[PlainRequest] = Registry()
    registry.post("https://api.example.com/users", status=201)

    async with httpx.AsyncClient(transport=RegistryTransport(registry)) as client:
        await client.post("https://api.example.com/users", json={"name": "Ada"})

    registry.assert_called_once_with("https://api.example.com/users", "POST", json={"name": "Ada"})


async def test_an_unmatched_request() -> None:
    registry: Registry[PlainRequest] = Registry()
    registry.get("https://api.example.com/users", payload=[])

    async with httpx.AsyncClient(transport=RegistryTransport(registry)) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="differs in path"):
            await client.get("https://api.example.com/user")
