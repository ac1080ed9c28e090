"""Clients work as without the patches while a redirection is active: errors, traces, classes, middlewares, warnings."""

import asyncio
import inspect
import sys
import unittest.mock
import warnings

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector
from support import fetch, real_server

from aiointercept_dns import Address, Redirection

OWNERS = (aiohttp.BaseConnector, TCPConnector, ClientSession, aiohttp.UnixConnector, aiohttp.ClientRequest)


@pytest.fixture(autouse=True)
def _no_patch_is_left():
    before = [dict(vars(owner)) for owner in OWNERS]
    yield
    assert [dict(vars(owner)) for owner in OWNERS] == before


async def test_a_connection_to_another_address_is_closed_before_anything_is_sent(monkeypatch):
    received, closed = [], asyncio.Event()

    async def wrong(reader, writer):
        received.append(await reader.read())
        writer.close()
        closed.set()

    server = await asyncio.start_server(wrong, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def _create_connection(self, req, traces, timeout):
        return (await self._loop.create_connection(self._factory, "127.0.0.1", port))[1]

    # As another library may do.
    monkeypatch.setattr(TCPConnector, "_create_connection", _create_connection)
    connector = TCPConnector()
    timeout = aiohttp.ClientTimeout(total=5)
    async with server, ClientSession(connector=connector, timeout=timeout) as session:
        with Redirection({"api.example": "http://127.0.0.1:1"}):
            with pytest.raises(aiohttp.ClientConnectionError) as caught:
                await session.post("http://api.example", data=b"secret")
            await asyncio.wait_for(closed.wait(), 5)
        assert received == [b""]
        assert str(caught.value) == (
            f"the connector opened a connection to ('127.0.0.1', {port}) instead of the mock at 127.0.0.1:1, "
            "and it was closed before anything was sent: use a connector that connects to the address it is given"
        )
        assert not connector._acquired
        assert not connector._conns


async def test_an_unreachable_server_is_aiohttps_own_error_for_the_url():
    with Redirection({"api.example": "http://127.0.0.1:1"}):
        with pytest.raises(aiohttp.ClientConnectorError, match=r"Cannot connect to host api\.example:443") as caught:
            await fetch("https://api.example")
        assert caught.value.host == "api.example"


async def test_traces_are_called_as_usual():
    async def events(url: str) -> list[str]:
        seen = []
        trace = aiohttp.TraceConfig()
        for name in vars(aiohttp.TraceConfig):
            if name.startswith("on_"):

                async def note(session, context, params, name=name):
                    seen.append(f"{name} {getattr(params, 'url', None)}")

                getattr(trace, name).append(note)
        async with ClientSession(trace_configs=[trace]) as session:
            for _ in range(2):
                async with session.post(url, data=b"x") as response:
                    await response.read()
        return seen

    async with real_server() as mock:
        direct = await events(f"http://127.0.0.1:{mock.port}/")
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            redirected = await events("https://api.example/")
    assert redirected == [event.replace(f"http://127.0.0.1:{mock.port}", "https://api.example") for event in direct]
    assert "on_connection_reuseconn None" in redirected


async def test_classes_of_the_user_are_used():
    class Request(aiohttp.ClientRequest):
        pass

    class Response(aiohttp.ClientResponse):
        pass

    requests = []

    def decide(request):
        requests.append(request.client_request)
        return Address("127.0.0.1", mock.port)

    async with real_server() as mock, ClientSession(request_class=Request, response_class=Response) as session:
        with Redirection(decide):
            async with session.get("https://api.example/") as response:
                assert (type(requests[0]), type(response)) == (Request, Response)


async def test_a_subclass_of_the_session_is_used():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Inheritance class Session from ClientSession is discouraged")
        try:

            class Session(ClientSession):
                async def _request(self, method, url, **options):
                    options.setdefault("headers", {})["X-Session"] = "own"
                    return await super()._request(method, url, **options)

        except TypeError as exc:
            pytest.skip(f"aiohttp {aiohttp.__version__}: {exc}")

    async def echo(request):
        return aiohttp.web.Response(text=request.headers["X-Session"])

    async with real_server(echo) as mock, Session() as session:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            async with session.get("https://api.example/") as response:
                assert await response.text() == "own"


async def test_middlewares_of_the_session_and_of_a_call_are_used():
    def adding(value):
        async def add(request, handler):
            request.headers.add("X-Seen", value)
            return await handler(request)

        return add

    async def echo(request):
        # The headers as they were sent: aiohttp 4 joins equal ones.
        return aiohttp.web.json_response([value.decode() for name, value in request.raw_headers if name == b"X-Seen"])

    async with real_server(echo) as mock, ClientSession(middlewares=[adding("1"), adding("2")]) as session:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            for middlewares, seen in ((None, ["1", "2"]), ((adding("3"),), ["3"]), ((), [])):
                async with session.get("https://api.example/", middlewares=middlewares) as response:
                    assert await response.json() == seen


async def test_warnings_name_the_line_of_the_caller(monkeypatch):
    original = ClientSession._request

    async def _request(self, *args, **options):
        # As some releases of aiohttp do.
        warnings.warn("old", DeprecationWarning, stacklevel=2)
        return await original(self, *args, **options)

    monkeypatch.setattr(ClientSession, "_request", _request)

    async def warned(url: str) -> list[tuple[str, int]]:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            async with ClientSession() as session:
                await session.get(url)
                async with session.get(url):
                    pass
        return [(each.filename, each.lineno) for each in seen if each.category is DeprecationWarning]

    async with real_server() as mock:
        direct = await warned(f"http://127.0.0.1:{mock.port}/")
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            assert await warned("https://api.example/") == direct
    assert len(direct) == 2


async def test_the_wrappers_are_coroutine_functions():
    # Only asyncio's knows the mark that Python 3.11 has; it is deprecated since 3.14.
    is_coroutine_function = asyncio.iscoroutinefunction if sys.version_info < (3, 12) else inspect.iscoroutinefunction
    plain = inspect.signature(ClientSession._request)
    with Redirection({}):
        assert is_coroutine_function(ClientSession._request)
        assert is_coroutine_function(TCPConnector.connect)
        assert inspect.signature(ClientSession._request) == plain
        with unittest.mock.patch.object(ClientSession, "_request") as replaced:
            assert isinstance(replaced, unittest.mock.AsyncMock)


async def test_wrong_arguments_raise_aiohttps_own_error():
    async with ClientSession() as session:
        with Redirection({}), pytest.raises(TypeError, match="unexpected keyword argument 'bogus'"):
            await session.get("http://api.example", bogus=1)


async def test_a_unix_connector_is_not_redirected(tmp_path):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nunix")
        await writer.drain()
        writer.close()

    path = str(tmp_path / "socket")
    server = await asyncio.start_unix_server(serve, path)
    async with server, ClientSession(connector=aiohttp.UnixConnector(path)) as session:
        with Redirection({"api.example": "http://127.0.0.1:1"}):
            async with session.get("http://api.example") as response:
                assert await response.text() == "unix"
