"""`m.ws()` over real sockets: registration, the order among replies, conditions, errors, and the end of the block."""

import asyncio
import inspect
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector, WSMsgType, WSServerHandshakeError, web
from support import Names, fetch, real_server
from yarl import URL

from aiointercept import Fault, ServerWebSocket, aiointercept
from aiointercept_core import Registry

WSS = "wss://api.example.com/socket"
HTTPS = "https://api.example.com/socket"


async def echo(ws: ServerWebSocket) -> None:
    async for message in ws:
        await ws.send_str(message.data.upper())


@asynccontextmanager
async def mocked(**options) -> AsyncIterator[tuple[aiointercept, ClientSession]]:
    """Yield a mock that clients are redirected to, and a client."""
    async with asyncio.timeout(20), ClientSession() as session, aiointercept(mock_external_urls=True, **options) as m:
        yield m, session


async def say(session: ClientSession, text: str, url: str | URL = WSS, **options) -> str:
    """Say one thing over a WebSocket and return what comes back."""
    async with session.ws_connect(url, **options) as client:
        await client.send_str(text)
        return await client.receive_str(timeout=5)


async def refusal(session: ClientSession, url: str | URL = WSS, **options) -> int:
    """Return the status with which a handshake is refused."""
    with pytest.raises(WSServerHandshakeError) as caught:
        await session.ws_connect(url, **options)
    return caught.value.status


async def run_handler(handler, *texts: str, error: BaseException | None = None) -> None:
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


# The arguments.


def test_the_arguments_are_those_of_core():
    def parameters(function):
        # The facade's handler gets a class of its own.
        return [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]

    assert parameters(aiointercept.ws) == parameters(Registry.ws)
    annotations = {**Registry.ws.__annotations__}
    for name, annotation in aiointercept.ws.__annotations__.items():
        if name not in ("handler", "return"):
            assert annotation == annotations[name]


def test_it_needs_a_running_mock():
    with pytest.raises(RuntimeError, match="the mock is not running: register inside its"):
        aiointercept().ws("ws://h.test/", echo)


@pytest.mark.parametrize("handler", [None, lambda ws: None, "text"])
async def test_a_handler_that_is_no_coroutine_function(handler):
    async with aiointercept() as m:
        with pytest.raises(TypeError, match=r"^handler must be a coroutine function, got .*; write `async def handler"):
            m.ws(f"{m.server_url}/", handler)
        assert list(m.routes) == []


async def test_what_cannot_be_served():
    async with aiointercept() as m:
        url = f"{m.server_url}/"
        with pytest.raises(TypeError, match=r"protocols must be a list of str, got 'chat'; write protocols=\['chat'\]"):
            m.ws(url, echo, protocols="chat")
        with pytest.raises(ValueError, match=r"needs mock_external_urls=True, because no server can show it"):
            m.ws(url, echo, fault=OSError)
        with pytest.raises(TypeError, match="unexpected keyword argument 'status'"):
            m.ws(url, echo, status=101)


async def test_the_example_of_the_readme():
    async def server(ws):
        assert await ws.receive_json() == {"type": "auth", "token": "t"}
        await ws.send_json({"type": "auth_ok"})
        async for message in ws:
            await ws.send_str(message.data.upper())

    async with mocked() as (m, session):
        route = m.ws(WSS, server)
        async with session.ws_connect(WSS) as client:
            await client.send_json({"type": "auth", "token": "t"})
            assert await client.receive_json() == {"type": "auth_ok"}
            await client.send_str("hello")
            assert await client.receive_str() == "HELLO"
        assert route.call_count == 1
        assert [message.data for message in m.last_request.messages] == ['{"type": "auth", "token": "t"}', "hello"]


# URLs.


@pytest.mark.parametrize(
    "registered",
    [
        WSS,
        HTTPS,
        "wss://API.example.com:443/socket",
        URL(WSS),
        re.compile(r"wss://api\.example\.com/"),
        re.compile(r"https://api\.example\.com/so"),
        re.compile(r"(wss|https)://.*/socket$"),
    ],
    ids=str,
)
@pytest.mark.parametrize("requested", [WSS, HTTPS])
async def test_wss_is_https(registered, requested):
    async with mocked() as (m, session):
        route = m.ws(registered, echo)
        assert await say(session, "a", requested) == "A"
        key = ("GET", URL(HTTPS))
        assert list(m.requests) == [key]
        assert m.ordered_requests == [(key, m.last_request)]
        assert m.last_request.url == URL(HTTPS)
        assert m.last_request.canonical_url == URL(HTTPS)
        m.assert_called_once_with(WSS)
        m.assert_called_once_with(HTTPS)
        assert route.requests == [m.last_request]


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_another_scheme_is_another_url(scheme):
    async with mocked() as (m, session):
        m.ws(WSS, echo, optional=True)
        with pytest.raises(aiohttp.ClientConnectionError, match=r"nearest: GET https://api\.example.*scheme"):
            await say(session, "a", f"{scheme}://api.example.com/socket")


@pytest.mark.parametrize("registered", ["ws", "http"])
@pytest.mark.parametrize("requested", ["ws", "http"])
@pytest.mark.parametrize("as_pattern", [False, True])
async def test_without_redirection(registered, requested, as_pattern):
    async with aiointercept() as m, ClientSession() as session:
        url = URL(m.server_url) / "socket"
        registered_url = str(url.with_scheme(registered))
        m.ws(re.compile(re.escape(registered_url)) if as_pattern else registered_url, echo)
        assert await say(session, "a", url.with_scheme(requested)) == "A"
        assert list(m.requests) == [("GET", url)]


async def test_params_and_fragments():
    async with mocked() as (m, session):
        m.ws(f"{WSS}?a=1#x", echo, params={"b": 2})
        assert await say(session, "a", f"{WSS}?b=2&a=1") == "A"


# The order among replies.


async def test_a_refused_handshake_is_an_ordinary_reply():
    async with mocked() as (m, session):
        m.get(WSS, status=403, json={"error": "no"}, headers={"X-Why": "token"})
        with pytest.raises(WSServerHandshakeError) as caught:
            await session.ws_connect(WSS)
        assert (caught.value.status, caught.value.headers["X-Why"]) == (403, "token")
        assert list(m.requests) == [("GET", URL(HTTPS))]


async def test_one_queue_in_the_order_of_registration():
    async with mocked() as (m, session):
        m.get(HTTPS, status=503)
        m.ws(WSS, echo)
        m.get(WSS, status=500)
        m.ws(HTTPS, echo, repeat=2)
        assert await refusal(session) == 503
        assert await say(session, "a") == "A"
        assert await refusal(session) == 500
        assert [await say(session, text) for text in ("b", "c")] == ["B", "C"]
        with pytest.raises(aiohttp.ClientConnectionError, match=r"no reply is left for GET https://api\.ex"):
            await say(session, "d")


async def test_a_get_that_is_no_handshake_skips_websockets():
    async with mocked() as (m, session):
        m.ws(WSS, echo)
        m.get(HTTPS, body="page", repeat=True)
        for _ in range(2):
            assert (await fetch(HTTPS)).text == "page"
        assert await say(session, "a") == "A"
        # A handshake gets the page then, which accepts none.
        assert await refusal(session) == 200


async def test_a_websocket_with_repeat_true_leaves_plain_requests_to_a_later_get():
    async with mocked() as (m, session):
        m.ws(WSS, echo, repeat=True)
        m.get(HTTPS, body="page")
        assert await say(session, "a") == "A"
        assert (await fetch(HTTPS)).text == "page"
        assert await say(session, "b") == "B"
        with pytest.raises(ValueError, match="already has a reply with repeat=True"):
            m.ws(WSS, echo)


@pytest.mark.parametrize("external", [False, True])
async def test_a_plain_get_is_told_that_it_is_no_handshake(external, caplog):
    async with aiointercept(mock_external_urls=external) as m:
        url = HTTPS if external else f"{m.server_url}/socket"
        route = m.ws(url, echo)
        text = f"no route matches GET {url}; nearest: GET {url} (the request is not a WebSocket handshake)"
        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await fetch(url)
        assert text in caplog.text
        if external:
            assert str(caught.value).endswith(text)
        assert route.call_count == 0
        with pytest.raises(AssertionError, match="is not a WebSocket handshake"):
            m.assert_all_matched()


async def test_a_handshake_without_its_key_is_refused():
    async with aiointercept() as m:
        m.ws(f"{m.server_url}/", echo)
        answer = await fetch(m.server_url, headers={"Upgrade": "websocket", "Connection": "Upgrade"})
        assert answer.status == 400
        assert m.call_count == 1


# The other arguments.


async def test_subprotocols_and_headers():
    async def handler(ws):
        await ws.send_json([ws.protocol, ws.request.headers["X-Client"]])

    async with mocked() as (m, session):
        m.ws(WSS, handler, protocols=("v2", "v1"), headers={"X-Server": "1", "Set-Cookie": "a=b"})
        async with session.ws_connect(WSS, protocols=["v0", "v1"], headers={"X-Client": "2"}) as client:
            assert await client.receive_json() == ["v1", "2"]
            assert client.protocol == "v1"
            assert client._response.headers["X-Server"] == "1"
        assert session.cookie_jar.filter_cookies(URL(HTTPS))["a"].value == "b"


async def test_conditions():
    def answer(text):
        async def handler(ws):
            await ws.send_str(text)

        return handler

    async def ask(url=WSS, **options):
        async with session.ws_connect(url, **options) as client:
            return await client.receive_str()

    async with mocked() as (m, session):
        m.ws(WSS, answer("any"), repeat=True)
        m.ws(WSS, answer("header"), match_headers={"Authorization": "Bearer t"})
        m.ws(WSS, answer("query"), match_query={"room": "1"})
        m.ws(WSS, answer("function"), match=lambda request: request.headers.get("X-A") == "b")
        assert await ask(headers={"Authorization": "Bearer t"}) == "header"
        assert await ask(f"{WSS}?room=1&x=2") == "query"
        assert await ask(headers={"X-A": "b"}) == "function"
        assert await ask(headers={"X-A": "c"}) == "any"


async def test_a_delay():
    async with mocked() as (m, session):
        m.ws(WSS, echo, delay=0.05)
        before = time.perf_counter()
        assert await say(session, "a") == "A"
        assert time.perf_counter() - before >= 0.05


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RESET, aiohttp.ClientOSError),
        (Fault.DISCONNECT, aiohttp.ServerDisconnectedError),
        (Fault.CONNECTION_REFUSED, aiohttp.ClientConnectorError),
        (Fault.DNS_FAILURE, aiohttp.ClientConnectorDNSError),
        (Fault.CERTIFICATE, aiohttp.ClientConnectorCertificateError),
        (LookupError("its own"), LookupError),
    ],
)
async def test_faults(fault, error):
    async with mocked() as (m, session):
        m.ws(WSS, echo, fault=fault)
        m.ws(WSS, echo)
        with pytest.raises(error):
            await session.ws_connect(WSS)
        assert await say(session, "again") == "AGAIN"
        assert m.call_count == 2


async def test_a_client_that_connects_again_after_a_fault_in_the_default_mode():
    async with aiointercept() as m, ClientSession() as session:
        m.ws(f"{m.server_url}/", echo, fault=Fault.RESET)
        m.ws(f"{m.server_url}/", echo)
        with pytest.raises(aiohttp.ClientOSError):
            await session.ws_connect(m.server_url)


async def test_optional_and_never_used():
    async with mocked(assert_all_called=True) as (m, _):
        m.ws(WSS, echo, optional=True)
    with pytest.raises(AssertionError, match=r"1 route was never used: GET https://api\.example\.com/socket"):
        async with mocked(assert_all_called=True) as (m, _):
            m.ws(WSS, echo)


async def test_a_warning_for_a_url_that_cannot_reach_the_mock():
    async with aiointercept() as m:
        with pytest.warns(UserWarning, match="will not reach the mock"):
            m.ws(WSS, echo)


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
        await run_handler(handler, "other")


async def test_pytest_fail_and_skip_in_a_handler():
    async def fails(ws):
        pytest.fail("the reason")

    async def skips(ws):
        pytest.skip("another reason")

    for handler, error in ((fails, pytest.fail.Exception), (skips, pytest.skip.Exception)):
        with pytest.raises(error, match="reason"):
            await run_handler(handler)


async def test_several_errors_are_a_group():
    async def handler(ws):
        raise LookupError(await ws.receive_str())

    with pytest.raises(BaseExceptionGroup) as caught:
        await run_handler(handler, "a", "b")
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
        await run_handler(handler, error=ZeroDivisionError())
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


async def test_a_plain_request_goes_past_a_websocket_of_the_inner_mock():
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
