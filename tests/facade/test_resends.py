"""One call by the user is one recorded request and one reply, although aiohttp resends what was disconnected."""

import asyncio
import re
from contextlib import asynccontextmanager

import aiohttp
import pytest

from aiointercept import aiointercept

RESENT = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]
METHODS = pytest.mark.parametrize("method", [*RESENT, "POST", "PATCH"])
MODES = pytest.mark.parametrize("external", [False, True], ids=["server_url", "external"])
WARM = pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])


@asynccontextmanager
async def scene(external, warm):
    """A mock, a session with or without a connection to it, and a URL."""
    async with aiointercept(external) as m, aiohttp.ClientSession() as session:
        base = "https://api.example.com" if external else m.server_url
        if warm:
            m.get(f"{base}/warm")
            async with session.get(f"{base}/warm") as response:
                await response.read()
            m.clear()
        yield m, session, f"{base}/x"


async def status_of(session, method, url):
    async with session.request(method, url) as response:
        await response.read()
        return response.status


@MODES
@WARM
@METHODS
async def test_a_closed_connection_costs_one_reply_and_is_one_request(external, warm, method):
    async with scene(external, warm) as (m, session, url):
        closing = m.add(url, method, exception=True)
        answering = m.add(url, method, status=200)

        with pytest.raises(aiohttp.ServerDisconnectedError):
            await status_of(session, method, url)
        assert (closing.call_count, answering.call_count, m.call_count) == (1, 0, 1)

        assert await status_of(session, method, url) == 200
        assert (closing.call_count, answering.call_count, m.call_count) == (1, 1, 2)


@MODES
@WARM
@METHODS
async def test_an_unmatched_request_is_recorded_once(external, warm, method):
    async with scene(external, warm) as (m, session, url):
        for count in (1, 2):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await status_of(session, method, url)
            assert m.call_count == count


@MODES
@WARM
async def test_the_callers_own_retry_right_after_is_a_request_of_its_own(external, warm):
    async with scene(external, warm) as (m, session, url):
        for _ in range(3):
            m.get(url, exception=True)
        m.get(url, status=202)

        for attempt in range(4):
            try:
                status = await status_of(session, "GET", url)
                break
            except aiohttp.ClientConnectionError:
                assert m.call_count == attempt + 1
        assert (attempt, status, m.call_count) == (3, 202, 4)


@MODES
async def test_a_pattern_is_used_up_once_per_call(external):
    async with scene(external, warm=False) as (m, session, url):
        closing = m.get(re.compile(re.escape(url)), exception=True, repeat=3)
        for count in (1, 2, 3):
            with pytest.raises(aiohttp.ClientConnectionError):
                await status_of(session, "GET", url)
            assert (closing.call_count, m.call_count) == (count, count)


@MODES
async def test_many_calls_at_once_each_get_their_reply(external):
    async with scene(external, warm=False) as (m, session, url):
        registered = m.get(url, repeat=100)
        outcomes = await asyncio.gather(*(status_of(session, "GET", url) for _ in range(200)), return_exceptions=True)
        assert outcomes.count(200) == 100
        assert sum(isinstance(outcome, aiohttp.ClientConnectionError) for outcome in outcomes) == 100
        assert registered.call_count == 100
        if external:
            assert m.call_count == 200


async def test_calls_to_server_url_are_told_exactly_where_external_urls_are_mocked():
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        registered = m.get(f"{m.server_url}/x", repeat=100)
        outcomes = await asyncio.gather(
            *(status_of(session, "GET", f"{m.server_url}/x") for _ in range(200)), return_exceptions=True
        )
        assert outcomes.count(200) == registered.call_count == 100
        assert m.call_count == 200


@MODES
async def test_a_redirect_to_the_same_url_is_a_new_request(external):
    async with scene(external, warm=False) as (m, session, url):
        m.get(url, status=302, headers={"Location": url})
        m.get(url, status=200)
        assert await status_of(session, "GET", url) == 200
        assert m.call_count == 2


@MODES
async def test_a_redirect_to_a_url_whose_connection_is_closed_is_one_request(external):
    async with scene(external, warm=False) as (m, session, url):
        m.get(url, status=302, headers={"Location": f"{url}/next"})
        m.get(f"{url}/next", exception=True)
        m.get(f"{url}/next", status=200)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await status_of(session, "GET", url)
        assert m.call_count == 2


@MODES
async def test_sequential_calls_are_told_exactly(external):
    """Closed, answered and unmatched ones in turn, on connections that are kept and new ones."""
    async with scene(external, warm=False) as (m, session, url):
        for n in range(30):
            kind = ("answered", "closed", "unmatched")[(n * 7 // 3) % 3]
            target = f"{url}/{n % 2}"
            if kind == "answered":
                m.get(target, status=200)
            elif kind == "closed":
                m.get(target, exception=True)
            try:
                assert (await status_of(session, "GET", target), kind) == (200, "answered")
            except aiohttp.ClientConnectionError:
                assert kind != "answered"
            assert m.call_count == n + 1


async def test_a_client_that_does_not_look_like_aiohttp_is_never_taken_for_a_resend():
    async with scene(False, warm=False) as (m, session, url):
        session.headers["User-Agent"] = "another"
        session.headers["Connection"] = "keep-alive"
        closing = m.get(url, exception=True)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await status_of(session, "GET", url)
        # aiohttp did resend, and nothing said so.
        assert (closing.call_count, m.call_count) == (1, 2)


@MODES
async def test_a_session_that_does_not_resend_gets_its_error_too(external):
    async with scene(external, warm=False) as (m, session, url):
        session._retry_connection = False
        closing = m.get(url, exception=True)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await status_of(session, "GET", url)
        assert (closing.call_count, m.call_count) == (1, 1)
