"""How conversations over WebSockets end, what is recorded of them, and which mock has them."""

import asyncio
import time

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector, WSMsgType, web
from support import Names, fetch, real_server
from websocket_talk import HTTPS, WSS, echo, mocked, say
from yarl import URL

from aiointercept import aiointercept
from aiointercept._websocket import run_handler


async def run_in_block(handler, *texts: str, error: BaseException | None = None) -> None:
    """Have `handler` talk to clients, each of which sends one of `texts`; leave the block with `error`, if any."""
    async with mocked() as (m, session):
        m.ws(WSS, handler, repeat=True)
        for text in texts or ("",):
            async with session.ws_connect(WSS) as client:
                await client.send_str(text)
                assert (await client.receive()).type is WSMsgType.CLOSE
                assert client.close_code == 1011
        if error is not None:
            raise error


# How it ends.


async def test_close_codes():
    async def fails(ws):
        raise LookupError("broken")

    async def returns(ws):
        pass

    async with mocked(raise_callback_errors=False) as (m, session):
        m.ws(WSS, returns)
        m.ws(WSS, fails)
        codes = []
        for _ in range(2):
            async with session.ws_connect(WSS) as client:
                assert (await client.receive()).type is WSMsgType.CLOSE
                codes.append(client.close_code)
        assert codes == [1000, 1011]


async def test_an_assertion_in_a_handler_fails_the_test():
    async def handler(ws):
        assert await ws.receive_str() == "expected"

    with pytest.raises(AssertionError, match="'other' == 'expected'"):
        await run_in_block(handler, "other")


async def test_pytest_fail_and_skip_in_a_handler():
    async def fails(ws):
        pytest.fail("the reason")

    async def skips(ws):
        pytest.skip("another reason")

    for handler, error in ((fails, pytest.fail.Exception), (skips, pytest.skip.Exception)):
        with pytest.raises(error, match="reason"):
            await run_in_block(handler)


async def test_several_errors_are_a_group():
    async def handler(ws):
        raise LookupError(await ws.receive_str())

    with pytest.raises(BaseExceptionGroup) as caught:
        await run_in_block(handler, "a", "b")
    assert [str(error) for error in caught.value.exceptions] == ["a", "b"]


async def test_check_raises_the_error_of_a_handler_once():
    async def handler(ws):
        raise LookupError

    async with mocked() as (m, session):
        m.ws(WSS, handler)
        async with session.ws_connect(WSS) as client:
            await client.receive()
        with pytest.raises(LookupError):
            m.check()
        m.check()


async def test_the_note_on_another_error_names_the_handler():
    async def handler(ws):
        raise LookupError("broken")

    with pytest.raises(ZeroDivisionError) as caught:
        await run_in_block(handler, error=ZeroDivisionError())
    (note,) = caught.value.__notes__
    assert "LookupError: broken" in note
    assert "500" not in note


@pytest.mark.parametrize("external", [False, True])
async def test_leaving_the_block_ends_conversations(external):
    started, cancelled = 0, []

    async def waits(ws):
        nonlocal started
        started += 1
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append("waits")

    async def receives(ws):
        nonlocal started
        started += 1
        try:
            await ws.receive()
        finally:
            cancelled.append("receives")

    async with ClientSession() as session:
        async with aiointercept(mock_external_urls=external) as m:
            url = WSS if external else f"{m.server_url}/"
            m.ws(url, waits, repeat=5)
            m.ws(url, receives, repeat=5)
            clients = [await session.ws_connect(url) for _ in range(10)]
            while started < 10:
                await asyncio.sleep(0.001)
            before = time.perf_counter()
        assert time.perf_counter() - before < 0.1
        for client in clients:
            assert (await client.receive(timeout=5)).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
            assert client.close_code == 1006
        async with asyncio.timeout(5):
            while len(cancelled) < 10:
                await asyncio.sleep(0.001)
    assert sorted(cancelled) == ["receives"] * 5 + ["waits"] * 5


@pytest.mark.parametrize("kind", [aiohttp.ClientConnectionResetError, LookupError])
async def test_a_handler_that_fails_because_the_mock_is_stopped_is_no_error(kind):
    class AbortedSocket:
        request, ws_protocol, close_code = None, None, None

        async def receive(self):
            await asyncio.Event().wait()

        async def send_frame(self, *frame):
            raise aiohttp.ClientConnectionResetError

    async def handler(ws):
        try:
            while True:
                await ws.send_str("tick")
                await asyncio.sleep(0)
        except ConnectionError as exc:
            raise kind from exc

    async def run(make):
        # The order of events: the connection is aborted, the handler fails, and only then its cancellation arrives.
        with pytest.raises(kind):
            await make()
        raise asyncio.CancelledError

    with pytest.raises(LookupError if kind is LookupError else asyncio.CancelledError):
        await run_handler(AbortedSocket(), handler, run)


def test_sync_code():
    async def talk():
        async with ClientSession() as session:
            return await say(session, "a")

    with aiointercept(mock_external_urls=True) as m:
        m.ws(WSS, echo)
        assert asyncio.run(talk()) == "A"


@aiointercept(mock_external_urls=True)
async def test_a_decorator(m):
    m.ws(WSS, echo)
    async with ClientSession() as session:
        assert await say(session, "a") == "A"


@pytest.mark.parametrize("also_fails", [False, True])
async def test_a_task_that_still_sends_when_the_client_has_left_is_no_error(also_fails):
    async def handler(ws):
        async def send():
            while True:
                await ws.send_str("tick")
                await asyncio.sleep(0.001)

        async def receive():
            try:
                async for _ in ws:
                    pass
            finally:
                # Whichever of the two tasks ends first.
                if also_fails:
                    raise LookupError

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            tasks.create_task(receive())

    async def talk():
        async with mocked() as (m, session):
            m.ws(WSS, handler)
            async with session.ws_connect(WSS) as client:
                await client.receive()

    if also_fails:
        with pytest.raises(ExceptionGroup) as caught:
            await talk()
        assert caught.value.subgroup(LookupError) is not None
    else:
        await talk()


# Recorded messages.


async def test_messages():
    async def handler(ws):
        async for _ in ws:
            pass

    async with mocked() as (m, session):
        m.ws(WSS, handler)
        m.get("https://api.example.com/page")
        async with session.ws_connect(WSS) as client:
            await client.send_str("a")
            await client.ping(b"not recorded")
            await client.send_bytes(b"b")
            await client.send_json({"c": 1})
        messages = m.last_request.messages
        assert all(isinstance(message, aiohttp.WSMessage) for message in messages)
        assert [(message.type, message.data) for message in messages] == [
            (WSMsgType.TEXT, "a"),
            (WSMsgType.BINARY, b"b"),
            (WSMsgType.TEXT, '{"c": 1}'),
        ]
        assert messages[2].json() == {"c": 1}
        await fetch("https://api.example.com/page")
        assert m.last_request.messages == []
    assert [message.data for message in m.requests["GET", URL(HTTPS)][0].messages] == ["a", b"b", '{"c": 1}']


async def test_each_conversation_has_its_own_messages():
    async with mocked() as (m, session):
        route = m.ws(WSS, echo, repeat=True)
        async with session.ws_connect(WSS) as one, session.ws_connect(WSS) as two:
            for client, text in ((one, "a"), (two, "b"), (one, "c")):
                await client.send_str(text)
                await client.receive_str()
        assert [[message.data for message in request.messages] for request in route.requests] == [["a", "c"], ["b"]]


# Several mocks, and the real network.


@pytest.mark.parametrize("inner_has_route", [False, True])
async def test_nested_mocks(inner_has_route):
    def answer(text):
        async def handler(ws):
            await ws.send_str(text)

        return handler

    async with mocked() as (outer, session), aiointercept(mock_external_urls=True) as inner:
        outer.ws(WSS, answer("outer"), repeat=True)
        inner.get(HTTPS, body="page")
        if inner_has_route:
            inner.ws(WSS, answer("inner"))
        # The handshake would get the page of the inner mock first.
        assert (await fetch(HTTPS)).text == "page"
        answers = []
        for _ in range(2):
            async with session.ws_connect(WSS) as client:
                answers.append(await client.receive_str())
        assert answers == (["inner", "outer"] if inner_has_route else ["outer", "outer"])


async def test_a_plain_request_is_answered_by_the_outer_mock_and_not_by_a_websocket_of_the_inner():
    async with mocked() as (outer, _), aiointercept(mock_external_urls=True) as inner:
        outer.get(HTTPS, body="outer")
        inner.ws(WSS, echo)
        assert (await fetch(HTTPS)).text == "outer"


@pytest.mark.parametrize("path", ["/socket", "/other"])
async def test_passthrough_of_unmatched_requests(path):
    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"real {message.data}")
        return socket

    async with (
        real_server(serve) as real,
        ClientSession(connector=TCPConnector(resolver=Names())) as session,
        aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m,
    ):
        m.ws(f"ws://api.example:{real.port}/socket", echo)
        answer = await say(session, "a", f"ws://api.example:{real.port}{path}")
        assert answer == ("A" if path == "/socket" else "real a")
        assert m.call_count == 1


async def test_a_plain_request_to_a_websocket_is_forwarded():
    async with (
        real_server() as real,
        ClientSession(connector=TCPConnector(resolver=Names())) as session,
        aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m,
    ):
        url = f"http://api.example:{real.port}/socket"
        m.ws(url, echo)
        async with session.get(url) as response:
            assert await response.text() == "real GET /socket"


async def test_passthrough_hosts_keep_their_websockets():
    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("real")
        return socket

    async with (
        real_server(serve) as real,
        ClientSession(connector=TCPConnector(resolver=Names())) as session,
        aiointercept(mock_external_urls=True, passthrough=["api.example"]) as m,
    ):
        async with session.ws_connect(f"ws://api.example:{real.port}/") as client:
            assert await client.receive_str() == "real"
        assert m.call_count == 0


@pytest.mark.parametrize("options", [{"code": 99999}, {"code": 999}, {"message": b"a" * 124}])
async def test_a_close_that_no_frame_can_hold_is_refused(options):
    async def handler(ws):
        with pytest.raises(ValueError, match=r"^code must be from 1000 to 4999 and message at most 123 bytes, got "):
            await ws.close(**options)
        await ws.close(code=4000, message=b"a" * 123)

    async with aiointercept() as m, aiohttp.ClientSession() as session:
        m.ws(f"{m.server_url}/socket", handler)
        async with session.ws_connect(f"{m.server_url}/socket") as socket:
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 4000
