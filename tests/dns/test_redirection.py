"""Redirecting aiohttp clients to a server that is not ours: with hostnames as they are in the code under test."""

import asyncio
import socket
import threading

import aiohttp
import pytest
from pytest_httpserver import HTTPServer
from support import Names, fetch, real_server
from yarl import URL

from aiointercept_dns import REAL_NETWORK, Address, HostMap, Location, OriginResolver, OutgoingRequest, Redirection


def test_an_ordinary_session_reaches_pytest_httpserver_by_real_names(httpserver: HTTPServer):
    httpserver.expect_request("/status", query_string="verbose=1").respond_with_json({"ok": True})
    httpserver.expect_request("/upload", method="PUT", data="body").respond_with_data("created", status=201)

    async def client() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get("https://api.example.com/status?verbose=1") as response:
                assert await response.json() == {"ok": True}
                assert response.url == URL("https://api.example.com/status?verbose=1")
            async with session.put("http://files.example.com:8080/upload", data="body") as response:
                assert (response.status, await response.text()) == (201, "created")

    hosts = {"api.example.com": httpserver.url_for("/"), "files.example.com:8080": httpserver.url_for("")}
    with Redirection(hosts):
        asyncio.run(client())
    requests = [request for request, _ in httpserver.log]
    assert [request.host for request in requests] == ["api.example.com", "files.example.com:8080"]
    httpserver.check()


async def test_it_is_an_async_context_manager_too(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_data("here")
    async with Redirection({"https://api.example.com": httpserver.url_for("/")}):
        assert (await fetch("https://api.example.com/")).text == "here"


async def test_a_resolver_needs_no_patch(httpserver: HTTPServer):
    httpserver.expect_request("/status").respond_with_json({"ok": True})
    before = dict(vars(aiohttp.TCPConnector)), dict(vars(aiohttp.ClientSession))
    resolver = OriginResolver({"api.example.com:8080": httpserver.url_for("/")}, fallback=Names(["other.example"]))
    connector = aiohttp.TCPConnector(resolver=resolver)
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get("http://api.example.com:8080/status") as response:
            assert await response.json() == {"ok": True}
        with pytest.raises(aiohttp.ClientConnectorDNSError, match=r"other\.example does not exist"):
            await session.get("http://other.example/status")
    assert before == (dict(vars(aiohttp.TCPConnector)), dict(vars(aiohttp.ClientSession)))


async def test_a_resolver_knows_hosts_as_a_dict_does():
    resolver = OriginResolver({"https://api.example": "http://127.0.0.1:1", "b.example": "http://[::1]:2"})
    found = await resolver.resolve("API.example.", 443)
    assert [(each["host"], each["port"]) for each in found] == [("127.0.0.1", 1)]
    found = await resolver.resolve("b.example", 80, 0)
    assert [(each["host"], each["port"]) for each in found] == [("::1", 2)]
    with pytest.raises(OSError, match=r"expected a connector that can reach b\.example at ::1"):
        await resolver.resolve("b.example", 80)
    await resolver.close()


async def test_a_resolver_falls_back_to_aiohttps_own():
    resolver = OriginResolver({"api.example": "http://127.0.0.1:1"})
    found = await resolver.resolve("localhost", 80)
    assert found[0]["host"] == "127.0.0.1"
    await resolver.close()


async def test_what_is_not_named_is_left_alone():
    async with real_server() as mock, real_server() as real:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            assert (await fetch("http://api.example/x")).text == "real GET /x"
            assert (await fetch(f"{real.url}/y")).text == "real GET /y"
    assert (mock.hits, real.hits) == ([("GET", "/x")], [("GET", "/y")])


async def test_schemes_and_ports_are_origins_of_their_own():
    async with real_server() as http, real_server() as https, real_server() as other:
        servers = {
            "http://api.example": f"http://127.0.0.1:{http.port}",
            "https://api.example": f"http://127.0.0.1:{https.port}",
            "api.example:8080": f"http://127.0.0.1:{other.port}",
        }
        with Redirection(servers):
            async with aiohttp.ClientSession() as session:
                for turn in "12":
                    for url in ("http://api.example", "https://api.example", "https://api.example:8080"):
                        async with session.get(f"{url}/{turn}") as response:
                            assert response.url == URL(f"{url}/{turn}")
                            await response.read()
    for server in (http, https, other):
        assert server.hits == [("GET", "/1"), ("GET", "/2")]


async def test_http_and_https_never_share_a_connection():
    async def scheme_of(request):
        return aiohttp.web.Response(text=str(request.transport.get_extra_info("peername")[1]))

    async with real_server(scheme_of) as mock:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            async with aiohttp.ClientSession() as session:
                connections = []
                for url in ("http://api.example:81", "https://api.example:81") * 2:
                    async with session.get(url) as response:
                        connections.append(await response.text())
    assert connections[:2] == connections[2:]
    assert connections[0] != connections[1]


async def test_the_innermost_that_knows_an_origin_answers_and_any_may_end_first():
    async with real_server() as one, real_server() as two:
        to_one, to_two = f"http://127.0.0.1:{one.port}", f"http://127.0.0.1:{two.port}"
        outer, inner = Redirection({"a.example": to_one, "b.example": to_one}), Redirection({"b.example": to_two})
        outer.start()
        inner.start()
        await fetch("http://a.example/1")
        await fetch("http://b.example/2")
        outer.stop()
        await fetch("http://b.example/3")
        outer.start()
        await fetch("http://b.example/4")
        inner.stop()
        await fetch("http://b.example/5")
        outer.stop()
    assert one.hits == [("GET", "/1"), ("GET", "/4"), ("GET", "/5")]
    assert two.hits == [("GET", "/2"), ("GET", "/3")]


async def test_a_fallback_is_asked_last():
    """A mock that takes what nobody knows must not take what a mock further out does know."""
    asked = []

    class Origins:
        def __init__(self, name: str, location: Location) -> None:
            self._name = name
            self._location = location

        def locate(self, request: OutgoingRequest) -> Location:
            asked.append((self._name, request.method, str(request.url)))
            return self._location

    async with real_server() as known, real_server() as unknown:
        with (
            Redirection(Origins("outer", Address("127.0.0.1", known.port))),
            Redirection(Origins("inner", Address("127.0.0.1", unknown.port, fallback=True))),
        ):
            await fetch("https://user:secret@api.example/x?y=1#z", "DELETE")
        with Redirection(Origins("inner", Address("127.0.0.1", unknown.port, fallback=True))):
            await fetch("http://api.example/z")
    assert (known.hits, unknown.hits) == ([("DELETE", "/x?y=1")], [("GET", "/z")])
    url = "https://api.example/x?y=1"
    assert asked == [("inner", "DELETE", url), ("outer", "DELETE", url), ("inner", "GET", "http://api.example/z")]


async def test_one_that_lets_an_origin_out_is_not_overruled():
    class Out:
        def locate(self, request: OutgoingRequest) -> Location:
            return REAL_NETWORK

    async with real_server() as mock, real_server() as real:
        names = Names()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=names)) as session:
            with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}), Redirection(Out()):
                async with session.get(f"http://api.example:{real.port}/") as response:
                    assert response.status == 200
    assert (mock.hits, real.hits, names.asked) == ([], [("GET", "/")], ["api.example"])


async def test_an_exception_for_a_location_is_raised_at_the_caller_once():
    error = aiohttp.ServerDisconnectedError("as if it were down")
    asked = []

    class Down:
        def locate(self, request: OutgoingRequest) -> Location:
            asked.append(request.method)
            return error

    with Redirection(Down()):
        async with aiohttp.ClientSession() as session:
            for method in ("GET", "POST"):
                with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
                    await session.request(method, "http://api.example")
                assert caught.value is error
    assert asked == ["GET", "POST"]


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(111, "refused"), OSError(5, "io"), ValueError("x"), KeyError(1)]
)
async def test_a_plain_error_reaches_the_caller_as_it_is_where_that_was_asked_for(error):
    class Down:
        def locate(self, request: OutgoingRequest) -> Location:
            return error

    async with aiohttp.ClientSession() as session:
        with Redirection(Down(), plain_errors=True), pytest.raises(type(error)) as caught:
            await session.get("http://api.example")
        assert caught.value is error
        if isinstance(error, OSError):
            with Redirection(Down()), pytest.raises(aiohttp.ClientOSError, match=error.strerror):
                await session.get("http://api.example")


async def test_a_running_redirection_is_not_started_again_and_stops_once():
    redirection = Redirection({})
    redirection.start()
    with pytest.raises(RuntimeError, match=r"active already; stop\(\) it first"):
        redirection.start()
    redirection.stop()
    redirection.stop()
    redirection.start()
    redirection.stop()


async def test_a_call_that_was_made_before_is_redirected_too():
    async with real_server() as mock, aiohttp.ClientSession() as session:
        made_before = session.get("https://api.example/b")
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            async with made_before as response:
                assert await response.text() == "real GET /b"


async def test_another_thread_and_its_loop_are_redirected():
    async with real_server() as mock:
        texts = []
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            thread = threading.Thread(target=lambda: texts.append(asyncio.run(fetch("https://api.example/t")).text))
            thread.start()
            await asyncio.to_thread(thread.join)
    assert texts == ["real GET /t"]


async def test_attempts_are_known_by_the_ends_of_their_connection():
    seen = []

    async def serve(request):
        ends = [request.transport.get_extra_info(name) for name in ("peername", "sockname")]
        seen.append(redirection.take_attempt(*ends))
        assert redirection.take_attempt(*ends) is None
        return aiohttp.web.Response()

    async with real_server(serve) as mock:
        redirection = Redirection(HostMap({"api.example": f"http://127.0.0.1:{mock.port}"}))
        with redirection:
            async with aiohttp.ClientSession() as session:
                for url in ("https://api.example/a#b", "https://u:p@api.example/c"):
                    await session.get(url, headers={"Host": "other.example"}, allow_redirects=False)
            await fetch("http://api.example/d")
    assert [str(attempt.url) for attempt in seen] == [
        "https://api.example/a",
        "https://api.example/c",
        "http://api.example/d",
    ]
    first = seen[0]
    assert first.first
    assert first.loop is asyncio.get_running_loop()
    assert first.call.args[:2] == ("GET", "https://api.example/a#b")
    assert first.call.options == {"headers": {"Host": "other.example"}, "allow_redirects": False}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_a_server_of_one_family_is_no_riddle_to_a_client_of_the_other(family):
    server = "127.0.0.1" if family == socket.AF_INET6 else "[::1]"
    connector = aiohttp.TCPConnector(family=family)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        Redirection({"api.example": f"http://{server}:1"}),
    ):
        with pytest.raises(aiohttp.ClientConnectionError, match="expected a connector that can reach the mock at"):
            await session.get("http://api.example")
    assert not connector._acquired


async def test_attempts_are_not_kept_where_nobody_asks_for_them():
    async def serve(request):
        ends = [request.transport.get_extra_info(name) for name in ("peername", "sockname")]
        seen.append(redirection.take_attempt(*ends))
        return aiohttp.web.Response()

    seen = []
    async with real_server(serve) as mock:
        redirection = Redirection({"api.example": f"http://127.0.0.1:{mock.port}"})
        with redirection:
            await fetch("http://api.example/")
    assert seen == [None]
