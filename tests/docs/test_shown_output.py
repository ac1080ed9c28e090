"""The output that the README shows is what a user sees."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from aiointercept import aiointercept

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
URL = "https://api.example.com/issues"


def test_a_failed_assertion():
    async def post():
        async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
            m.post(URL, status=201)
            await session.post(URL, json={"title": "Crash", "labels": ["bug"]})
        return m

    m = asyncio.run(post())
    with pytest.raises(AssertionError) as caught:
        m.assert_called_once_with(URL, "POST", json={"title": "Crash", "labels": ["bug", "urgent"]})

    shown = "\n".join([f"AssertionError: {caught.value}", *caught.value.__notes__])
    assert f"```text\n{shown}\n```" in README


def test_an_unmatched_request():
    async def get():
        async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
            m.get(f"{URL}?state=closed", payload=[])
            await session.get(f"{URL}?state=open")

    with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
        asyncio.run(get())

    assert f"```text\n{caught.value}\n```" in README
