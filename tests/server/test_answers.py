"""An answer function is asked when the head of a request has arrived, and reads the body itself."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from mock_server import ClientConnection, connect, eventually
from multidict import CIMultiDict, CIMultiDictProxy

from aiointercept_core import CloseConnection, Reply, Response, Stream
from aiointercept_server import AiointerceptRequest, Answer, Listener, application, read_body_first

UPLOAD = b"POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 8\r\n"
HEADERS = CIMultiDictProxy(CIMultiDict[str]())


@contextlib.asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[ClientConnection]:
    """Serve `answer` and connect to it."""
    listener = Listener(answer)
    try:
        async with connect(listener.port) as connection:
            yield connection
    finally:
        listener.close().result(5)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def test_it_is_asked_before_the_body_has_arrived():
    seen: list[object] = []

    async def answer(request: AiointerceptRequest) -> Reply:
        seen.append((request.method, request.captured_body, request.complete))
        seen.append(await request.receive())
        return Response(200, None, HEADERS, request.captured_body or b"")

    async with served(answer) as connection:
        await connection.send(UPLOAD + b"\r\nhalf")
        await eventually(lambda: seen)
        assert seen == [("POST", None, False)]
        assert (await connection.exchange(b"rest")).body == b"halfrest"
    assert seen[1:] == [True]


async def test_it_may_read_the_body_while_it_arrives():
    chunks: list[bytes] = []
    requests: list[AiointerceptRequest] = []

    async def answer(request: AiointerceptRequest) -> Reply:
        requests.append(request)
        async for chunk in request.stream():
            chunks.append(bytes(chunk))
        return Response(202, None, HEADERS, b"done")

    async with served(answer) as connection:
        await connection.send(UPLOAD + b"\r\nhalf")
        await eventually(lambda: chunks)
        # What has arrived so far can be read, and does not stand for the whole body later.
        assert requests[0].captured_body == b"half"
        assert (await connection.exchange(b"rest")).body == b"done"
    assert chunks == [b"half", b"rest"]
    assert (requests[0].captured_body, requests[0].complete) == (b"halfrest", True)


@pytest.mark.parametrize("framing", ["Content-Length: 8", "Transfer-Encoding: chunked"])
async def test_it_may_receive_the_rest_of_a_body_that_it_began_to_stream(framing: str):
    async def answer(request: AiointerceptRequest) -> Reply:
        chunks = request.stream()
        first = await anext(chunks)
        await chunks.aclose()
        assert await request.receive()
        assert not [chunk async for chunk in request.stream()]
        return Response(200, None, CIMultiDictProxy(CIMultiDict({"X-First": first.decode()})), await request.read())

    halves = (b"4\r\nhalf\r\n", b"4\r\nrest\r\n0\r\n\r\n") if "chunked" in framing else (b"half", b"rest")
    async with served(answer) as connection:
        await connection.send(f"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{framing}\r\n\r\n".encode())
        assert (await connection.response(bodiless=True)).status == 100
        await connection.send(halves[0])
        await asyncio.sleep(0.01)
        response = await connection.exchange(halves[1])
        assert (response.values("X-First"), response.body) == (["half"], b"halfrest")


async def test_it_may_stream_the_body_back_while_it_arrives():
    async def answer(request: AiointerceptRequest) -> Reply:
        return Stream(200, None, HEADERS, request.stream())

    async with served(answer) as connection:
        await connection.send(UPLOAD + b"\r\nhalf")
        assert (await connection.response(bodiless=True)).status == 200
        await connection.reader.readuntil(b"4\r\nhalf\r\n")
        await connection.send(b"rest")
        await connection.reader.readuntil(b"4\r\nrest\r\n0\r\n\r\n")


async def test_a_reply_before_the_body_has_arrived_closes_the_connection():
    async def answer(request: AiointerceptRequest) -> Reply:
        return Response(413, None, HEADERS, b"too large")

    async with served(answer) as connection:
        response = await connection.exchange(UPLOAD + b"\r\n")
        assert (response.status, response.values("Connection"), response.body) == (413, ["close"], b"too large")
        assert await connection.rest() == b""


async def test_no_continue_for_a_body_that_is_not_read():
    async def answer(request: AiointerceptRequest) -> Reply:
        return Response(417, None, HEADERS, b"")

    async with served(answer) as connection:
        assert (await connection.exchange(UPLOAD + b"Expect: 100-continue\r\n\r\n")).status == 417
        assert await connection.rest() == b""


async def test_receiving_an_incomplete_body():
    results: list[object] = []

    async def answer(request: AiointerceptRequest) -> Reply:
        try:
            results.append(await request.receive())
        finally:
            results.append((request.complete, request.captured_body))
        return CloseConnection()

    async with served(answer) as connection:
        await connection.send(UPLOAD + b"\r\nhalf")
        await asyncio.sleep(0.01)
        connection.writer.transport.abort()
        # The client left, which cancels the answer.
        await eventually(lambda: results == [(False, b"half")])
    results.clear()
    async with served(answer) as connection:
        await connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await asyncio.sleep(0.01)
        await connection.send(b"nonsense\r\n")
        await eventually(lambda: results)
        assert results[0] is False
        await connection.rest()


async def test_an_invalid_body_is_not_asked_about_when_it_is_read_first():
    asked: list[AiointerceptRequest] = []

    async def answer(request: AiointerceptRequest) -> Reply:
        asked.append(request)
        return Response(200, None, HEADERS, await request.read())

    async with served(read_body_first(answer)) as connection:
        assert (await connection.exchange(UPLOAD + b"\r\nhalfrest")).body == b"halfrest"
        await connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0.01)
        await connection.send(b"nonsense\r\n")
        await connection.rest()
    assert len(asked) == 1


async def test_the_url_can_be_set():
    async def answer(request: AiointerceptRequest) -> Reply:
        before = request.kwargs["query"], str(request.canonical_url)
        request.url = request.url.with_scheme("https").with_query({"b": "2"})
        assert before == ({"a": ["1"]}, "http://api.example/?a=1")
        assert request.kwargs["query"] == {"b": ["2"]}
        return Response(200, None, HEADERS, f"{request.canonical_url} {request.scheme}".encode())

    async with served(answer) as connection:
        response = await connection.exchange(b"GET /?a=1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
        assert response.body == b"https://api.example/?b=2 https"


async def test_the_socket_addresses_of_a_request():
    requests: list[AiointerceptRequest] = []

    async def answer(request: AiointerceptRequest) -> Reply:
        requests.append(request)
        return Response(200, None, HEADERS, b"")

    async with served(answer) as connection:
        await connection.exchange(b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
        client, server = connection.writer.get_extra_info("sockname"), connection.writer.get_extra_info("peername")
    [request] = requests
    # Also after the connection is closed.
    assert (request.peername, request.sockname) == (client, server)


@pytest.mark.parametrize("mounted", [False, True], ids=["listener", "application"])
async def test_an_answer_that_is_no_reply(mounted: bool, caplog: pytest.LogCaptureFixture):
    async def answer(request: AiointerceptRequest):
        return web.Response()

    expected = "TypeError: the answer function must return a reply of aiointercept_core, got <Response OK not prepared>"
    async with contextlib.AsyncExitStack() as stack:
        if mounted:
            runner = web.AppRunner(application(answer))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            connection = await stack.enter_async_context(connect(runner.addresses[0][1]))
        else:
            connection = await stack.enter_async_context(served(answer))
        response = await connection.exchange(b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    assert response.status == 500
    assert expected in response.body.decode()
    [error] = errors(caplog)
    assert error.startswith("answering GET http://api.example/ failed:\nTraceback")
    assert error.rstrip().endswith(expected)


@pytest.mark.parametrize("streamed", [False, True], ids=["known", "streamed"])
async def test_a_reply_that_cannot_be_written_is_a_500(streamed: bool, caplog: pytest.LogCaptureFixture):
    async def chunks() -> AsyncIterator[bytes]:
        yield b"body"

    async def answer(request: AiointerceptRequest) -> Reply:
        headers = CIMultiDictProxy(CIMultiDict({"X-Two": "one\r\nX-Three: two"}))
        return Stream(200, None, headers, chunks()) if streamed else Response(200, None, headers, b"body")

    async with served(answer) as connection:
        for _ in range(2):
            response = await connection.exchange(b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
            assert response.status == 500
            assert b"ValueError" in response.body
    assert len(errors(caplog)) == 2
    assert all(error.startswith("sending the reply to GET http://api.example/ failed:") for error in errors(caplog))
