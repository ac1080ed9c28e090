"""The facade: a client with its URL hard-coded gets the answer that was registered."""

import asyncio

import aiohttp

from aiointercept import aiointercept


async def client() -> dict[str, str]:
    """Return what the remote API says."""
    async with aiohttp.ClientSession() as session, session.get("https://api.example.com/greeting?to=you") as response:
        assert str(response.url) == "https://api.example.com/greeting?to=you"
        greeting: dict[str, str] = await response.json()
        return greeting


async def main() -> None:
    """Intercept the client's API, and a request at the mock's own address."""
    async with aiointercept(mock_external_urls=True) as mock:
        mock.get("https://api.example.com/greeting?to=you", payload={"hello": "you"})
        assert await client() == {"hello": "you"}
        mock.assert_called_once_with("https://api.example.com/greeting", params={"to": "you"})
    async with aiointercept() as mock, aiohttp.ClientSession(base_url=mock.server_url) as session:
        mock.post(f"{mock.server_url}/orders", status=201)
        async with session.post("/orders", json={"item": 7}) as response:
            assert response.status == 201
        mock.assert_called_once_with(f"{mock.server_url}/orders", method="POST", json={"item": 7})


asyncio.run(main())
