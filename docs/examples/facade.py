"""The facade: a client that knows nothing of tests, and its tests in the three forms.

Run it with pytest; each test also runs without a plugin: `asyncio.run(test_as_a_block())`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from yarl import URL

from aiointercept import CallbackResult, aiointercept

# ---- the code under test ----

REPOSITORY = "https://git.example/api/repos/me/app"


async def open_issues() -> list[str]:
    query = {"state": "open"}
    async with aiohttp.ClientSession() as session, session.get(f"{REPOSITORY}/issues", params=query) as response:
        response.raise_for_status()
        return [issue["title"] for issue in await response.json()]


async def report(title: str, token: str) -> int:
    headers, issue = {"Authorization": f"Bearer {token}"}, {"title": title}
    async with aiohttp.ClientSession() as session:
        response = await session.post(f"{REPOSITORY}/issues", headers=headers, json=issue)
        response.raise_for_status()
        return int((await response.json())["number"])


# ---- the tests ----


async def test_as_a_block() -> None:
    async with aiointercept(mock_external_urls=True) as m:
        m.get(f"{REPOSITORY}/issues?state=open", payload=[{"title": "Crash"}])

        assert await open_issues() == ["Crash"]

        m.assert_called_once_with(f"{REPOSITORY}/issues", params={"state": "open"})


@aiointercept(mock_external_urls=True)
async def test_as_a_decorator(m: aiointercept) -> None:
    def accept(url: URL, *, json: Any, headers: Mapping[str, str], **kwargs: object) -> CallbackResult:
        if headers.get("Authorization") != "Bearer secret":
            return CallbackResult(status=401)
        return CallbackResult(status=201, payload={"number": 7, "title": json["title"]})

    m.post(f"{REPOSITORY}/issues", callback=accept)

    assert await report("Crash", token="secret") == 7

    m.assert_called_once_with(f"{REPOSITORY}/issues", "POST", json={"title": "Crash"})


def test_in_sync_code() -> None:
    with aiointercept(mock_external_urls=True) as m:
        m.get(f"{REPOSITORY}/issues?state=open", status=503)

        with pytest.raises(aiohttp.ClientResponseError, match="503"):
            asyncio.run(open_issues())
