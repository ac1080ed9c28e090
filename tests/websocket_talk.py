"""A mock with a WebSocket, and a client that talks to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession
from yarl import URL

from aiointercept import ServerWebSocket, aiointercept

WSS = "wss://api.example.com/socket"
HTTPS = "https://api.example.com/socket"


async def echo(ws: ServerWebSocket) -> None:
    async for message in ws:
        await ws.send_str(message.data.upper())


@asynccontextmanager
async def mocked(**options) -> AsyncIterator[tuple[aiointercept, ClientSession]]:
    """Yield a mock that clients are redirected to, and a client."""
    async with asyncio.timeout(20), ClientSession() as session, aiointercept(mock_external_urls=True, **options) as m:
        yield m, session


async def say(session: ClientSession, text: str, url: str | URL = WSS, **options) -> str:
    """Say one thing over a WebSocket and return what comes back."""
    async with session.ws_connect(url, **options) as client:
        await client.send_str(text)
        return await client.receive_str(timeout=5)
