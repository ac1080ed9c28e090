"""The server on core alone: its application, mounted in a runner of one's own, with a registry behind it."""

import asyncio

import aiohttp
from aiohttp import web

from aiointercept_core import Registry
from aiointercept_server import AiointerceptRequest, application


async def main() -> None:
    """Serve a registry on a free port and ask it once."""
    registry: Registry[AiointerceptRequest] = Registry()
    runner = web.AppRunner(application(registry.answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        url = f"http://{host}:{port}/users"
        registry.post(url, status=201, payload={"id": 1})
        async with aiohttp.ClientSession() as session, session.post(url, json={"name": "Ada"}) as response:
            assert response.status == 201
            assert await response.json() == {"id": 1}
        registry.assert_called_once_with(url, method="POST", json={"name": "Ada"})
    finally:
        await runner.cleanup()


asyncio.run(main())
