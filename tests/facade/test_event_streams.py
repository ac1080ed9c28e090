"""Streams of events as bodies: each event arrives by itself, and what makes them runs where callbacks run."""

import asyncio
import threading

import aiohttp
import pytest
from support import fetch

from aiointercept import aiointercept
from aiointercept_core import ServerSentEvent, sse_stream


async def test_each_event_is_a_chunk_and_arrives_by_itself():
    go_on = asyncio.Event()

    async def events():
        yield {"delta": "Hel"}
        await go_on.wait()
        yield ServerSentEvent("[DONE]", id="2")

    async with aiointercept() as m, aiohttp.ClientSession() as session:
        m.post(f"{m.server_url}/", body=sse_stream(events), content_type="text/event-stream", repeat=True)
        for _ in range(2):
            async with session.post(m.server_url) as response:
                assert response.content_type == "text/event-stream"
                assert await response.content.readchunk() == (b'data: {"delta": "Hel"}\n\n', True)
                go_on.set()
                assert await response.content.readchunk() == (b"id: 2\ndata: [DONE]\n\n", True)


async def test_a_list_is_sent_while_the_loop_of_the_test_is_blocked():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", body=sse_stream(["a", "b"]))
        bodies = []
        thread = threading.Thread(target=lambda: bodies.append(asyncio.run(fetch(m.server_url)).text))
        thread.start()
        thread.join(5)
        assert bodies == ["data: a\n\ndata: b\n\n"]


def test_a_plain_generator_that_blocks_does_not_delay_other_requests():
    release = threading.Event()
    threads = set()

    def events():
        threads.add(threading.current_thread().name)
        yield "a"
        release.wait(5)
        yield "b"

    async def talk(url):
        async with aiohttp.ClientSession() as session, session.get(f"{url}/events") as response:
            assert await response.content.readchunk() == (b"data: a\n\n", True)
            assert (await fetch(f"{url}/other")).text == "other"
            release.set()
            assert await response.content.read() == b"data: b\n\n"

    with aiointercept() as m:
        m.get(f"{m.server_url}/events", body=sse_stream(events()))
        m.get(f"{m.server_url}/other", body="other")
        asyncio.run(talk(m.server_url))
    assert threads == {"aiointercept-callbacks"}


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_error_in_a_generator_is_raised_at_the_end(is_async):
    def events():
        yield "a"
        raise LookupError("the reason")

    async def async_events():
        for event in events():
            yield event

    async def ask():
        async with aiointercept() as m:
            m.get(f"{m.server_url}/", body=sse_stream(async_events if is_async else events))
            with pytest.raises(aiohttp.ClientPayloadError):
                await fetch(m.server_url)

    with pytest.raises(LookupError, match="the reason"):
        await ask()


async def test_an_event_that_cannot_be_sent_is_an_error():
    async def ask():
        async with aiointercept() as m:
            m.get(f"{m.server_url}/", body=sse_stream(lambda: iter([1])))
            assert (await fetch(m.server_url)).status == 500

    with pytest.raises(TypeError, match="an event must be a str, a mapping, a list or a ServerSentEvent, got 1"):
        await ask()


async def test_a_client_that_leaves_closes_an_async_generator():
    closed = asyncio.Event()

    async def events():
        try:
            while True:
                yield "a"
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    async with aiointercept() as m, aiohttp.ClientSession() as session:
        m.get(f"{m.server_url}/", body=sse_stream(events))
        async with session.get(m.server_url) as response:
            await response.content.readchunk()
        async with asyncio.timeout(5):
            await closed.wait()
