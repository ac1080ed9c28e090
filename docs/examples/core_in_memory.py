"""Core under your own client: the client has a transport with one method, and the test replaces it.

Needs aiointercept-core.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from yarl import URL

from aiointercept_core import CallbackResult, PlainRequest, Registry, Response

# ---- the code under test: a client with a replaceable transport ----


class Transport(Protocol):
    """Sends requests: over the network in production."""

    async def send(self, method: str, url: str, body: bytes | None) -> tuple[int, bytes]: ...


@dataclass
class Todo:
    """A client of a to-do service."""

    transport: Transport
    base: str = "https://todo.example/v1"
    known: dict[int, str] = field(default_factory=dict)

    async def add(self, text: str) -> int:
        status, body = await self.transport.send("POST", f"{self.base}/items", json.dumps({"text": text}).encode())
        if status != 201:
            raise RuntimeError(f"the service answered {status}")
        number: int = json.loads(body)["id"]
        self.known[number] = text
        return number


# ---- the test's transport: a few lines around a registry ----


class InMemory:
    """A transport that gets its replies from a registry."""

    def __init__(self, registry: Registry[PlainRequest]) -> None:
        self.registry = registry

    async def send(self, method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        reply = await self.registry.answer(PlainRequest(method, URL(url), body=body))
        if isinstance(reply, Response):
            return reply.status, reply.body
        raise ConnectionError(f"no reply: {reply}")


def make() -> tuple[Todo, Registry[PlainRequest]]:
    registry: Registry[PlainRequest] = Registry()
    return Todo(InMemory(registry)), registry


async def test_add() -> None:
    todo, registry = make()
    registry.post("https://todo.example/v1/items", status=201, payload={"id": 7})

    assert await todo.add("buy milk") == 7

    registry.assert_called_once_with("https://todo.example/v1/items", "POST", json={"text": "buy milk"})


async def test_ids_from_a_callback() -> None:
    todo, registry = make()

    def number_it(url: URL, *, json: Any, **kwargs: Any) -> CallbackResult:
        return CallbackResult(status=201, payload={"id": len(json["text"])})

    registry.post("https://todo.example/v1/items", callback=number_it, repeat=True)

    assert [await todo.add("a"), await todo.add("bb")] == [1, 2]
    assert todo.known == {1: "a", 2: "bb"}
    assert registry.call_count == 2
