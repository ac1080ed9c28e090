"""A client without a network: a registry answers its requests, as it would under a transport of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import CloseConnection, PlainRequest, Record, Registry, Response


@dataclass(frozen=True)
class Answer:
    """What the client got."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes


class MemoryClient:
    """Asks `registry`; a closed connection is a `ConnectionError`."""

    def __init__(self, registry: Registry[PlainRequest]) -> None:
        self.registry = registry

    async def request(
        self, method: str, url: str | URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        reply = await self.registry.answer(made_request(method, url, headers=headers, body=body))
        if isinstance(reply, CloseConnection):
            raise ConnectionError(reply.explanation)
        received = reply.body if isinstance(reply, Response) else b"".join([chunk async for chunk in reply.body])
        return Answer(reply.status, reply.reason, reply.headers, received)

    async def get(self, url: str | URL) -> Answer:
        return await self.request("GET", url)


def made_request(
    method: str, url: str | URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> PlainRequest:
    """Return a request as a transport makes one from what is on its wire."""
    return PlainRequest(method, URL(str(URL(url)), encoded=True), CIMultiDictProxy(CIMultiDict(headers or {})), body)


def choose(registry: Registry[PlainRequest], method: str, url: str | URL, **options) -> Record[PlainRequest]:
    """Have `registry` match and record a request, without a reply being made."""
    return registry.choose(made_request(method, url, **options))
