"""Forwarding on its own: a request goes to the real network whatever is redirected, and its reply comes as sent."""

import asyncio
import gzip

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from support import Names, real_server
from yarl import URL

from aiointercept_dns import Address, Attempt, Forwarder, Location, OutgoingRequest, Redirection


async def body_of(forwarded) -> bytes:
    return b"".join([chunk async for chunk in forwarded.body])


async def test_a_request_is_sent_as_it_is_and_its_reply_comes_as_it_is():
    packed = gzip.compress(b"reply", mtime=0)

    async def serve(request):
        seen.append((request.method, request.raw_path, list(request.headers.items()), await request.read()))
        response = web.Response(status=299, reason="Fine", body=packed, headers={"Content-Encoding": "gzip"})
        response.headers.extend([("X-Two", "1"), ("X-Two", "2"), ("Keep-Alive", "timeout=5")])
        return response

    seen: list = []
    forwarder = Forwarder()
    async with real_server(serve) as real:
        kept = [("Host", "api.example"), ("X-A", "1"), ("x-a", "2"), ("Content-Length", "4"), ("TE", "trailers")]
        headers = [*kept, ("Expect", "100-continue")]
        url = URL(f"{real.url}/a%2Fb?c=+d")
        forwarded = await forwarder.forward("PATCH", url, CIMultiDict(headers), b"body")
        assert (forwarded.status, forwarded.reason, forwarded.upgraded) == (299, "Fine", False)
        assert forwarded.headers.getall("X-Two") == ["1", "2"]
        assert forwarded.headers["Keep-Alive"] == "timeout=5"
        assert await body_of(forwarded) == packed
        await forwarder.close()
    assert [(method, path, body) for method, path, _, body in seen] == [("PATCH", "/a%2Fb?c=+d", b"body")]
    assert seen[0][2] == kept


async def test_it_is_not_redirected_itself():
    forwarder = Forwarder()
    async with real_server() as real, real_server() as mock:
        with Redirection({f"localhost:{real.port}": f"http://127.0.0.1:{mock.port}"}):
            forwarded = await forwarder.forward("GET", URL(f"{real.url}/x"), {}, None)
            assert await body_of(forwarded) == b"real GET /x"
        await forwarder.close()
    assert mock.hits == []


async def test_a_body_is_streamed_and_a_chunked_one_stays_chunked():
    async def serve(request):
        return web.Response(text=f"{request.headers.get('Transfer-Encoding')} {await request.text()}")

    async def body():
        yield b"one "
        yield b"two"

    forwarder = Forwarder()
    async with real_server(serve) as real:
        forwarded = await forwarder.forward("POST", URL(real.url), {"Transfer-Encoding": "chunked"}, body())
        assert await body_of(forwarded) == b"chunked one two"
        forwarded = await forwarder.forward("POST", URL(real.url), {"Content-Length": "7"}, body())
        assert await body_of(forwarded) == b"None one two"
        await forwarder.close()


async def test_a_body_that_nobody_reads_leaves_nothing_open():
    forwarder = Forwarder()
    async with real_server() as real:
        for method in ("GET", "HEAD"):
            await forwarder.forward(method, URL(real.url), {}, None)
        await forwarder.close()
        await forwarder.close()


async def test_it_may_be_used_again_after_it_was_closed():
    forwarder = Forwarder()
    async with real_server() as real:
        for _ in range(2):
            assert await body_of(await forwarder.forward("GET", URL(real.url), {}, None)) == b"real GET /"
            await forwarder.close()


async def test_an_attempt_tells_how_its_client_reaches_the_network():
    """With the client's own resolver, asked on the client's loop, while the forwarder lives on another."""
    asked_on = []

    class Resolver(Names):
        async def resolve(self, *args, **options):
            asked_on.append(asyncio.get_running_loop())
            return await super().resolve(*args, **options)

    async def serve(request):
        ends = [request.transport.get_extra_info(name) for name in ("peername", "sockname")]
        attempt = redirection.take_attempt(*ends)
        text = await asyncio.to_thread(asyncio.run, forwarded_text(attempt))
        return web.Response(text=f"forwarded: {text}")

    async def forwarded_text(attempt: Attempt) -> str:
        forwarder = Forwarder()
        try:
            forwarded = await forwarder.forward("GET", attempt.url, {}, None, like=attempt)
            return (await body_of(forwarded)).decode()
        finally:
            await forwarder.close()

    class Mock:
        def locate(self, request: OutgoingRequest) -> Location:
            return address

    async with real_server(serve) as mock, real_server() as real:
        address = Address("127.0.0.1", mock.port)
        redirection = Redirection(Mock())
        connector = aiohttp.TCPConnector(resolver=Resolver())
        async with aiohttp.ClientSession(connector=connector) as session:
            with redirection:
                async with session.get(f"http://api.example:{real.port}/x") as response:
                    assert await response.text() == "forwarded: real GET /x"
    assert asked_on == [asyncio.get_running_loop()]
