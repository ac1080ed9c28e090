"""Redirecting aiohttp clients to any server, with the host names that stand in the code under test."""

import asyncio
import gc
import socket
import threading
import weakref

import aiohttp
import pytest
from pytest_httpserver import HTTPServer
from support import Names, fetch, real_server
from yarl import URL

from aiointercept_dns import REAL_NETWORK, Address, Decision, OriginResolver, OutgoingRequest, Redirection


def test_an_ordinary_session_reaches_pytest_httpserver_by_real_host_names(httpserver: HTTPServer):
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


async def test_a_redirection_is_an_async_context_manager_too(httpserver: HTTPServer):
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


async def test_a_resolver_finds_hosts_like_a_mapping():
    resolver = OriginResolver({"https://api.example": "http://127.0.0.1:1", "b.example": "http://[::1]:2"})
    found = await resolver.resolve("API.example.", 443)
    assert [(each["host"], each["port"]) for each in found] == [("127.0.0.1", 1)]
    found = await resolver.resolve("b.example", 80, 0)
    assert [(each["host"], each["port"]) for each in found] == [("::1", 2)]
    with pytest.raises(OSError, match=r"b\.example is mapped to ::1, which a connector bound to AF_INET cannot reach"):
        await resolver.resolve("b.example", 80)
    await resolver.close()


async def test_a_resolver_falls_back_to_aiohttps_own():
    resolver = OriginResolver({"api.example": "http://127.0.0.1:1"})
    found = await resolver.resolve("localhost", 80)
    assert found[0]["host"] == "127.0.0.1"
    await resolver.close()


async def test_other_hosts_and_ports_are_not_redirected():
    async with real_server() as mock, real_server() as real:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            assert (await fetch("http://api.example/x")).text == "real GET /x"
            assert (await fetch(f"{real.url}/y")).text == "real GET /y"
    assert (mock.hits, real.hits) == ([("GET", "/x")], [("GET", "/y")])


async def test_each_scheme_and_port_is_another_origin():
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


async def test_the_innermost_redirection_of_an_origin_decides_and_any_may_end_first():
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


async def test_a_fallback_is_used_last():
    """An inner mock that takes every request does not take the requests of an outer mock."""
    asked = []

    def deciding(name: str, decision: Decision) -> Redirection:
        def decide(request: OutgoingRequest) -> Decision:
            asked.append((name, request.method, str(request.url)))
            return decision

        return Redirection(decide)

    async with real_server() as known, real_server() as unknown:
        with (
            deciding("outer", Address("127.0.0.1", known.port)),
            deciding("inner", Address("127.0.0.1", unknown.port, fallback=True)),
        ):
            await fetch("https://user:secret@api.example/x?y=1#z", "DELETE")
        with deciding("inner", Address("127.0.0.1", unknown.port, fallback=True)):
            await fetch("http://api.example/z")
    assert (known.hits, unknown.hits) == ([("DELETE", "/x?y=1")], [("GET", "/z")])
    url = "https://api.example/x?y=1"
    assert asked == [("inner", "DELETE", url), ("outer", "DELETE", url), ("inner", "GET", "http://api.example/z")]


async def test_the_real_network_is_a_decision_that_outer_redirections_do_not_change():
    async with real_server() as mock, real_server() as real:
        names = Names()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=names)) as session:
            with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}), Redirection(lambda _: REAL_NETWORK):
                async with session.get(f"http://api.example:{real.port}/") as response:
                    assert response.status == 200
    assert (mock.hits, real.hits, names.asked) == ([], [("GET", "/")], ["api.example"])


async def test_an_exception_is_raised_in_the_caller_without_a_retry():
    error = aiohttp.ServerDisconnectedError("as if it were down")
    asked = []

    def decide(request: OutgoingRequest) -> Decision:
        asked.append(request.method)
        return error

    with Redirection(decide):
        async with aiohttp.ClientSession() as session:
            for method in ("GET", "POST"):
                with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
                    await session.request(method, "http://api.example")
                assert caught.value is error
    assert asked == ["GET", "POST"]


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(111, "refused"), OSError(5, "io"), ValueError("x"), KeyError(1)]
)
async def test_an_os_error_reaches_the_caller_as_that_object_with_unwrap_os_errors(error):
    async with aiohttp.ClientSession() as session:
        with Redirection(lambda _: error, unwrap_os_errors=True), pytest.raises(type(error)) as caught:
            await session.get("http://api.example")
        assert caught.value is error
        if isinstance(error, OSError):
            with Redirection(lambda _: error), pytest.raises(aiohttp.ClientOSError, match=error.strerror):
                await session.get("http://api.example")


async def test_a_redirection_is_started_once_and_may_be_stopped_twice():
    redirection = Redirection({})
    redirection.start()
    with pytest.raises(RuntimeError, match=r"is already active: call stop\(\) first"):
        redirection.start()
    redirection.stop()
    redirection.stop()
    redirection.start()
    redirection.stop()


async def test_a_call_made_before_the_redirection_is_redirected_too():
    async with real_server() as mock, aiohttp.ClientSession() as session:
        made_before = session.get("https://api.example/b")
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            async with made_before as response:
                assert await response.text() == "real GET /b"


async def test_clients_in_another_thread_are_redirected():
    async with real_server() as mock:
        texts = []
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            thread = threading.Thread(target=lambda: texts.append(asyncio.run(fetch("https://api.example/t")).text))
            thread.start()
            await asyncio.to_thread(thread.join)
    assert texts == ["real GET /t"]


async def test_a_request_is_found_by_the_socket_addresses_of_its_connection():
    seen = []

    async def serve(request):
        addresses = [request.transport.get_extra_info(name) for name in ("peername", "sockname")]
        seen.append(redirection.pop_request(*addresses))
        assert redirection.pop_request(*addresses) is None
        return aiohttp.web.Response()

    async with real_server(serve) as mock:
        redirection = Redirection(lambda _: Address("127.0.0.1", mock.port))
        with redirection:
            async with aiohttp.ClientSession() as session:
                connector = session.connector
                for url in ("https://api.example/a#b", "https://u:p@api.example/c"):
                    await session.get(url, headers={"Host": "other.example"}, allow_redirects=False)
            await fetch("http://api.example/d")
    assert [str(request.url) for request in seen] == [
        "https://api.example/a",
        "https://api.example/c",
        "http://api.example/d",
    ]
    first = seen[0]
    assert first.is_initial
    assert first.loop is asyncio.get_running_loop()
    assert first.session is session
    assert first.connector is connector
    assert first.client_request.method == "GET"
    assert first.args == ("GET", "https://api.example/a#b")
    assert first.options == {"headers": {"Host": "other.example"}, "allow_redirects": False}
    assert weakref.WeakKeyDictionary({first: "usable as a weak key"})[first]


async def test_further_requests_of_a_call_are_not_initial():
    seen = []

    def decide(request: OutgoingRequest) -> Decision:
        seen.append((request.method, str(request.url), request.is_initial))
        return Address("127.0.0.1", mock.port)

    async def serve(request):
        if request.path == "/from":
            return aiohttp.web.Response(status=303, headers={"Location": "http://b.example/to"})
        return aiohttp.web.Response()

    async with real_server(serve) as mock:
        with Redirection(decide):
            async with aiohttp.ClientSession() as session:
                await session.post("http://a.example/from")
    assert seen == [("POST", "http://a.example/from", True), ("GET", "http://b.example/to", False)]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("error", [aiohttp.ClientConnectionError("x"), TimeoutError("x"), KeyError("x"), SystemExit(1)])
async def test_an_exception_set_on_a_request_replaces_the_disconnect_and_prevents_a_retry(method, error):
    async def serve(request):
        addresses = [request.transport.get_extra_info(name) for name in ("peername", "sockname")]
        redirection.pop_request(*addresses).set_exception(error)
        request.transport.abort()
        return aiohttp.web.Response()

    async with real_server(serve) as mock:
        redirection = Redirection(lambda _: Address("127.0.0.1", mock.port), unwrap_os_errors=True)
        async with aiohttp.ClientSession() as session:
            with redirection, pytest.raises(type(error)) as caught:
                await session.request(method, "http://api.example/")
    assert caught.value is error
    assert caught.value.__context__ is None
    assert len(mock.hits) == 1


async def test_a_pooled_connection_does_not_keep_a_stopped_redirection_alive():
    class Mock:
        def decide(self, request: OutgoingRequest) -> Decision:
            return Address("127.0.0.1", server.port)

    mock = Mock()
    reference = weakref.ref(mock)
    async with real_server() as server, aiohttp.ClientSession() as session:
        with Redirection(mock.decide):
            async with session.get("http://api.example/") as response:
                await response.read()
        del mock
        assert session.connector._conns
        del response
        gc.collect()
        assert reference() is None


def test_a_decision_that_is_neither_a_function_nor_a_mapping_is_refused():
    with pytest.raises(TypeError, match=r"decide must be a function or a mapping from hosts to URLs, got 'api'"):
        Redirection("api")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_a_connector_of_another_address_family_gets_a_clear_error(family):
    server = "127.0.0.1" if family == socket.AF_INET6 else "[::1]"
    connector = aiohttp.TCPConnector(family=family)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        Redirection({"api.example": f"http://{server}:1"}),
    ):
        with pytest.raises(aiohttp.ClientConnectionError, match=rf"bound to {family.name}, but the mock listens on"):
            await session.get("http://api.example")
    assert not connector._acquired


async def test_requests_are_not_kept_for_a_mapping():
    async def serve(request):
        addresses = [request.transport.get_extra_info(name) for name in ("peername", "sockname")]
        seen.append(redirection.pop_request(*addresses))
        return aiohttp.web.Response()

    seen = []
    async with real_server(serve) as mock:
        redirection = Redirection({"api.example": f"http://127.0.0.1:{mock.port}"})
        with redirection:
            await fetch("http://api.example/")
    assert seen == [None]
