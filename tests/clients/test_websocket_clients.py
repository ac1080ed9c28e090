"""Libraries that speak WebSocket, unmodified, at the URLs that are written in their own code or in the user's."""

import asyncio
import contextlib
import json

import pytest
from yarl import URL

from aiointercept import aiointercept

GRAPHQL = "wss://api.example.com/graphql"

# What the libraries themselves do with asyncio is not ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


async def echo(ws):
    async for message in ws:
        await (ws.send_str if isinstance(message.data, str) else ws.send_bytes)(message.data)


# At hard-coded URLs, over aiohttp.


async def test_slack_sdk_socket_mode():
    # With aiohttp 4 it is there, but cannot be imported.
    slack = pytest.importorskip("slack_sdk.socket_mode.aiohttp", exc_type=ImportError)
    from slack_sdk.socket_mode.response import SocketModeResponse

    acknowledged = asyncio.get_running_loop().create_future()
    handled = []

    async def server(ws):
        await ws.send_json({"type": "hello", "num_connections": 1})
        await ws.send_json({"type": "events_api", "envelope_id": "e1", "payload": {"event": {"type": "app_mention"}}})
        acknowledged.set_result(await ws.receive_json(timeout=5))
        await asyncio.Event().wait()

    async def handle(client, request):
        handled.append((request.type, request.payload["event"]["type"]))
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    async with asyncio.timeout(20), aiointercept(mock_external_urls=True) as m:
        # The client writes the first URL in its own code, and gets the second from the first.
        m.post(
            "https://slack.com/api/apps.connections.open",
            json={"ok": True, "url": "wss://wss-primary.slack.com/link/?ticket=t"},
            match_headers={"Authorization": "Bearer xapp-token"},
        )
        m.ws("wss://wss-primary.slack.com/link/?ticket=t", server)
        client = slack.SocketModeClient(app_token="xapp-token", auto_reconnect_enabled=False)
        client.socket_mode_request_listeners.append(handle)
        try:
            await client.connect()
            assert await acknowledged == {"envelope_id": "e1"}
        finally:
            await client.close()
    assert handled == [("events_api", "app_mention")]
    assert [method for (method, _), _ in m.ordered_requests] == ["POST", "GET"]


@pytest.mark.parametrize("accepted", ["graphql-transport-ws", "graphql-ws"])
async def test_gql_subscriptions(accepted):
    pytest.importorskip("gql")
    from gql import Client, gql
    from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport

    async def server(ws):
        assert ws.protocol == accepted
        start, data = ("subscribe", "next") if accepted == "graphql-transport-ws" else ("start", "data")
        assert await ws.receive_json(timeout=5) == {"type": "connection_init", "payload": {"token": "t"}}
        await ws.send_json({"type": "connection_ack"})
        query = await ws.receive_json(timeout=5)
        assert (query["type"], query["payload"]["query"].split()) == (start, ["subscription", "{", "price", "}"])
        for price in (1, 2):
            await ws.send_json({"type": data, "id": query["id"], "payload": {"data": {"price": price}}})
        await ws.send_json({"type": "complete", "id": query["id"]})
        async for _ in ws:
            pass

    async with asyncio.timeout(20), aiointercept(mock_external_urls=True) as m:
        m.ws(GRAPHQL, server, protocols=[accepted])
        transport = AIOHTTPWebsocketsTransport(url=GRAPHQL, init_payload={"token": "t"})
        async with Client(transport=transport) as session:
            results = [result async for result in session.subscribe(gql("subscription { price }"))]
    assert results == [{"price": 1}, {"price": 2}]
    assert m.last_request.messages[0].json()["type"] == "connection_init"


async def test_gql_is_refused():
    pytest.importorskip("gql")
    from gql import Client
    from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
    from gql.transport.exceptions import TransportConnectionFailed

    async with aiointercept(mock_external_urls=True) as m:
        m.get(GRAPHQL, status=403)
        with pytest.raises(TransportConnectionFailed) as caught:
            await Client(transport=AIOHTTPWebsocketsTransport(url=GRAPHQL)).connect_async()
        assert caught.value.__cause__.status == 403


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]])
async def test_python_socketio(transports):
    socketio = pytest.importorskip("socketio")
    opening = {"sid": "s1", "upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 10**6}
    done = asyncio.Event()

    async def server(ws):
        # Packets of Engine.IO: 0 open, 2 ping, 3 pong, 4 message, 5 upgrade. In a message those of
        # Socket.IO: 0 connect, 2 event.
        if transports == ["websocket"]:
            await ws.send_str("0" + json.dumps({**opening, "upgrades": []}))
        else:
            assert await ws.receive_str(timeout=5) == "2probe"
            await ws.send_str("3probe")
            assert await ws.receive_str(timeout=5) == "5"
        assert await ws.receive_str(timeout=5) == "40{}"
        await ws.send_str('40{"sid":"s2"}')
        assert await ws.receive_str(timeout=5) == '42["greet","Ada"]'
        await ws.send_str('42["greeting",{"text":"hello Ada"}]')
        await done.wait()

    async with asyncio.timeout(20), aiointercept(mock_external_urls=True) as m:
        query = {"transport": "websocket", "EIO": "4"}
        m.ws("https://api.example.com/socket.io/", server, match_query=query)
        if "polling" in transports:
            polling = {"transport": "polling"}
            url = "https://api.example.com/socket.io/"
            m.get(url, match_query=polling, body="0" + json.dumps(opening), content_type="text/plain")
            m.get(url, match_query=polling, body="6", content_type="text/plain", repeat=True)
        client = socketio.AsyncClient(reconnection=False)
        greeting = asyncio.get_running_loop().create_future()
        client.on("greeting", greeting.set_result)
        await client.connect("https://api.example.com", transports=transports, wait_timeout=5)
        try:
            await client.emit("greet", "Ada")
            assert await greeting == {"text": "hello Ada"}
        finally:
            done.set()
            await client.disconnect()
    assert m.last_request.messages[-1].data


# Clients without aiohttp, at `server_url`.


async def test_websockets():
    websockets = pytest.importorskip("websockets.asyncio.client")
    from websockets.exceptions import ConnectionClosedError, InvalidStatus

    async def fails(ws):
        raise LookupError("broken")

    async with asyncio.timeout(20), aiointercept(raise_callback_errors=False) as m:
        url = str(URL(m.server_url).with_scheme("ws") / "socket")
        m.ws(url, echo, protocols=["v2", "v1"])
        m.ws(url, fails)
        m.get(url, status=403, body="no")
        async with websockets.connect(url, subprotocols=["v1"], max_size=None, proxy=None) as client:
            assert client.subprotocol == "v1"
            for message in ("text", "", b"\x00\xff", "x" * 2**20, ["in ", "fragments"], [b"a", b"b"]):
                await client.send(message)
                expected = message if not isinstance(message, list) else type(message[0])().join(message)
                assert await client.recv() == expected
            await (await client.ping(b"p"))
        assert client.close_code == 1000
        async with websockets.connect(url, proxy=None) as client:
            with pytest.raises(ConnectionClosedError):
                await client.recv()
            assert client.close_code == 1011
        with pytest.raises(InvalidStatus) as caught:
            await websockets.connect(url, proxy=None)
        assert (caught.value.response.status_code, caught.value.response.body) == (403, b"no")
        assert m.requests["GET", URL(m.server_url) / "socket"][0].messages[0].data == "text"


def test_websockets_in_sync_code():
    websockets = pytest.importorskip("websockets.sync.client")
    with aiointercept() as m:
        m.ws(f"{m.server_url}/socket", echo)
        url = str(URL(m.server_url).with_scheme("ws") / "socket")
        with websockets.connect(url, proxy=None) as client:
            client.send("hello")
            assert client.recv(timeout=5) == "hello"


async def test_httpx_ws():
    httpx_ws = pytest.importorskip("httpx_ws")
    import httpx

    async with asyncio.timeout(20), aiointercept() as m, httpx.AsyncClient(trust_env=False) as client:
        m.ws(f"{m.server_url}/socket", echo)
        m.get(f"{m.server_url}/socket", status=403)
        async with httpx_ws.aconnect_ws(f"{m.server_url}/socket", client) as socket:
            await socket.send_json({"a": 1})
            assert await socket.receive_json(timeout=5) == {"a": 1}
            await socket.send_bytes(b"\x00")
            assert await socket.receive_bytes(timeout=5) == b"\x00"
        with pytest.raises(httpx_ws.WebSocketUpgradeError):
            await contextlib.AsyncExitStack().enter_async_context(
                httpx_ws.aconnect_ws(f"{m.server_url}/socket", client)
            )
        assert m.call_count == 2
