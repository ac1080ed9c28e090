"""What tests share: a local server that stands in for the real network, and raw HTTP over a socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy
from yarl import URL


@dataclass
class RealServer:
    """A server on loopback, reached as `url`; `hits` are the requests that reached it."""

    port: int = 0
    hits: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


class Names(AbstractResolver):
    """A resolver for which every name but those of `unknown` is this machine; `asked` are the names it was asked."""

    def __init__(self, unknown: Collection[str] = (), address: str = "127.0.0.1") -> None:
        self.asked: list[str] = []
        self._unknown = unknown
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host in self._unknown:
            raise OSError(None, f"{host} does not exist")
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=self._address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def real_server(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] | None = None,
    host: str = "127.0.0.1",
    ssl: SSLContext | None = None,
    **options,
) -> AsyncIterator[RealServer]:
    """Run a server on loopback whose default reply is `real METHOD PATH`."""
    server = RealServer()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        server.hits.append((request.method, request.path_qs))
        if handler is not None:
            return await handler(request)
        return web.Response(text=f"real {request.method} {request.path_qs}")

    runner = web.ServerRunner(web.Server(serve, access_log=None, **options), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=ssl)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


async def raw_exchange(port: int, data: bytes, host: str = "127.0.0.1", timeout: float = 5.0) -> bytes:
    """Send `data` over a connection of its own and return all that comes back until it is closed."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(timeout):
            return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@dataclass(frozen=True)
class Fetched:
    """A response that was read to its end."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes
    url: URL

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def fetch(url: str | URL, method: str = "GET", **options) -> Fetched:
    """Ask for `url` with a session of its own."""
    async with ClientSession() as session, session.request(method, url, **options) as response:
        return Fetched(response.status, response.reason, response.headers, await response.read(), response.url)
