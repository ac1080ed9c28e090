"""Upstream on its own: a request reaches the real network unchanged, and so does its response on the way back."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict
from support import Names, real_server
from yarl import URL

from aiointercept_dns import Address, OutgoingRequest, Redirection, Upstream, UpstreamResponse


async def body_of(response) -> bytes:
    return b"".join([chunk async for chunk in response.body])


async def test_a_request_and_its_response_are_passed_on_unchanged():
    packed = gzip.compress(b"reply", mtime=0)

    async def serve(request):
        headers = [(name.decode(), value.decode()) for name, value in request.raw_headers]
        seen.append((request.method, request.raw_path, headers, await request.read()))
        response = web.Response(status=299, reason="Fine", body=packed, headers={"Content-Encoding": "gzip"})
        response.headers.extend([("X-Two", "1"), ("X-Two", "2"), ("Keep-Alive", "timeout=5")])
        return response

    seen: list = []
    upstream = Upstream()
    async with real_server(serve) as real:
        kept = [("Host", "api.example"), ("X-A", "1"), ("x-a", "2"), ("Content-Length", "4"), ("TE", "trailers")]
        headers = [*kept, ("Expect", "100-continue")]
        url = URL(f"{real.url}/a%2Fb?c=+d")
        response = await upstream.send("PATCH", url, CIMultiDict(headers), b"body")
        assert (response.status, response.reason, response.is_upgrade) == (299, "Fine", False)
        assert response.headers.getall("X-Two") == ["1", "2"]
        assert response.headers["Keep-Alive"] == "timeout=5"
        assert await body_of(response) == packed
        await upstream.close()
    assert [(method, path, body) for method, path, _, body in seen] == [("PATCH", "/a%2Fb?c=+d", b"body")]
    assert seen[0][2] == kept


async def test_upstream_is_never_redirected():
    upstream = Upstream()
    async with real_server() as real, real_server() as mock:
        with Redirection({f"localhost:{real.port}": f"http://127.0.0.1:{mock.port}"}):
            response = await upstream.send("GET", URL(f"{real.url}/x"), {}, None)
            assert await body_of(response) == b"real GET /x"
        await upstream.close()
    assert mock.hits == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "name.example"])
async def test_a_server_that_is_refused_gets_no_request_under_any_name(host):
    """A server that forwards what it cannot answer must not forward it to itself."""
    received, requests, closed = [], [], asyncio.Event()

    class Refused(Exception):
        pass

    def refuse(host: str, port: int) -> Exception | None:
        return Refused() if (host, port) == ("127.0.0.1", own_port) else None

    def decide(request: OutgoingRequest) -> Exception:
        requests.append(request)
        return ValueError("decided")

    async def serve(reader, writer):
        received.append(await reader.read())
        writer.close()
        closed.set()

    upstream = Upstream(refuse=refuse)
    own = await asyncio.start_server(serve, "127.0.0.1", 0)
    own_port = own.sockets[0].getsockname()[1]
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names()))
    async with own, real_server() as real, session:
        with Redirection(decide), pytest.raises(ValueError, match="decided"):
            await session.get("http://api.example/")
        for method in ("GET", "POST"):
            with pytest.raises(Refused):
                await upstream.send(method, URL(f"http://{host}:{own_port}/"), {}, b"secret", as_sent_by=requests[0])
            await asyncio.wait_for(closed.wait(), 5)
            closed.clear()
        response = await upstream.send("GET", URL(f"http://{host}:{real.port}/"), {}, None, as_sent_by=requests[0])
        assert await body_of(response) == b"real GET /"
        await upstream.close()
    assert received == [b"", b""]


async def test_a_body_is_streamed_and_a_chunked_one_stays_chunked():
    async def serve(request):
        return web.Response(text=f"{request.headers.get('Transfer-Encoding')} {await request.text()}")

    async def body():
        yield b"one "
        yield b"two"

    upstream = Upstream()
    async with real_server(serve) as real:
        response = await upstream.send("POST", URL(real.url), {"Transfer-Encoding": "chunked"}, body())
        assert await body_of(response) == b"chunked one two"
        response = await upstream.send("POST", URL(real.url), {"Content-Length": "7"}, body())
        assert await body_of(response) == b"None one two"
        await upstream.close()


async def test_a_body_that_is_not_read_leaves_no_connection_open():
    upstream = Upstream()
    async with real_server() as real:
        for method in ("GET", "HEAD"):
            await upstream.send(method, URL(real.url), {}, None)
        await upstream.close()
        await upstream.close()


async def test_upstream_can_be_used_again_after_close():
    upstream = Upstream()
    async with real_server() as real:
        for _ in range(2):
            assert await body_of(await upstream.send("GET", URL(real.url), {}, None)) == b"real GET /"
            await upstream.close()


async def test_a_request_is_sent_with_the_settings_of_its_client():
    """With the resolver of the client, run on the loop of the client, though upstream runs on another loop."""
    asked_on = []

    class Resolver(Names):
        async def resolve(self, *args, **options):
            asked_on.append(asyncio.get_running_loop())
            return await super().resolve(*args, **options)

    async def serve(request):
        addresses = [request.transport.get_extra_info(name) for name in ("peername", "sockname")]
        text = await asyncio.to_thread(asyncio.run, send(redirection.pop_request(*addresses)))
        return web.Response(text=f"sent: {text}")

    async def send(request: OutgoingRequest) -> str:
        upstream = Upstream()
        try:
            return (await body_of(await upstream.send("GET", request.url, {}, None, as_sent_by=request))).decode()
        finally:
            await upstream.close()

    async with real_server(serve) as mock, real_server() as real:
        redirection = Redirection(lambda request: Address("127.0.0.1", mock.port))
        connector = aiohttp.TCPConnector(resolver=Resolver())
        async with aiohttp.ClientSession(connector=connector) as session:
            with redirection:
                async with session.get(f"http://api.example:{real.port}/x") as response:
                    assert await response.text() == "sent: real GET /x"
    assert asked_on == [asyncio.get_running_loop()]


# Connections that leave HTTP.


class Client:
    """A `ByteStream`: `incoming` is what the client sends, an exception is raised; `received` is what it got."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> bytes:
        data = await self.incoming.get()
        if isinstance(data, Exception):
            raise data
        return data

    async def send(self, data: bytes) -> None:
        self.received.put_nowait(data)


@asynccontextmanager
async def upgraded(first: bytes = b"") -> AsyncIterator[tuple[UpstreamResponse, asyncio.Queue[str]]]:
    """Yield a 101 response of a server that echoes in upper case until "bye", and a queue of what happened to it."""
    events: asyncio.Queue[str] = asyncio.Queue()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nx-case: kept\r\n\r\n" + first)
        with suppress(ConnectionError):
            while (data := await reader.read(2**16)) not in (b"", b"bye"):
                writer.write(data.upper())
                await writer.drain()
        events.put_nowait("closed by the client" if data == b"" else "closed by the server")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream = Upstream()
    async with server:
        url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        yield await upstream.send("GET", url, {"Connection": "Upgrade", "Upgrade": "websocket"}, None), events
        await upstream.close()


async def test_relay_passes_bytes_on_both_ways_until_the_client_ends():
    async with asyncio.timeout(10), upgraded(first=b"welcome") as (response, events):
        assert (response.status, response.reason, response.is_upgrade) == (101, "Go", True)
        assert list(response.headers.items()) == [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("x-case", "kept"),
        ]
        client = Client()
        relay = asyncio.create_task(response.relay(client))
        assert await client.received.get() == b"welcome"
        client.incoming.put_nowait(b"hello\x00\xff")
        assert await client.received.get() == b"HELLO\x00\xff"
        large = b"x" * 1_000_000
        client.incoming.put_nowait(large)
        echoed = b""
        while len(echoed) < len(large):
            echoed += await client.received.get()
        assert echoed == large.upper()
        assert not relay.done()
        client.incoming.put_nowait(b"")
        await relay
        assert await events.get() == "closed by the client"


async def test_relay_ends_when_the_server_closes_the_connection():
    async with asyncio.timeout(10), upgraded() as (response, events):
        client = Client()
        client.incoming.put_nowait(b"bye")
        await response.relay(client)
        assert await events.get() == "closed by the server"
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), aiohttp.ClientConnectionResetError("gone")])
async def test_relay_ends_when_the_client_closes_the_connection(error):
    async with asyncio.timeout(10), upgraded() as (response, events):
        client = Client()
        client.incoming.put_nowait(error)
        await response.relay(client)
        assert await events.get() == "closed by the client"


async def test_relay_raises_any_other_error_of_the_client():
    async with asyncio.timeout(10), upgraded() as (response, events):
        client = Client()
        client.incoming.put_nowait(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await response.relay(client)
        assert await events.get() == "closed by the client"


async def test_a_cancelled_relay_closes_the_connection():
    async with asyncio.timeout(10), upgraded() as (response, events):
        relay = asyncio.create_task(response.relay(Client()))
        await asyncio.sleep(0)
        relay.cancel()
        await asyncio.wait({relay})
        assert relay.cancelled()
        assert await events.get() == "closed by the client"
