"""Core alone: the registry answers a request that no HTTP library has made."""

import asyncio

from yarl import URL

from aiointercept_core import PlainRequest, Registry, Response


async def main() -> None:
    """Register an answer, ask for it and assert on what was asked."""
    registry: Registry[PlainRequest] = Registry()
    registry.get("https://api.example.com/users?page=1", payload=[{"id": 1}])
    reply = await registry.answer(PlainRequest("GET", URL("https://api.example.com/users?page=1")))
    assert isinstance(reply, Response)
    assert (reply.status, reply.body) == (200, b'[{"id": 1}]')
    registry.assert_called_once_with("https://api.example.com/users?page=1")


asyncio.run(main())
