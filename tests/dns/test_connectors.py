"""Connectors of other kinds than aiohttp's TCPConnector: no request leaves by one of them where a mock is expected."""

import asyncio
import gc
import socket

import aiohttp
import pytest
from aiohttp import BaseConnector, ClientSession, TCPConnector
from support import Names, real_server

from aiointercept_dns import REAL_NETWORK, Address, Redirection


class Tunnel(BaseConnector):
    """A connector of its own, such as one for an SSH tunnel; `connected` are the hosts that it has connected to."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.connected: list[str] = []

    async def _create_connection(self, req, traces, timeout):
        self.connected.append(req.url.host)
        return (await self._loop.create_connection(self._factory, "127.0.0.1", self._port))[1]


async def test_a_redirected_request_never_leaves_by_a_connector_of_its_own():
    async with real_server() as real:
        tunnel = Tunnel(real.port)
        async with ClientSession(connector=tunnel) as session:
            with Redirection({"api.example": "http://127.0.0.1:1"}):
                for method in ("GET", "POST"):
                    with pytest.raises(RuntimeError) as caught:
                        await session.request(method, "https://api.example/x?y=1")
                    assert str(caught.value) == (
                        f"{method} https://api.example/x?y=1 cannot be redirected because Tunnel is not a "
                        "TCPConnector: use an aiohttp.TCPConnector in tests, or let this host reach the real network"
                    )
                assert tunnel.connected == []
                assert (await session.get("http://other.example/")).status == 200
            # The redirection has ended.
            assert (await session.get("http://api.example/")).status == 200
    assert tunnel.connected == ["other.example", "api.example"]


async def test_a_request_to_the_real_network_works_with_a_custom_connector():
    async with real_server() as real, ClientSession(connector=Tunnel(real.port)) as session:
        with Redirection({"api.example": "http://127.0.0.1:1"}), Redirection(lambda _: REAL_NETWORK):
            assert await (await session.get("http://api.example/")).text() == "real GET /"


async def test_an_http_redirect_to_a_mock_is_refused_with_a_custom_connector():
    async def redirecting(request):
        return aiohttp.web.Response(status=302, headers={"Location": "http://api.example/"})

    async with real_server(redirecting) as real:
        tunnel = Tunnel(real.port)
        async with ClientSession(connector=tunnel) as session:
            refused = pytest.raises(RuntimeError, match=r"GET http://api\.example/ cannot be redirected")
            with Redirection({"api.example": "http://127.0.0.1:1"}), refused:
                await session.get("http://other.example/")
    assert tunnel.connected == ["other.example"]


async def test_a_call_of_a_connector_of_its_own_does_not_outlive_its_redirection():
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with real_server() as real:
        tunnel = Tunnel(real.port)
        async with ClientSession(connector=tunnel, middlewares=[hold]) as session:
            with Redirection({"api.example": "http://127.0.0.1:1"}):
                task = asyncio.create_task(session.get("http://api.example/"))
                await held.wait()
            go.set()
            with pytest.raises(aiohttp.ClientConnectionError, match="the redirection ended"):
                await task
    assert tunnel.connected == []


@pytest.mark.parametrize("error", [ConnectionRefusedError("refused"), aiohttp.ServerDisconnectedError("gone")])
async def test_an_exception_that_is_decided_is_raised_for_a_connector_of_its_own(error):
    tunnel = Tunnel(1)
    async with ClientSession(connector=tunnel) as session:
        with Redirection(lambda _: error, unwrap_os_errors=True), pytest.raises(type(error)) as caught:
            await session.get("http://api.example/")
    assert caught.value is error
    assert tunnel.connected == []


async def test_a_closed_session_gets_aiohttps_own_error():
    session = ClientSession()
    await session.close()
    with Redirection({"api.example": "http://127.0.0.1:1"}), pytest.raises(RuntimeError, match="Session is closed"):
        await session.get("http://api.example/")


# A SOCKS connector is a TCPConnector whose private methods connect to a proxy.


class ProxyingConnection(TCPConnector):
    """As aiohttp_socks does."""

    proxy = 0

    async def _wrap_create_connection(self, *args, **options):
        return await self._loop.create_connection(self._factory, "127.0.0.1", self.proxy)


class ProxyingRequest(TCPConnector):
    proxy = 0

    async def _create_connection(self, req, traces, timeout):
        return (await self._loop.create_connection(self._factory, "127.0.0.1", self.proxy))[1]


class ProxyingDirectly(TCPConnector):
    proxy = 0

    async def _create_direct_connection(self, req, traces, timeout, **options):
        return await self._loop.create_connection(self._factory, "127.0.0.1", self.proxy)


@pytest.mark.parametrize("connector_class", [ProxyingConnection, ProxyingRequest, ProxyingDirectly])
async def test_a_proxy_that_a_connector_connects_to_is_not_contacted_for_a_redirected_request(connector_class):
    contacts = []

    async def proxy(reader, writer):
        contacts.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nproxy")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    async with server, real_server() as mock:
        connector = connector_class(resolver=Names(), limit=1)
        connector.proxy = server.sockets[0].getsockname()[1]
        timeout = aiohttp.ClientTimeout(total=5)
        async with ClientSession(connector=connector, timeout=timeout) as session:
            with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
                for path in ("a", "b"):
                    async with session.get(f"https://api.example/{path}") as response:
                        assert await response.text() == f"real GET /{path}"
                assert contacts == []
                async with session.get("http://other.example/") as response:
                    assert await response.text() == "proxy"
    assert len(contacts) == 1


async def test_a_connector_of_a_subclass_keeps_its_limits_pool_and_timers():
    class Connector(TCPConnector):
        pass

    created = []

    def socket_factory(address):
        created.append(address[4])
        return socket.socket(*address[:3])

    async with real_server() as mock:
        connector = Connector(limit=1, keepalive_timeout=0.05, socket_factory=socket_factory)
        async with ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5)) as session:
            with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):

                async def get() -> str:
                    async with session.get("http://api.example/") as response:
                        assert response.connection is None or response.connection._connector is connector
                        return await response.text()

                assert await asyncio.gather(get(), get(), get()) == ["real GET /"] * 3
                assert created == [("127.0.0.1", mock.port)]
                gc.collect()
                # Idle connections are closed after the time that the user has set.
                async with asyncio.timeout(5):
                    while connector._conns:
                        await asyncio.sleep(0.02)
            assert not connector._acquired
            assert not connector.closed


async def test_a_subclass_whose_connect_method_calls_aiohttps_is_redirected():
    class Counting(TCPConnector):
        calls = 0

        async def connect(self, req, traces, timeout):
            self.calls += 1
            return await super().connect(req, traces, timeout)

    async with real_server() as mock, ClientSession(connector=Counting()) as session:
        with Redirection(lambda _: Address("127.0.0.1", mock.port)):
            async with session.get("http://api.example/") as response:
                assert response.status == 200
        assert session.connector.calls == 1
