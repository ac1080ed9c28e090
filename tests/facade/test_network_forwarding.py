"""Unmatched requests are forwarded to the real network as they are, and so are the replies; each is recorded."""

import asyncio
import gzip
import io
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector, hdrs, web
from support import Names, real_server
from yarl import URL

from aiointercept import aiointercept


@pytest.fixture(name="names")
def _names() -> Names:
    return Names()


def session_with(names: Names, **options) -> ClientSession:
    timeout = aiohttp.ClientTimeout(total=10)
    return ClientSession(connector=TCPConnector(resolver=names, **options), timeout=timeout)


@asynccontextmanager
async def forwarding(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] | None = None, **options
) -> AsyncIterator[tuple[aiointercept, ClientSession, str]]:
    """Run a real server and a mock that forwards to it; the session reaches both by the URL."""
    async with (
        real_server(handler, **options) as real,
        session_with(Names()) as session,
        aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m,
    ):
        yield m, session, f"http://api.example:{real.port}/"


def raw(message: web.BaseRequest | aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in message.raw_headers if name not in (b"Date", b"Host")]


async def test_matched_requests_are_mocked_and_the_others_forwarded(names):
    async with real_server() as real, session_with(names) as session:
        base = f"http://api.example:{real.port}"
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
            m.get(f"{base}/mocked", body="mocked")
            for path, text in (
                ("mocked", "mocked"),
                ("real?x=1", "real GET /real?x=1"),
                ("mocked", "real GET /mocked"),
            ):
                async with session.get(f"{base}/{path}") as response:
                    assert await response.text() == text
                    assert str(response.url) == f"{base}/{path}"
            assert m.call_count == 3
            assert list(m.requests) == [("GET", URL(f"{base}/mocked")), ("GET", URL(f"{base}/real?x=1"))]


async def exchanges(session: ClientSession, url: str, method: str, options: dict) -> list:
    async with session.request(method, url, **options) as response:
        body = await response.read()
        return [response.status, response.reason, response.url, [each.status for each in response.history], body]


REQUESTS = {
    "get": ("GET", "/", {}),
    "query": ("GET", "/a%2Fb/%C3%BC?q=a+b&q=%20c&e=", {}),
    "encoded": ("GET", "/", {"params": {"q": "ü &="}}),
    "post": ("POST", "/", {"data": b"\x00\xff bytes"}),
    "json": ("PUT", "/", {"json": {"a": [1, None]}}),
    "form": ("PATCH", "/", {"data": {"a": "1", "b": "ü"}}),
    "empty post": ("POST", "/", {}),
    "delete": ("DELETE", "/", {}),
    "options": ("OPTIONS", "/", {}),
    "head": ("HEAD", "/", {}),
    "own method": ("PURGE", "/", {}),
    "headers": ("GET", "/", {"headers": [("X-Two", "1"), ("x-two", "2"), ("Accept", "a/b"), ("User-Agent", "mine")]}),
    "cookies": ("GET", "/", {"cookies": {"a": "b", "c": "d"}}),
    "no automatic headers": ("GET", "/", {"skip_auto_headers": ["User-Agent", "Accept", "Accept-Encoding"]}),
    "chunked": ("POST", "/", {"data": b"chunks", "chunked": True}),
    "compressed": ("POST", "/", {"data": b"x" * 500, "compress": "gzip"}),
    "deflated by hand": ("POST", "/", {"data": zlib.compress(b"x"), "headers": {"Content-Encoding": "deflate"}}),
    "expect": ("POST", "/", {"data": b"later", "expect100": True}),
    "host": ("GET", "/", {"headers": {"Host": "other.example"}}),
    "authorization": ("GET", "/", {"headers": {"Authorization": "Bearer secret", "Proxy-Authorization": "x"}}),
    "connection": ("GET", "/", {"headers": {"Connection": "close", "TE": "trailers", "Keep-Alive": "timeout=5"}}),
    "upgrade": ("GET", "/", {"headers": {"Connection": "Upgrade", "Upgrade": "h2c"}}),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_real_server_gets_what_a_direct_client_sends(names, name):
    seen = []

    async def note(request):
        if "Expect" in request.headers:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        seen.append([request.method, request.raw_path, request.host, dict(request.cookies), await request.read()])
        seen.append([each for each in raw(request) if each[0] != b"Expect"])
        return web.Response(body=b"x" if request.method != "HEAD" else b"", headers={"X-Reply": "yes"})

    method, path, options = REQUESTS[name]
    async with real_server(note, auto_decompress=False) as real, session_with(names) as session:
        url = f"http://api.example:{real.port}{path}"
        direct = await exchanges(session, url, method, options)
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
            assert await exchanges(session, url, method, options) == direct
        assert seen[2:] == seen[:2]
        assert m.call_count == 1
        assert m.last_request.complete
        assert (m.last_request.encoded_body or b"") == seen[0][-1]


async def plain(request):
    return web.Response(text="body")


async def with_duplicates(request):
    response = web.Response(body=b"{}", headers={"X-Two": "1"})
    response.headers.add("x-two", "2")
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; Path=/; HttpOnly")
    response.headers["Server"] = "mine"
    return response


async def with_connection_headers(request):
    headers = {"Connection": "close, Upgrade", "Upgrade": "h2c", "Proxy-Authenticate": "Basic", "Keep-Alive": "max=5"}
    return web.Response(status=407, headers=headers, text="x")


async def redirecting(request):
    if request.path == "/":
        return web.Response(status=302, reason="Over There", headers={"Location": "/there?x=%20"}, body=b"moved")
    return web.Response(text=f"there {request.raw_path}")


async def compressed(request):
    return web.Response(body=gzip.compress(b"x" * 1000, mtime=0), headers={"Content-Encoding": "gzip"})


async def not_modified(request):
    return web.Response(status=304, headers={"ETag": '"1"'})


async def no_content(request):
    return web.Response(status=204)


async def odd_status(request):
    return web.Response(status=299, reason="Odd But Fine", text="x")


async def streamed(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(5 if request.method != "HEAD" else 0):
        await response.write(b"%d" % number)
    return response


async def until_close(request):
    request.transport.write(b"HTTP/1.0 200 OK\r\nX-Old: 1\r\n\r\n")
    request.transport.write(b"until the end" if request.method != "HEAD" else b"")
    request.transport.close()
    return web.Response()


async def early_hints(request):
    request.transport.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    return web.Response(text="after")


async def large(request):
    return web.Response(body=b"x" * 3_000_000)


async def empty(request):
    return web.Response(body=b"")


REPLIES = [
    plain,
    with_duplicates,
    with_connection_headers,
    redirecting,
    compressed,
    not_modified,
    no_content,
    odd_status,
    streamed,
    until_close,
    early_hints,
    large,
    empty,
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.__name__)
async def test_the_client_gets_what_the_real_server_sends(names, reply, method):
    async def ask(decompress: bool) -> list:
        connector = TCPConnector(resolver=names)
        async with ClientSession(connector=connector, auto_decompress=decompress) as session:
            result = []
            for follow in (True, False):
                async with session.request(method, url, allow_redirects=follow) as response:
                    body = await response.read()
                    headers = [pair for pair in raw(response) if pair[0] != b"Transfer-Encoding"]
                    result.append([response.status, response.reason, headers, body, str(response.url)])
            return [*result, sorted(str(cookie) for cookie in session.cookie_jar)]

    async with real_server(reply) as real:
        url = f"http://api.example:{real.port}/"
        direct = [await ask(True), await ask(False)]
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True):
            forwarded = [await ask(True), await ask(False)]
    assert forwarded == direct


async def test_reply_headers_that_are_not_utf8_are_decoded_as_latin_1():
    async def reply(request):
        request.transport.write(
            b"HTTP/1.1 200 Caf\xe9\r\nX-Latin: caf\xe9\r\nX-UTF: caf\xc3\xa9\r\nContent-Length: 0\r\n\r\n"
        )
        request.transport.close()
        return web.Response()

    async with forwarding(reply) as (_, session, url), session.get(url) as response:
        assert (response.reason, response.headers["X-Latin"], response.headers["X-UTF"]) == ("Café", "café", "café")


async def test_the_first_byte_is_relayed_when_it_is_sent():
    go_on = asyncio.Event()

    async def reply(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await go_on.wait()
        await response.write(b"last")
        return response

    async with forwarding(reply) as (_, session, url), session.get(url) as response:
        assert await asyncio.wait_for(response.content.readany(), 5) == b"first"
        go_on.set()
        assert await response.read() == b"last"


async def test_the_head_is_relayed_before_any_body():
    go_on = asyncio.Event()

    async def reply(request):
        response = web.StreamResponse(headers={"X-Early": "1"})
        await response.prepare(request)
        await response.write(b"")
        request.writer.send_headers()
        await go_on.wait()
        await response.write(b"body")
        return response

    async with forwarding(reply) as (_, session, url):
        response = await asyncio.wait_for(session.get(url), 5)
        assert response.headers["X-Early"] == "1"
        go_on.set()
        assert await response.read() == b"body"


async def test_an_upload_is_streamed_while_it_is_sent():
    arrived = asyncio.Event()

    async def reply(request):
        chunks = [await request.content.readany()]
        arrived.set()
        while chunk := await request.content.readany():
            chunks.append(chunk)
        return web.Response(body=b"|".join(chunks))

    async def upload():
        yield b"first"
        # Only what reached the real server already lets the rest go.
        await asyncio.wait_for(arrived.wait(), 5)
        yield b"last"

    async with forwarding(reply) as (m, session, url):
        async with session.put(url, data=upload()) as response:
            assert await response.read() == b"first|last"
        assert m.last_request.captured_body == b"firstlast"
        assert m.last_request.complete


async def test_a_reply_to_an_unfinished_upload_is_relayed():
    never = asyncio.Event()

    async def reply(request):
        return web.Response(status=401, text="not you")

    async def upload():
        yield b"first"
        await never.wait()

    async with forwarding(reply) as (m, session, url):
        response = await session.post(url, data=upload())
        assert (response.status, await response.text()) == (401, "not you")
    assert m.last_request.captured_body == b"first"
    assert not m.last_request.complete


async def test_a_client_that_leaves_ends_the_exchange_upstream():
    left = asyncio.Event()

    async def reply(request):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            left.set()
            raise

    async with forwarding(reply, handler_cancellation=True) as (m, session, url):
        with pytest.raises(TimeoutError):
            await session.get(url, timeout=aiohttp.ClientTimeout(total=0.2))
        await asyncio.wait_for(left.wait(), 5)
        assert m.call_count == 1


async def test_large_bodies_go_through_both_ways():
    async def echo(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)
        return response

    body = bytes(range(256)) * 40_000
    async with forwarding(echo) as (m, session, url):
        async with session.post(url, data=io.BytesIO(body)) as response:
            assert await response.read() == body
        assert m.last_request.captured_body == body


async def test_cookies_are_not_kept_between_requests(names):
    async def reply(request):
        seen.append(request.headers.get(hdrs.COOKIE))
        return web.Response(headers={"Set-Cookie": "a=1; Path=/"})

    seen = []
    async with real_server(reply) as real, aiointercept(mock_external_urls=True, passthrough_unmatched=True):
        for _ in range(2):
            async with session_with(names) as session:
                await session.get(f"http://api.example:{real.port}/")
    assert seen == [None, None]


async def test_many_at_once():
    async def reply(request):
        return web.Response(text=request.path)

    async with forwarding(reply) as (m, session, url):

        async def ask(number: int) -> bool:
            async with session.get(f"{url}{number}") as response:
                return await response.text() == f"/{number}"

        assert all(await asyncio.gather(*(ask(number) for number in range(100))))
        assert m.call_count == 100


async def test_a_request_whose_route_is_exhausted_while_its_body_arrives_is_forwarded():
    async def measure(request):
        size = sum([len(chunk) async for chunk in request.content.iter_any()])
        return web.Response(text=f"real {size}")

    sent, go_on = asyncio.Event(), asyncio.Event()
    # More than aiohttp takes as bytes without a warning.
    large = b"slow" * 300_000

    async def upload():
        yield large
        sent.set()
        await go_on.wait()

    async with forwarding(measure) as (m, session, url):
        m.post(url, body="mocked")
        slow = asyncio.create_task(session.post(url, data=upload()))
        await sent.wait()
        async with session.post(url, data=b"quick") as response:
            assert await response.text() == "mocked"
        go_on.set()
        async with await slow as response:
            assert await response.text() == f"real {len(large)}"
        assert m.call_count == 2


async def test_the_real_network_is_reached_as_by_the_users_connector():
    """From its address, by its sockets, with its resolver and for its family."""

    async def peer(request):
        return web.Response(text=request.transport.get_extra_info("peername")[0])

    def factory(info) -> socket.socket:
        sockets.append(info[-1][1])
        return socket.socket(*info[:3])

    class Resolver(Names):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            families.append(family)
            return await super().resolve(host, port, family)

    sockets: list[int] = []
    families: list[int] = []
    connector = TCPConnector(
        resolver=Resolver(), local_addr=("127.0.0.9", 0), socket_factory=factory, family=socket.AF_INET
    )
    async with real_server(peer) as real, ClientSession(connector=connector) as session:
        url = f"http://api.example:{real.port}/"
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True):
            response = await session.get(url)
            assert await response.text() == "127.0.0.9"
        assert sockets[1:] == [real.port]
        assert families == [socket.AF_INET]


async def test_passthrough_hosts_use_the_users_own_connector_and_pool(names):
    async def connection(request):
        return web.Response(text=str(request.transport.get_extra_info("peername")[1]))

    async with real_server(connection) as real, session_with(names, limit=1) as session:
        url = f"http://api.example:{real.port}/"

        async def ask() -> str:
            async with session.get(url) as response:
                return await response.text()

        before = await ask()
        async with aiointercept(mock_external_urls=True, passthrough=["api.example"], passthrough_unmatched=True) as m:
            assert await ask() == before
            assert m.call_count == 0
        assert await ask() == before
