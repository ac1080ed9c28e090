"""What is patched while a redirection is active, and that no patch is left."""

import asyncio
import itertools
import threading
import unittest.mock
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import BaseConnector, ClientSession, TCPConnector
from support import fetch, real_server

import aiointercept_dns._aiohttp_patch
from aiointercept_dns import Redirection

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
