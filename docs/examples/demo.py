"""A client that was not written for mocks, called with its remote API intercepted."""

import asyncio

import aiohttp

from aiointercept import CallbackResult, aiointercept


class WeatherClient:
    """A small API client: its https URLs are hard-coded, and it makes its own session."""

    BASE = "https://api.weather.example/v2/"

    async def forecast(self, city: str) -> list[str]:
        async with aiohttp.ClientSession(self.BASE, headers={"Authorization": "Bearer secret"}) as session:
            response = await session.get("forecast", params={"city": city, "days": 2})
            response.raise_for_status()
            return [day["summary"] for day in await response.json()]

    async def report(self, city: str, degrees: float) -> int:
        async with aiohttp.ClientSession(self.BASE) as session:
            response = await session.post("reports", json={"city": city, "degrees": degrees})
            return (await response.json())["id"]


def accept_report(url, *, json, **kwargs):
    return CallbackResult(status=201, payload={"id": 7, "echo": json})


async def main() -> None:
    client = WeatherClient()
    async with aiointercept(mock_external_urls=True) as m:
        m.get(
            "https://api.weather.example/v2/forecast?city=Bern&days=2",
            payload=[{"summary": "sun"}, {"summary": "snow"}],
        )
        m.post(f"{client.BASE}reports", callback=accept_report)

        print("the client got: ", await client.forecast("Bern"))
        print("the client got: ", await client.report("Bern", -1.5))
        try:
            await client.forecast("Basel")
        except aiohttp.ClientConnectionError as error:
            print("the client got: ", type(error).__name__, "-", error)

        for (method, url), request in m.ordered_requests:
            print("the server received: ", method, url)
            print("    headers: ", dict(request.headers))
            print("    body: ", request.captured_body)
        m.assert_called_with(f"{client.BASE}reports", "POST", json={"city": "Bern", "degrees": -1.5})


if __name__ == "__main__":
    asyncio.run(main())
