"""What is patched while a redirection is active, and that nothing of it is left or is in anybody's way."""

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

import aiointercept_dns._patch
from aiointercept_dns import Redirection

OWNERS = (BaseConnector, TCPConnector, ClientSession, aiohttp.UnixConnector, aiohttp.ClientRequest)


def snapshot() -> list[dict]:
    return [dict(vars(owner)) for owner in OWNERS]


@pytest.fixture(autouse=True)
def _nothing_is_left():
    before = snapshot()
    yield
    assert snapshot() == before


def test_two_names_are_patched_and_only_while_it_is_active():
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
def test_the_last_to_end_takes_the_patches_out_whatever_the_order(order):
    before = snapshot()
    redirections = [Redirection({}) for _ in order]
    for redirection in redirections:
        redirection.start()
    for number, index in enumerate(order):
        assert snapshot() != before, number
        redirections[index].stop()
    assert snapshot() == before


def test_an_error_in_the_block_leaves_nothing():
    before = snapshot()
    with pytest.raises(ZeroDivisionError), Redirection({}), Redirection({}):
        raise ZeroDivisionError
    assert snapshot() == before


async def test_a_block_that_is_cancelled_leaves_nothing():
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


def test_threads_start_and_stop_at_will():
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


# Another library that wraps the same names, in the two ways in which it is done.


class Saving:
    """Saves what it finds, and puts it back."""

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


class Patching(Saving):
    """Uses `unittest.mock`, which deletes what was inherited."""

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
    """Put the classes back: a library that saves what it finds leaves `connect` in a class that inherits it."""
    request = ClientSession._request
    yield
    if "connect" in vars(TCPConnector):
        del TCPConnector.connect
    ClientSession._request = request


def test_what_is_put_into_aiohttp_is_made_once_for_as_long_as_the_same_is_found(monkeypatch):
    def put_in() -> tuple[object, object]:
        with Redirection({}):
            return TCPConnector.connect, ClientSession._request

    connect, request = put_in()
    assert put_in() == (connect, request)
    with monkeypatch.context() as patch:
        patch.setattr(ClientSession, "_request", Saving()._counting(ClientSession._request))
        assert put_in()[0] is connect
        assert put_in()[1] is not request


@pytest.mark.parametrize("library", [Saving, Patching])
@pytest.mark.parametrize("order", ["OoLl", "LOol", "LOlo", "OLlo", "OLol", "LlOo"])
@pytest.mark.usefixtures("_restored")
async def test_another_library_finds_what_it_left(library, order):
    """`O` and `o` are our start and stop, `L` and `l` those of the library; the same without us is the measure."""

    async def run(steps: str, ours: Redirection) -> None:
        theirs = library()
        actions = {"O": ours.start, "o": ours.stop, "L": theirs.start, "l": theirs.stop}
        for step in steps:
            actions[step]()
        assert (await fetch(real.url)).status == 200

    async with real_server() as real:
        await run(order.replace("O", "").replace("o", ""), Redirection({}))
        measure = snapshot()
        ours = Redirection({"api.example": f"http://127.0.0.1:{real.port}"})
        await run(order, ours)
        assert snapshot() == measure
        # Nor is a later redirection disturbed by what happened.
        with ours:
            assert (await fetch("https://api.example")).status == 200
        assert snapshot() == measure


@pytest.mark.parametrize("library", [Saving, Patching])
@pytest.mark.usefixtures("_restored")
async def test_both_work_whoever_came_first(library):
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


# What aiohttp has to bring.


@pytest.mark.parametrize("changed", ["renamed", "one more"])
def test_another_connect_is_refused(monkeypatch, changed):
    if changed == "renamed":

        async def connect(self, request, traces, timeout): ...
    else:

        async def connect(self, req, traces, timeout, more): ...

    monkeypatch.setattr(BaseConnector, "connect", connect)
    refused("it lacks the method TCPConnector.connect(self, req, traces, timeout)")


def test_another_connection_key_is_refused(monkeypatch):
    fields = [name for name in aiohttp.client_reqrep.ConnectionKey._fields if name not in ("proxy", "is_ssl")]
    monkeypatch.setattr(aiohttp.client_reqrep.ConnectionKey, "_fields", tuple(fields))
    refused("it lacks the fields is_ssl, proxy of ConnectionKey")


def test_a_request_without_what_a_connector_asks_for_is_refused(monkeypatch):
    monkeypatch.delattr(aiohttp.ClientRequest, "connection_key")
    refused("it lacks ClientRequest.connection_key")


def test_a_session_without_middlewares_is_refused(monkeypatch):
    async def _request(self, method, url, *, params=None): ...

    monkeypatch.setattr(ClientSession, "_request", _request)
    refused("it lacks the method ClientSession._request(..., middlewares)")


def test_all_that_is_missing_is_told_at_once(monkeypatch):
    async def _request(self, method, url): ...

    monkeypatch.setattr(ClientSession, "_request", _request)
    monkeypatch.delattr(aiohttp.ClientRequest, "is_ssl")
    refused("it lacks ClientRequest.is_ssl and the method ClientSession._request(..., middlewares)")


def refused(text: str) -> None:
    before = snapshot()
    redirection = Redirection({})
    with pytest.raises(RuntimeError) as caught:
        redirection.start()
    message = str(caught.value)
    assert f"aiohttp {aiohttp.__version__} cannot be redirected, {text}" in message
    assert "\n" not in message
    assert snapshot() == before
    # It is not taken for an active one.
    redirection.stop()
    with pytest.raises(RuntimeError, match="cannot be redirected"):
        redirection.start()


# A client must not notice.


async def test_a_connection_to_any_other_address_is_closed_before_a_byte_is_sent():
    received, closed = [], asyncio.Event()

    async def wrong(reader, writer):
        received.append(await reader.read())
        writer.close()
        closed.set()

    server = await asyncio.start_server(wrong, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    class Astray(TCPConnector):
        async def _create_connection(self, req, traces, timeout):
            _, protocol = await self._loop.create_connection(self._factory, "127.0.0.1", port)
            return protocol

    connector = Astray()
    timeout = aiohttp.ClientTimeout(total=5)
    async with server, ClientSession(connector=connector, timeout=timeout) as session:
        with Redirection({"api.example": "http://127.0.0.1:1"}):
            with pytest.raises(aiohttp.ClientConnectionError) as caught:
                await session.post("http://api.example", data=b"secret")
            await asyncio.wait_for(closed.wait(), 5)
        assert received == [b""]
        assert str(caught.value) == (
            f"expected a connection to the mock at 127.0.0.1:1, got one to ('127.0.0.1', {port}); "
            "it was closed before anything was sent"
        )
        assert not connector._acquired
        assert not connector._conns


async def test_an_unreachable_server_is_the_error_that_a_client_knows():
    with Redirection({"api.example": "http://127.0.0.1:1"}):
        with pytest.raises(aiohttp.ClientConnectorError, match=r"Cannot connect to host api\.example:443") as caught:
            await fetch("https://api.example")
        assert caught.value.host == "api.example"


async def test_traces_fire_as_ever():
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


async def test_own_classes_and_overridden_methods_are_used():
    class Request(aiohttp.ClientRequest):
        async def send(self, conn):
            self.headers["X-Request"] = "own"
            return await super().send(conn)

    class Response(aiohttp.ClientResponse):
        pass

    with pytest.warns(DeprecationWarning, match="Inheritance class Session from ClientSession is discouraged"):

        class Session(ClientSession):
            async def _request(self, method, url, **options):
                options.setdefault("headers", {})["X-Session"] = "own"
                return await super()._request(method, url, **options)

    async def echo(request):
        return aiohttp.web.json_response([request.headers["X-Request"], request.headers["X-Session"]])

    session = Session(request_class=Request, response_class=Response)
    async with real_server(echo) as mock, session:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            async with session.get("https://api.example/") as response:
                assert type(response) is Response
                assert await response.json() == ["own", "own"]


async def test_middlewares_of_the_session_and_of_a_call_are_used():
    def adding(value):
        async def add(request, handler):
            request.headers.add("X-Seen", value)
            return await handler(request)

        return add

    async def echo(request):
        return aiohttp.web.json_response(request.headers.getall("X-Seen", []))

    async with real_server(echo) as mock, ClientSession(middlewares=[adding("1"), adding("2")]) as session:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            for middlewares, seen in ((None, ["1", "2"]), ((adding("3"),), ["3"]), ((), [])):
                async with session.get("https://api.example/", middlewares=middlewares) as response:
                    assert await response.json() == seen


async def test_warnings_name_the_line_of_the_caller():
    async def warned(url: str) -> list[tuple[str, int]]:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            async with ClientSession() as session:
                await session.get(url, verify_ssl=False)
                async with session.get(url, verify_ssl=False):
                    pass
        return [(each.filename, each.lineno) for each in seen if each.category is DeprecationWarning]

    async with real_server() as mock:
        direct = await warned(f"http://127.0.0.1:{mock.port}/")
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            assert await warned("https://api.example/") == direct
    assert len(direct) == 2


async def test_it_is_still_an_async_method_for_those_who_ask():
    plain = inspect.signature(ClientSession._request)
    with Redirection({}):
        assert asyncio.iscoroutinefunction(ClientSession._request)
        assert asyncio.iscoroutinefunction(TCPConnector.connect)
        assert inspect.signature(ClientSession._request) == plain
        with unittest.mock.patch.object(ClientSession, "_request") as replaced:
            assert isinstance(replaced, unittest.mock.AsyncMock)


async def test_wrong_arguments_are_told_as_ever():
    async with ClientSession() as session:
        with Redirection({}), pytest.raises(TypeError, match="unexpected keyword argument 'bogus'"):
            await session.get("http://api.example", bogus=1)


async def test_a_unix_connector_is_left_alone(tmp_path):
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


async def test_a_wrapper_that_was_put_back_takes_itself_out():
    async with real_server() as real:
        before = snapshot()
        redirection = Redirection({})
        redirection.start()
        saved = TCPConnector.connect, ClientSession._request
        redirection.stop()
        TCPConnector.connect, ClientSession._request = saved
        await fetch(real.url)
        assert snapshot() == before


def test_a_wrapper_that_was_put_back_is_not_taken_for_aiohttps():
    before = snapshot()
    redirection = Redirection({})
    redirection.start()
    saved = TCPConnector.connect, ClientSession._request
    redirection.stop()
    TCPConnector.connect, ClientSession._request = saved
    with redirection:
        pass
    assert snapshot() == before


def test_one_object_holds_all_that_is_process_wide():
    state = [
        value
        for value in vars(aiointercept_dns._patch).values()
        if type(value).__module__ == "aiointercept_dns._patch" and not isinstance(value, type)
    ]
    assert state == [aiointercept_dns._patch.PATCH]
