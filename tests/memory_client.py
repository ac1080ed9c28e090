"""A client without a network: a registry answers its requests, as under any other transport."""

from collections.abc import Mapping
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import PlainRequest, Record, Registry, RegistryRules, Response, Stream

# The rules under which the compatibility package runs a registry.
AIORESPONSES_RULES = RegistryRules(exact_urls_first=False, allow_unreachable=True, drop_contradicting_headers=True)


@dataclass(frozen=True)
class Answer:
    """The response that the client received."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes


class MemoryClient:
    """A client whose requests are answered by `registry`; a closed connection is a `ConnectionError`."""

    def __init__(self, registry: Registry[PlainRequest]) -> None:
        self.registry = registry

    async def request(
        self, method: str, url: str | URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        reply = await self.registry.answer(make_request(method, url, headers=headers, body=body))
        if isinstance(reply, Response):
            return Answer(reply.status, reply.reason, reply.headers, reply.body)
        if isinstance(reply, Stream):
            received = b"".join([chunk async for chunk in reply.body])
            return Answer(reply.status, reply.reason, reply.headers, received)
        raise ConnectionError(reply.explanation)

    async def get(self, url: str | URL) -> Answer:
        return await self.request("GET", url)


def make_request(
    method: str, url: str | URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> PlainRequest:
    """Return a request as a transport creates it from received bytes."""
    return PlainRequest(method, URL(str(URL(url)), encoded=True), CIMultiDictProxy(CIMultiDict(headers or {})), body)


def match(registry: Registry[PlainRequest], method: str, url: str | URL, **options) -> Record[PlainRequest]:
    """Match and record a request, without making the reply."""
    return registry.match(make_request(method, url, **options))
