"""`sse=` over real sockets: what a client receives, where generators run, and what happens to their errors."""

import asyncio
import threading

import aiohttp
import pytest
from aiohttp import ClientSession
from support import fetch, raw_exchange

from aiointercept import Fault, ServerSentEvent, aiointercept

URL = "https://api.example.com/chat"
EVENTS = [{"delta": "Hel"}, {"delta": "lo"}, "[DONE]"]


async def chunks_of(response: aiohttp.ClientResponse) -> list[bytes]:
    """Return the chunks of a response as they were sent."""
    chunks, chunk = [], b""
    async for data, is_end in response.content.iter_chunks():
        chunk += data
        # aiohttp may report the empty chunk at the end too.
        if is_end and chunk:
            chunks.append(chunk)
            chunk = b""
    return chunks


def parse(text: str) -> list[dict[str, str]]:
    """Return the events that a client dispatches, by the algorithm of the HTML standard."""
    events: list[dict[str, str]] = []
    event: dict[str, str] = {}
    last_id = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if "data" in event:
                events.append({"event": "message", **event, "data": event["data"][:-1], "id": last_id})
            event = {}
        elif name == "data":
            event["data"] = f"{event.get('data', '')}{value}\n"
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name and colon:
            event[name] = value
    return events


async def test_the_example_of_the_readme():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.post(URL, sse=EVENTS)
        async with session.post(URL, json={"stream": True}) as response:
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-store"
            assert "Content-Length" not in response.headers
            assert await chunks_of(response) == [
                b'data: {"delta": "Hel"}\n\n',
                b'data: {"delta": "lo"}\n\n',
                b"data: [DONE]\n\n",
            ]
        m.assert_called_once_with(URL, "POST", json={"stream": True})


async def test_each_event_is_sent_as_one_chunk():
    async with aiointercept() as m:
        m.get(f"{m.server_url}/", sse=["a", "b\nc"], repeat=True)
        head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{m.server_port}\r\nConnection: close\r\n\r\n"
        received = await raw_exchange(m.server_port, head.encode())
        _, _, body = received.partition(b"\r\n\r\n")
        assert body == b"9\r\ndata: a\n\n\r\n11\r\ndata: b\ndata: c\n\n\r\n0\r\n\r\n"


async def test_what_a_client_dispatches():
    events = [
        "one",
        " leading space",
        "two\nlines",
        "with\r\nother\rline ends",
        "",
        "trailing\n",
        "data: not a field: é\u2028x",
        ServerSentEvent({"a": "b\nc"}, event="update", id="7"),
        ServerSentEvent("same id", retry=3000),
        ServerSentEvent("no id", id=""),
    ]
    async with aiointercept(mock_external_urls=True) as m:
        m.get(URL, sse=events)
        received = parse((await fetch(URL)).text)
    assert [event["data"] for event in received] == [
        *("one", " leading space", "two\nlines", "with\nother\nline ends", "", "trailing\n"),
        *("data: not a field: é\u2028x", '{"a": "b\\nc"}', "same id", "no id"),
    ]
    assert received[7:] == [
        {"event": "update", "data": '{"a": "b\\nc"}', "id": "7"},
        {"event": "message", "data": "same id", "id": "7", "retry": "3000"},
        {"event": "message", "data": "no id", "id": ""},
    ]


async def test_an_event_arrives_before_the_next_one_exists():
    go_on = asyncio.Event()

    async def events():
        yield "first"
        await go_on.wait()
        yield "second"

    for sse in (events, events()):
        go_on.clear()
        async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
            m.post(URL, sse=sse)
            async with session.post(URL) as response:
                assert await response.content.readchunk() == (b"data: first\n\n", True)
                go_on.set()
                assert await response.content.readchunk() == (b"data: second\n\n", True)


async def test_where_generators_run():
    threads = {}

    def plain():
        threads["plain"] = threading.current_thread().name
        yield "a"

    async def on_the_loop():
        threads["async"] = threading.current_thread().name
        yield "a"

    async with aiointercept() as m:
        for path, sse in (("plain", plain), ("async", on_the_loop)):
            m.get(f"{m.server_url}/{path}", sse=sse)
            await fetch(f"{m.server_url}/{path}")
    assert threads == {"plain": "aiointercept-callbacks", "async": threading.current_thread().name}


async def test_repetition():
    calls = []

    async def events():
        calls.append(len(calls))
        yield {"call": calls[-1]}

    async with aiointercept(mock_external_urls=True) as m:
        m.get(URL, sse=events, repeat=True)
        assert [(await fetch(URL)).text for _ in range(2)] == ['data: {"call": 0}\n\n', 'data: {"call": 1}\n\n']
        with pytest.raises(ValueError, match=r"sse: a generator can be sent only once, but repeat=True; pass the fun"):
            m.post(URL, sse=events(), repeat=True)


async def test_what_is_refused():
    async with aiointercept() as m:
        url = f"{m.server_url}/"
        with pytest.raises(TypeError, match=r"sse must be a list of events, got 'text'; write sse=\[\.\.\.\] for one"):
            m.get(url, sse="text")
        with pytest.raises(ValueError, match="sse and json contradict each other"):
            m.get(url, sse=[], json={})
        with pytest.raises(ValueError, match="fault and sse contradict each other"):
            m.get(url, sse=[], fault=Fault.RESET)
        assert list(m.routes) == []


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_response_without_a_body(method):
    async with aiointercept(mock_external_urls=True) as m:
        m.add(URL, method, sse=EVENTS, status=200 if method == "HEAD" else 204)
        response = await fetch(URL, method)
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.body == b""


async def test_a_stream_that_breaks_off():
    async def events():
        yield "a"
        raise LookupError("broken")

    async with aiointercept(mock_external_urls=True, raise_callback_errors=False) as m, ClientSession() as session:
        m.get(URL, sse=events)
        async with session.get(URL) as response:
            assert await response.content.readchunk() == (b"data: a\n\n", True)
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.content.readchunk()


async def test_leaving_the_block_ends_a_stream():
    closed = asyncio.Event()

    async def events():
        try:
            while True:
                yield "tick"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async with ClientSession() as session:
        async with aiointercept(mock_external_urls=True) as m:
            m.get(URL, sse=events)
            response = await session.get(URL)
            await response.content.readchunk()
            before = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - before < 0.1
        async with asyncio.timeout(5):
            await closed.wait()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_client_that_connects_again_with_the_last_id():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get(URL, sse=[ServerSentEvent("a", id="1", retry=1)])
        m.get(URL, sse=[ServerSentEvent("b", id="2")], match_headers={"Last-Event-ID": "1"})
        received = []
        headers = {"Accept": "text/event-stream"}
        for _ in range(2):
            async with session.get(URL, headers=headers) as response:
                (event,) = parse(await response.text())
            received.append(event["data"])
            headers["Last-Event-ID"] = event["id"]
    assert sorted(received) == ["a", "b"]
