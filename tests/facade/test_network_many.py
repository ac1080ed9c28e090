"""Many requests at once through one mock of external URLs."""

import asyncio
import resource

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector

from aiointercept import aiointercept


async def ask_for_all(session: ClientSession, count: int) -> None:
    async with aiointercept(mock_external_urls=True) as m:
        for number in range(count):
            m.post(f"https://api{number % 7}.example/{number}", payload={"number": number})

        async def ask(number: int) -> bool:
            url = f"https://api{number % 7}.example/{number}"
            async with session.post(url, json={"asked": number}) as response:
                return await response.json() == {"number": number}

        assert all(await asyncio.gather(*(ask(number) for number in range(count))))
        assert m.call_count == count
        asked = {(url.path, request.kwargs["json"]["asked"]) for (_, url), request in m.ordered_requests}
        assert asked == {(f"/{number}", number) for number in range(count)}


@pytest.mark.parametrize("count", [250, pytest.param(1000, marks=pytest.mark.long)])
async def test_many_through_one_pool(count):
    async with ClientSession() as session:
        await ask_for_all(session, count)


@pytest.mark.long
async def test_a_thousand_each_on_a_connection_of_its_own():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    try:
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            await ask_for_all(session, 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
async def test_a_thousand_unmatched_requests():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:

        async def ask(number: int) -> str:
            with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
                await session.get(f"https://nobody.example/{number}")
            return str(caught.value)

        texts = await asyncio.gather(*(ask(number) for number in range(1000)))
        assert all(f"GET https://nobody.example/{number}:" in text for number, text in enumerate(texts))
        assert m.call_count == 1000
