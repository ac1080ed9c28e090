"""`m.ws()` over real sockets: registration, the order among replies, conditions, errors, and the end of the block."""

import inspect
import re
import time

import aiohttp
import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from support import fetch
from websocket_talk import HTTPS, WSS, echo, mocked, say
from yarl import URL

from aiointercept import Fault, aiointercept
from aiointercept_core import Registry


async def refusal(session: ClientSession, url: str | URL = WSS, **options) -> int:
    """Return the status with which a handshake is refused."""
    with pytest.raises(WSServerHandshakeError) as caught:
        await session.ws_connect(url, **options)
    return caught.value.status


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
        with pytest.raises(TypeError, match="unknown argument 'status'; the known ones are protocols"):
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
async def test_the_explanation_of_a_plain_get_says_that_it_is_no_handshake(external, caplog):
    async with aiointercept(mock_external_urls=external) as m:
        url = HTTPS if external else f"{m.server_url}/socket"
        route = m.ws(url, echo)
        text = f"no route matches GET {url}; nearest: GET {url} (the request is not a WebSocket handshake)"
        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await fetch(url)
        assert str(caught.value).endswith(text) if external else text in caplog.text
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
