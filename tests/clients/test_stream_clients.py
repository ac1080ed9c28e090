"""Libraries that read streams of events, unmodified, at URLs that are written in their own code or in the user's."""

import asyncio
from datetime import timedelta

import pytest

from aiointercept import ServerSentEvent, aiointercept

URL = "https://api.example.com/events"

# What the libraries themselves do with asyncio is not ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


async def test_aiohttp_sse_client2():
    client = pytest.importorskip("aiohttp_sse_client2.client")
    events = [
        ServerSentEvent("two\nlines", event="update", id="1", retry=1),
        {"a": 1},
        ServerSentEvent("last", id="3"),
    ]
    async with asyncio.timeout(20), aiointercept(mock_external_urls=True) as m:
        m.get(URL, sse=events, match_headers={"Accept": "text/event-stream"})
        m.get(URL, sse=["again"], match_headers={"Last-Event-Id": "3"})
        async with client.EventSource(URL, reconnection_time=timedelta(0)) as source:
            received = [await anext(source) for _ in range(4)]
    assert [(event.data, event.last_event_id) for event in received] == [
        ("two\nlines", "1"),
        ('{"a": 1}', "1"),
        ("last", "3"),
        ("again", "3"),
    ]
    assert received[0].type == "update"


@pytest.mark.parametrize("as_function", [False, True])
async def test_openai_over_aiohttp(as_function):
    openai = pytest.importorskip("openai")
    pytest.importorskip("httpx_aiohttp")

    def chunk(text):
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    read_first = asyncio.Event()

    async def events():
        yield chunk("Hel")
        await read_first.wait()
        yield chunk("lo")
        yield "[DONE]"

    async with asyncio.timeout(20), aiointercept(mock_external_urls=True) as m:
        url = "https://api.openai.com/v1/chat/completions"
        m.post(url, status=429, headers={"Retry-After": "0.01"})
        m.post(url, sse=events if as_function else [chunk("Hel"), chunk("lo"), "[DONE]"])
        received = []
        async with openai.AsyncOpenAI(api_key="k", http_client=openai.DefaultAioHttpClient()) as client:
            messages = [{"role": "user", "content": "Hi"}]
            async for part in await client.chat.completions.create(model="m", messages=messages, stream=True):
                received.append(part.choices[0].delta.content)
                read_first.set()
        assert received == ["Hel", "lo"]
        assert m.call_count == 2
        m.assert_called_with(
            url,
            "POST",
            json={"model": "m", "stream": True, "messages": messages},
            headers={"Authorization": "Bearer k"},
        )


async def test_httpx_over_aiohttp():
    httpx_aiohttp = pytest.importorskip("httpx_aiohttp")
    async with asyncio.timeout(20), aiointercept(mock_external_urls=True) as m:
        m.post(URL, sse=[{"delta": "Hel"}, "[DONE]"])
        async with httpx_aiohttp.HttpxAiohttpClient() as client, client.stream("POST", URL) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            assert [line async for line in response.aiter_lines()] == ['data: {"delta": "Hel"}', "", "data: [DONE]", ""]
