"""Whatever connector a client has, it reaches the mock, and its pool and caches are the user's as ever."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import trustme
from aiohttp import ClientSession, TCPConnector, web
from support import Names, RealServer, real_server

from aiointercept import CallbackResult, aiointercept

try:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
    HAS_IPV6 = True
except OSError:
    HAS_IPV6 = False
ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="this machine has no ::1")


def own_socket(info) -> socket.socket:
    family, kind, protocol, _, _ = info
    return socket.socket(family, kind, protocol)


CONNECTORS = {
    "default": {},
    "AF_INET": {"family": socket.AF_INET},
    "AF_INET6": pytest.param({"family": socket.AF_INET6}, marks=ipv6),
    "limit=1": {"limit": 1},
    "limit=0": {"limit": 0},
    "limit_per_host=1": {"limit_per_host": 1},
    "force_close": {"force_close": True},
    "no DNS cache": {"use_dns_cache": False},
    "no keep-alive": {"keepalive_timeout": 0.001},
    "local_addr": {"local_addr": ("127.0.0.1", 0)},
    "local_addr elsewhere": {"local_addr": ("127.0.0.9", 0)},
    "local_addr IPv6": pytest.param({"local_addr": ("::1", 0)}, marks=ipv6),
    "no happy eyeballs": {"happy_eyeballs_delay": None},
    "socket_factory": {"socket_factory": own_socket},
    "ssl=False": {"ssl": False},
    "enable_cleanup_closed": {"limit": 3, "ttl_dns_cache": None},
}
PARAMETERS = [
    pytest.param(*case.values, marks=case.marks, id=name) if hasattr(case, "marks") else pytest.param(case, id=name)
    for name, case in CONNECTORS.items()
]


async def text_of(session: ClientSession, url: str, **options) -> str:
    async with session.get(url, **options) as response:
        return await response.text()


@pytest.mark.parametrize("options", PARAMETERS)
async def test_any_connector_reaches_the_mock_for_http_and_https(options):
    names = Names()
    # This connector is made before the mock starts; other tests make theirs later.
    connector = TCPConnector(resolver=names, **options)
    async with aiointercept(mock_external_urls=True) as m:
        for url in ("http://api.example/", "https://api.example/", "http://api.example:8080/"):
            m.get(url, body=url, repeat=True)
        async with ClientSession(connector=connector) as session:
            for url in ("http://api.example/", "https://api.example/", "http://api.example:8080/") * 2:
                assert await text_of(session, url) == url
            together = await asyncio.gather(*(text_of(session, "https://api.example/") for _ in range(5)))
            assert together == ["https://api.example/"] * 5
            with pytest.raises(aiohttp.ServerDisconnectedError, match="no route matches"):
                await session.get("https://other.example/")
            assert not connector._acquired
        assert m.call_count == 12
    assert names.asked == []


async def test_limits_hold():
    """As many connections at once as the connector allows, in all and for each origin."""
    open_now: Counter[str] = Counter()
    most: Counter[str] = Counter()
    first_five = asyncio.Event()

    async def count(url, **_):
        for key in ("all", url.host):
            open_now[key] += 1
            most[key] = max(most[key], open_now[key])
        if open_now["all"] == 5:
            first_five.set()
        await asyncio.wait_for(first_five.wait(), 5)
        for key in ("all", url.host):
            open_now[key] -= 1
        return CallbackResult()

    async with aiointercept(mock_external_urls=True) as m:
        async with ClientSession(connector=TCPConnector(limit=5, limit_per_host=2)) as session:
            urls = [f"https://{host}.example/" for host in "abcd"]
            for url in urls:
                m.get(url, callback=count, repeat=True)
            await asyncio.gather(*(session.get(url) for url in urls * 5))
        assert m.call_count == 20
    assert (most["all"], most["a.example"]) == (5, 2)
    assert max(most[f"{host}.example"] for host in "bcd") <= 2


@asynccontextmanager
async def connections() -> AsyncIterator[tuple[RealServer, TCPConnector, ClientSession, str]]:
    """A real server that answers with the client's port, and a session that reaches it as `api.example`."""

    async def port(request):
        return web.Response(text=str(request.transport.get_extra_info("peername")[1]))

    connector = TCPConnector(resolver=Names())
    async with real_server(port) as real, ClientSession(connector=connector) as session:
        yield real, connector, session, f"http://api.example:{real.port}/"


async def test_a_live_connection_to_the_real_host_is_left_alone():
    async with connections() as (real, connector, session, url):
        before = await text_of(session, url)
        (pooled,) = connector._conns.values()
        async with aiointercept(mock_external_urls=True) as m:
            m.get(url, body="mocked", repeat=True)
            assert await text_of(session, url) == "mocked"
            assert pooled in connector._conns.values()
            assert len(real.hits) == 1
        assert await text_of(session, url) == before
        assert len(real.hits) == 2


async def test_a_warm_dns_cache_is_neither_used_nor_spoiled():
    async with connections() as (real, connector, session, url):
        assert connector.use_dns_cache
        await text_of(session, url)
        cached = ("api.example", real.port)
        assert cached in connector._cached_hosts
        async with aiointercept(mock_external_urls=True) as m:
            m.get(url, body="mocked")
            m.get("http://new.example/", body="new")
            assert await text_of(session, url) == "mocked"
            assert await text_of(session, "http://new.example/") == "new"
        assert list(connector._cached_hosts._addrs_rr) == [cached]
        await text_of(session, url)
        assert connector._resolver.asked == ["api.example"]


async def test_one_session_is_used_with_two_mocks_and_between_them():
    async with connections() as (_, _, session, url):
        texts = []
        for number in range(2):
            async with aiointercept(mock_external_urls=True) as m:
                m.get(url, body=f"mock {number}", repeat=True)
                texts += [await text_of(session, url) for _ in range(2)]
                assert m.call_count == 2
            texts.append(await text_of(session, url))
        real = texts[2]
        assert texts == ["mock 0", "mock 0", real, "mock 1", "mock 1", real]


async def test_real_and_mocked_hosts_share_one_pool():
    async with connections() as (_, _, session, url):
        async with aiointercept(mock_external_urls=True, passthrough=["api.example"]) as m:
            m.get("https://mocked.example/", body="mocked", repeat=True)
            texts = await asyncio.gather(
                *(text_of(session, target) for target in (url, "https://mocked.example/") * 10),
            )
        assert texts[1::2] == ["mocked"] * 10
        assert all(text.isdigit() for text in texts[::2])


# Proxies.


class Proxy:
    """An HTTP proxy: `seen` are the first lines of what clients ask it for, and its credentials."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()

    async def _serve(self, reader, writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        self.seen.append((lines[0], fields.get("Proxy-Authorization")))
        target = lines[0].split()[1]
        port = int(target.removeprefix("http://").split("/")[0].split(":")[1])
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        if lines[0].startswith("CONNECT"):
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            upstream_writer.write(head)
        await asyncio.gather(self._copy(reader, upstream_writer), self._copy(upstream_reader, writer))

    @staticmethod
    async def _copy(reader, writer) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


PROXY_SETTINGS = ["proxy=", "session proxy", "trust_env"]


@asynccontextmanager
async def behind_proxy(proxy: Proxy, setting: str, monkeypatch) -> AsyncIterator[tuple[ClientSession, dict]]:
    session_options, options = {}, {}
    url = proxy.url.replace("http://", "http://user:secret@")
    if setting == "proxy=":
        options["proxy"] = url
    elif setting == "session proxy":
        session_options["proxy"] = url
    else:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("https_proxy", url)
        monkeypatch.delenv("no_proxy", raising=False)
        session_options["trust_env"] = True
    # Each request asks the proxy anew.
    connector = TCPConnector(resolver=Names(), force_close=True)
    async with ClientSession(connector=connector, **session_options) as session:
        yield session, options


@pytest.mark.parametrize("setting", PROXY_SETTINGS)
async def test_a_proxy_is_not_used_for_mocked_urls(setting, monkeypatch):
    async with Proxy() as proxy, behind_proxy(proxy, setting, monkeypatch) as (session, options):
        async with aiointercept(mock_external_urls=True) as m:
            for url in ("http://api.example/x", "https://api.example/x"):
                m.get(url, body=url, repeat=True)
                assert await text_of(session, url, **options) == url
                assert await text_of(session, url, **options) == url
                assert str(m.last_request.url) == url
        assert proxy.seen == []


@pytest.mark.parametrize("setting", PROXY_SETTINGS)
@pytest.mark.parametrize("mode", [{"passthrough": ["api.example"]}, {"passthrough_unmatched": True}], ids=str)
async def test_passthrough_uses_the_proxy(setting, mode, monkeypatch):
    async with real_server() as real, Proxy() as proxy:
        async with behind_proxy(proxy, setting, monkeypatch) as (session, options):
            url = f"http://api.example:{real.port}/x"
            direct = await text_of(session, url, **options)
            async with aiointercept(mock_external_urls=True, **mode):
                assert await text_of(session, url, **options) == direct == "real GET /x"
        first, second = proxy.seen
        assert first == second
        assert first == (f"GET {url} HTTP/1.1", "Basic dXNlcjpzZWNyZXQ=")


@pytest.mark.parametrize("mode", [{"passthrough": ["api.example"]}, {"passthrough_unmatched": True}], ids=str)
async def test_passthrough_uses_a_tunnel_for_tls(mode, monkeypatch):
    ca = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("api.example").configure_cert(serving)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(trusting)
    async with real_server(ssl=serving) as real, Proxy() as proxy:
        async with behind_proxy(proxy, "proxy=", monkeypatch) as (session, options):
            options["ssl"] = trusting
            url = f"https://api.example:{real.port}/x"
            direct = await text_of(session, url, **options)
            async with aiointercept(mock_external_urls=True, **mode):
                assert await text_of(session, url, **options) == direct == "real GET /x"
        first, second = proxy.seen
        assert first == second
        assert first == (f"CONNECT api.example:{real.port} HTTP/1.1", "Basic dXNlcjpzZWNyZXQ=")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_local_server_is_still_reached_by_its_proxy(host):
    async with real_server() as real, Proxy() as proxy, ClientSession() as session:
        async with aiointercept(mock_external_urls=True):
            url = f"http://{host}:{real.port}/x"
            assert await text_of(session, url, proxy=proxy.url) == "real GET /x"
        assert [line for line, _ in proxy.seen] == [f"GET {url} HTTP/1.1"]
