"""A client that was not written for mocks, its test, and what both of them see."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from yarl import URL

from aiointercept import CallbackResult, aiointercept


class WeatherClient:
    BASE = "https://api.weather.example/v2/"

    async def forecast(self, city: str) -> list[str]:
        async with aiohttp.ClientSession(self.BASE, headers={"Authorization": "Bearer secret"}) as session:
            response = await session.get("forecast", params={"city": city, "days": 2})
            return [day["summary"] for day in await response.json()]

    async def report(self, city: str, degrees: float) -> int:
        async with aiohttp.ClientSession(self.BASE) as session:
            response = await session.post("reports", json={"city": city, "degrees": degrees})
            return int((await response.json())["id"])


def accept_report(url: URL, *, json: Any, **kwargs: object) -> CallbackResult:
    return CallbackResult(status=201, payload={"id": 7, "city": json["city"]})


@aiointercept(mock_external_urls=True)
async def test_weather(m: aiointercept) -> None:
    forecast = f"{WeatherClient.BASE}forecast?city=Bern&days=2"
    reports = f"{WeatherClient.BASE}reports"
    m.get(forecast, payload=[{"summary": "sun"}, {"summary": "snow"}])
    m.post(reports, callback=accept_report)

    client = WeatherClient()
    show("forecast() returned", await client.forecast("Bern"))
    show("report() returned", await client.report("Bern", -1.5))

    m.assert_any_call(forecast, headers={"Authorization": "Bearer secret"})
    m.assert_called_with(reports, "POST", json={"city": "Bern", "degrees": -1.5})
    for (method, url), request in m.ordered_requests:
        show("the mock received", method, url, request.captured_body or "")


@aiointercept(mock_external_urls=True)
async def test_unmatched_request(m: aiointercept) -> None:
    m.get(f"{WeatherClient.BASE}forecast?city=Bern&days=2", payload=[])
    try:
        await WeatherClient().forecast("Basel")
    except aiohttp.ClientConnectionError as error:
        show("forecast() raised", type(error).__name__)
        show("its text is", error)


def show(what: str, *values: object) -> None:
    print(f"    {what + ':':<22}", *values)


def show_code(title: str, *functions: Callable[..., object]) -> None:
    print(f"\n{title}\n")
    code = "\n".join(inspect.getsource(inspect.unwrap(function)) for function in functions)
    print("".join(f"    | {line}".rstrip() + "\n" for line in code.splitlines()))


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> None:
    print("What the test prints:\n")
    asyncio.run(test())


def main() -> None:
    # The explanation of an unmatched request is logged as well; here the exception shows it.
    logging.getLogger("aiointercept").addHandler(logging.NullHandler())

    show_code("1. A client. Its https URLs are hard-coded, and it knows nothing of a mock:", WeatherClient)
    show_code("2. Its test:", accept_report, test_weather)
    run(test_weather)
    show_code("3. A mistake, made on purpose: a request for which nothing is registered:", test_unmatched_request)
    run(test_unmatched_request)
    print("\nThe demo succeeded: both tests passed, and no request left this machine.")


if __name__ == "__main__":
    main()
