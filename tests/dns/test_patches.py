"""What is patched while a redirection is active, that no patch is left, and that clients notice none of it."""

import asyncio
import inspect
import itertools
import threading
import unittest.mock
import warnings
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import BaseConnector, ClientSession, TCPConnector
from support import fetch, real_server

import aiointercept_dns._aiohttp_patch
from aiointercept_dns import Address, Redirection

OWNERS = (BaseConnector, TCPConnector, ClientSession, aiohttp.UnixConnector, aiohttp.ClientRequest)


def snapshot() -> list[dict]:
    return [dict(vars(owner)) for owner in OWNERS]


@pytest.fixture(autouse=True)
def _no_patch_is_left():
    before = snapshot()
    yield
    assert snapshot() == before


def test_two_methods_are_patched_and_only_while_a_redirection_is_active():
    before = snapshot()
    with Redirection({}):
        changed = {
            (owner.__name__, name)
            for owner, names in zip(OWNERS, before, strict=True)
            for name in vars(owner).keys() | names.keys()
            if vars(owner).get(name) is not names.get(name)
        }
    assert changed == {("TCPConnector", "connect"), ("ClientSession", "_request")}
    assert snapshot() == before


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_last_redirection_to_end_removes_the_patches_in_any_order(order):
    before = snapshot()
    redirections = [Redirection({}) for _ in order]
    for redirection in redirections:
        redirection.start()
    for number, index in enumerate(order):
        assert snapshot() != before, number
        redirections[index].stop()
    assert snapshot() == before


def test_an_error_in_the_block_leaves_no_patch():
    before = snapshot()
    with pytest.raises(ZeroDivisionError), Redirection({}), Redirection({}):
        raise ZeroDivisionError
    assert snapshot() == before


async def test_a_cancelled_block_leaves_no_patch():
    before = snapshot()

    async def block() -> None:
        async with Redirection({}):
            await asyncio.sleep(60)

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    assert snapshot() != before
    task.cancel()
    await asyncio.wait({task})
    assert snapshot() == before


def test_threads_start_and_stop_redirections_at_once():
    before = snapshot()
    together = threading.Barrier(6)

    def work() -> None:
        together.wait()
        for _ in range(50):
            with Redirection({}), Redirection({}):
                assert "connect" in vars(TCPConnector)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert snapshot() == before


# Another library that wraps the same methods, in the two usual ways.


class SavingLibrary:
    """Saves the methods that it finds, and restores them."""

    def __init__(self) -> None:
        self.calls = 0

    def start(self) -> None:
        self._found = TCPConnector.connect, ClientSession._request
        TCPConnector.connect = self._counting(TCPConnector.connect)
        ClientSession._request = self._counting(ClientSession._request)

    def stop(self) -> None:
        TCPConnector.connect, ClientSession._request = self._found

    def _counting(self, wrapped: Callable) -> Callable:
        def counting(*args, **options):
            self.calls += 1
            return wrapped(*args, **options)

        # As `functools.wraps` does.
        vars(counting).update(vars(wrapped))
        return counting


class PatchingLibrary(SavingLibrary):
    """Uses `unittest.mock`, which deletes a method that was inherited."""

    def start(self) -> None:
        self._patches = [
            unittest.mock.patch.object(owner, name, self._counting(getattr(owner, name)))
            for owner, name in ((TCPConnector, "connect"), (ClientSession, "_request"))
        ]
        for patch in self._patches:
            patch.start()

    def stop(self) -> None:
        for patch in reversed(self._patches):
            patch.stop()


@pytest.fixture
def _restored():
    """Restore the classes: a library that saves what it finds leaves `connect` in a class that inherits it."""
    request = ClientSession._request
    yield
    if "connect" in vars(TCPConnector):
        del TCPConnector.connect
    ClientSession._request = request


@pytest.mark.parametrize("library", [SavingLibrary, PatchingLibrary])
@pytest.mark.parametrize("order", ["OoLl", "LOol", "LOlo", "OLlo", "OLol", "LlOo"])
@pytest.mark.usefixtures("_restored")
async def test_another_library_finds_the_methods_that_it_left(library, order):
    """`O` and `o` are our start and stop, `L` and `l` those of the library; the same without ours is expected."""

    async def run(steps: str, ours: Redirection) -> None:
        theirs = library()
        actions = {"O": ours.start, "o": ours.stop, "L": theirs.start, "l": theirs.stop}
        for step in steps:
            actions[step]()
        assert (await fetch(real.url)).status == 200

    async with real_server() as real:
        await run(order.replace("O", "").replace("o", ""), Redirection({}))
        expected = snapshot()
        ours = Redirection({"api.example": f"http://127.0.0.1:{real.port}"})
        await run(order, ours)
        assert snapshot() == expected
        # A later redirection works too.
        with ours:
            assert (await fetch("https://api.example")).status == 200
        assert snapshot() == expected


@pytest.mark.parametrize("library", [SavingLibrary, PatchingLibrary])
@pytest.mark.usefixtures("_restored")
async def test_both_libraries_work_in_either_order(library):
    async with real_server() as real:
        servers = {"api.example": f"http://127.0.0.1:{real.port}"}
        theirs = library()
        theirs.start()
        with Redirection(servers):
            assert (await fetch("https://api.example")).status == 200
        theirs.stop()
        assert theirs.calls == 2
        with Redirection(servers):
            theirs.start()
            assert (await fetch("https://api.example")).status == 200
            theirs.stop()
            assert theirs.calls == 4


# What aiohttp must have.


@pytest.mark.parametrize("changed", ["renamed", "one more"])
def test_a_connect_method_with_other_parameters_is_refused(monkeypatch, changed):
    if changed == "renamed":

        async def connect(self, request, traces, timeout): ...
    else:

        async def connect(self, req, traces, timeout, more): ...

    monkeypatch.setattr(BaseConnector, "connect", connect)
    refused("it lacks the method TCPConnector.connect(self, req, traces, timeout)")


def test_a_connection_key_without_the_field_that_is_needed_is_refused(monkeypatch):
    fields = [name for name in aiohttp.client_reqrep.ConnectionKey._fields if name != "proxy_headers_hash"]
    monkeypatch.setattr(aiohttp.client_reqrep.ConnectionKey, "_fields", tuple(fields))
    refused("it lacks the field proxy_headers_hash of ConnectionKey")


def test_a_client_without_a_connection_key_is_refused(monkeypatch):
    monkeypatch.delattr(aiohttp.client_reqrep, "ConnectionKey")
    refused("it lacks the field proxy_headers_hash of ConnectionKey")


def test_a_client_request_without_a_connection_key_is_refused(monkeypatch):
    delete(monkeypatch, "connection_key")
    refused("it lacks ClientRequest.connection_key")


def test_a_session_without_middlewares_is_refused(monkeypatch):
    async def _request(self, method, url, *, params=None): ...

    monkeypatch.setattr(ClientSession, "_request", _request)
    refused("it lacks the method ClientSession._request(..., middlewares)")


def test_the_error_names_everything_that_is_missing(monkeypatch):
    async def _request(self, method, url): ...

    monkeypatch.setattr(ClientSession, "_request", _request)
    delete(monkeypatch, "is_ssl")
    refused("it lacks ClientRequest.is_ssl and the method ClientSession._request(..., middlewares)")


async def test_a_session_that_keeps_no_middlewares_is_refused(monkeypatch):
    async with ClientSession() as session:
        monkeypatch.delattr(session, "_middlewares")
        with Redirection({}), pytest.raises(RuntimeError, match=r"it lacks ClientSession\._middlewares: install a"):
            await session.get("http://api.example")


async def test_a_connection_that_keeps_no_connector_is_refused(monkeypatch):
    class Connection:
        def close(self):
            closed.append(self)

    class Connector(TCPConnector):
        pass

    async def connect(self, req, traces, timeout):
        return Connection()

    closed: list = []
    monkeypatch.setattr(BaseConnector, "connect", connect)
    async with ClientSession(connector=Connector()) as session:
        lacking = pytest.raises(RuntimeError, match=r"it lacks Connection\._connector: install a")
        with Redirection({"api.example": "http://127.0.0.1:1"}), lacking:
            await session.get("http://api.example")
    assert len(closed) == 1


@pytest.mark.parametrize(
    "name", ["_local_addr_infos", "_loop", "_resolver", "_resolver_owner", "_socket_factory", "_ssl"]
)
async def test_a_connector_has_the_private_attribute(name):
    """Upstream connects like the connector of a client; without the attribute it uses aiohttp's default."""
    connector = TCPConnector()
    assert hasattr(connector, name)
    await connector.close()


@pytest.mark.parametrize("name", ["connection_key", "is_ssl", "proxy", "proxy_headers", "server_hostname", "ssl"])
async def test_a_request_has_the_attribute(name):
    """Not all of them are documented."""
    requests = []

    def decide(request):
        requests.append(request.client_request)
        return ValueError("decided")

    with Redirection(decide), pytest.raises(ValueError, match="decided"):
        await fetch("http://api.example")
    assert hasattr(requests[0], name)


def delete(monkeypatch, name: str) -> None:
    for cls in aiohttp.ClientRequest.__mro__:
        if name in vars(cls):
            monkeypatch.delattr(cls, name)


def refused(text: str) -> None:
    before = snapshot()
    redirection = Redirection({})
    with pytest.raises(RuntimeError) as caught:
        redirection.start()
    message = str(caught.value)
    assert f"aiohttp {aiohttp.__version__} cannot be redirected because {text}" in message
    assert "\n" not in message
    assert snapshot() == before
    # The redirection is not active.
    redirection.stop()
    with pytest.raises(RuntimeError, match="cannot be redirected"):
        redirection.start()


# Clients work as without the patches.


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
    plain = inspect.signature(ClientSession._request)
    with Redirection({}):
        assert asyncio.iscoroutinefunction(ClientSession._request)
        assert asyncio.iscoroutinefunction(TCPConnector.connect)
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


async def test_a_wrapper_that_another_library_restores_late_is_removed_by_the_next_call():
    async with real_server() as real:
        before = snapshot()
        redirection = Redirection({})
        redirection.start()
        saved = TCPConnector.connect, ClientSession._request
        redirection.stop()
        TCPConnector.connect, ClientSession._request = saved
        await fetch(real.url)
        assert snapshot() == before


def test_a_wrapper_that_another_library_restores_late_is_not_taken_for_aiohttps_method():
    before = snapshot()
    redirection = Redirection({})
    redirection.start()
    saved = TCPConnector.connect, ClientSession._request
    redirection.stop()
    TCPConnector.connect, ClientSession._request = saved
    with redirection:
        pass
    assert snapshot() == before


def test_one_object_holds_all_process_wide_state():
    state = [
        value
        for value in vars(aiointercept_dns._aiohttp_patch).values()
        if type(value).__module__ == "aiointercept_dns._aiohttp_patch" and not isinstance(value, type)
    ]
    assert state == [aiointercept_dns._aiohttp_patch.PATCH]
