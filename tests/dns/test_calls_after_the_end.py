"""A call made under a redirection never reaches the real network, however far it has come when the redirection ends."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import BaseConnector, ClientSession, TCPConnector
from support import Names, RealServer, real_server

from aiointercept_dns import Redirection

REASON = "the mock was stopped"


def class_attributes() -> list[dict]:
    return [dict(vars(owner)) for owner in (BaseConnector, TCPConnector, ClientSession)]


class SilentServer:
    """A server that receives requests and sends no response."""

    def __init__(self) -> None:
        self.port = 0
        self.received = asyncio.Event()
        self.requests = 0
        self.transports: list[asyncio.Transport] = []

    def __call__(self) -> asyncio.Protocol:
        outer = self

        class Connection(asyncio.Protocol):
            def connection_made(self, transport):
                outer.transports.append(transport)

            def data_received(self, data):
                outer.requests += data.count(b" HTTP/1.1\r\n")
                outer.received.set()

        return Connection()

    def abort(self) -> None:
        for transport in self.transports:
            transport.abort()


class Setup:
    """A redirection of `api.example` to a silent server, and a real server of that name that must get no request."""

    def __init__(self, silent: SilentServer, real: RealServer) -> None:
        self.silent = silent
        self.real = real
        self.url = f"http://api.example:{real.port}/"
        self.redirection = Redirection({"api.example": f"http://127.0.0.1:{silent.port}"})

    def session(self, connector_class=TCPConnector, limit=100, **options) -> ClientSession:
        timeout = aiohttp.ClientTimeout(total=10)
        return ClientSession(connector=connector_class(resolver=Names(), limit=limit), timeout=timeout, **options)

    def end(self) -> None:
        self.redirection.stop(REASON)
        self.silent.abort()


@pytest.fixture(name="before")
def _before():
    """No patch is left, not even while the calls are still pending."""
    before = class_attributes()
    yield before
    assert class_attributes() == before


@asynccontextmanager
async def redirected_setup() -> AsyncIterator[Setup]:
    silent = SilentServer()
    server = await asyncio.get_running_loop().create_server(silent, "127.0.0.1", 0)
    silent.port = server.sockets[0].getsockname()[1]
    async with real_server() as real:
        setup = Setup(silent, real)
        setup.redirection.start()
        try:
            yield setup
        finally:
            setup.end()
            server.close()
        assert real.hits == []


METHODS = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST"]


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_that_waits_for_its_response(before, method):
    async with redirected_setup() as setup, setup.session() as session:
        attributes = set(vars(session.connector))
        task = asyncio.create_task(session.request(method, setup.url))
        await setup.silent.received.wait()
        setup.end()
        assert class_attributes() == before
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await task
        assert str(caught.value) == REASON
        assert set(vars(session.connector)) == attributes


async def test_each_of_several_calls_gets_an_error_of_its_own(before):
    async with redirected_setup() as setup, setup.session() as session:
        tasks = [asyncio.create_task(session.get(setup.url)) for _ in range(5)]
        await setup.silent.received.wait()
        while len(setup.silent.transports) < 5:
            await asyncio.sleep(0)
        setup.end()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in errors] == [REASON] * 5
    assert len({id(error) for error in errors}) == 5


@pytest.mark.parametrize("event", ["on_request_start", "on_connection_create_start", "on_connection_create_end"])
async def test_a_call_that_a_trace_delays_before_it_is_sent(before, event):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(*_):
        held.set()
        await go.wait()

    trace = aiohttp.TraceConfig()
    getattr(trace, event).append(hold)
    async with redirected_setup() as setup, setup.session(trace_configs=[trace]) as session:
        task = asyncio.create_task(session.get(setup.url))
        await held.wait()
        setup.end()
        assert class_attributes() == before
        go.set()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task
        assert not setup.silent.received.is_set()


async def test_a_call_that_a_middleware_delays(before):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with redirected_setup() as setup, setup.session(middlewares=[hold]) as session:
        task = asyncio.create_task(session.get(setup.url))
        await held.wait()
        setup.end()
        go.set()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task


async def test_a_call_that_a_middleware_sends_again(before):
    tries = []

    async def persevere(request, handler):
        for _ in range(3):
            try:
                return await handler(request)
            except aiohttp.ClientConnectionError as exc:
                tries.append(str(exc))
                error = exc
        raise error

    async with redirected_setup() as setup, setup.session(middlewares=[persevere]) as session:
        task = asyncio.create_task(session.get(setup.url))
        await setup.silent.received.wait()
        setup.end()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task
    assert tries == [REASON] * 3


async def test_a_call_that_its_connector_delays(before):
    """A connector of the user may wait, for instance to limit a rate, before it calls aiohttp's method."""
    held, go = asyncio.Event(), asyncio.Event()

    class Throttled(TCPConnector):
        async def connect(self, req, traces, timeout):
            held.set()
            await go.wait()
            return await super().connect(req, traces, timeout)

    async with redirected_setup() as setup, setup.session(Throttled) as session:
        task = asyncio.create_task(session.get(setup.url))
        await held.wait()
        setup.end()
        go.set()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task
        assert class_attributes() == before


async def test_a_call_whose_connector_fails(before):
    held, go = asyncio.Event(), asyncio.Event()

    class Failing(TCPConnector):
        async def connect(self, req, traces, timeout):
            held.set()
            await go.wait()
            raise aiohttp.ClientError("not today")

    async with redirected_setup() as setup, setup.session(Failing) as session:
        task = asyncio.create_task(session.get(setup.url))
        await held.wait()
        setup.end()
        go.set()
        with pytest.raises(aiohttp.ClientError, match="not today"):
            await task
        assert class_attributes() == before


async def test_calls_that_wait_for_a_free_connection_of_the_pool(before):
    async with redirected_setup() as setup, setup.session(limit=1) as session:
        tasks = [asyncio.create_task(session.get(setup.url)) for _ in range(3)]
        await setup.silent.received.wait()
        setup.end()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(error) for error in errors] == [REASON] * 3
        assert all(isinstance(error, aiohttp.ClientConnectionError) for error in errors)
        assert setup.silent.requests == 1
        assert not session.connector._acquired


async def test_a_call_whose_coroutine_has_not_run_yet(before):
    async with redirected_setup() as setup, setup.session() as session:
        coroutine = session.get(setup.url)
        setup.end()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await coroutine


async def test_a_cancelled_call_leaves_no_patch(before):
    async with redirected_setup() as setup, setup.session() as session:
        task = asyncio.create_task(session.get(setup.url))
        await setup.silent.received.wait()
        task.cancel()
        await asyncio.wait({task})
        setup.end()
        assert class_attributes() == before


async def test_a_call_that_follows_an_http_redirect(before):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(*_):
        held.set()
        await go.wait()

    async def redirecting(request):
        return aiohttp.web.Response(status=302, headers={"Location": f"http://api.example:{real.port}/"})

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(hold)
    async with real_server(redirecting) as mock, real_server() as real:
        redirection = Redirection({"api.example": f"http://127.0.0.1:{mock.port}"})
        async with ClientSession(connector=TCPConnector(resolver=Names()), trace_configs=[trace]) as session:
            with redirection:
                task = asyncio.create_task(session.get(f"http://api.example:{real.port}/"))
                await held.wait()
                redirection.stop(REASON)
            go.set()
            with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
                await task
        assert real.hits == []


async def test_a_call_whose_redirection_ends_does_not_go_to_another_one(before):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with real_server() as outer, redirected_setup() as setup, setup.session(middlewares=[hold]) as session:
        with Redirection({"api.example": f"http://127.0.0.1:{outer.port}"}):
            # The inner redirection gets the call and stays active; the outer one, `setup.redirection`, ends.
            inner = asyncio.create_task(session.get(setup.url))
            await held.wait()
            setup.end()
            go.set()
            assert (await inner).status == 200
        held.clear()
        go.clear()
        setup.redirection.start()
        with Redirection({"other.example": f"http://127.0.0.1:{outer.port}"}):
            waiting = asyncio.create_task(session.get(setup.url))
            await held.wait()
            setup.end()
            go.set()
            with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
                await waiting
    assert outer.hits == [("GET", "/")]


async def test_a_call_that_is_not_redirected_continues(before):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with redirected_setup() as setup, real_server() as own, setup.session(middlewares=[hold]) as session:
        task = asyncio.create_task(session.get(own.url))
        await held.wait()
        setup.end()
        go.set()
        assert (await task).status == 200


async def test_a_call_on_another_loop_and_thread(before):
    async with redirected_setup() as setup:

        async def call() -> None:
            async with setup.session() as session:
                await session.get(setup.url)

        def run() -> None:
            try:
                asyncio.run(call())
            except aiohttp.ClientConnectionError as exc:
                errors.append(str(exc))

        errors: list[str] = []
        thread = threading.Thread(target=run)
        thread.start()
        await setup.silent.received.wait()
        setup.end()
        await asyncio.to_thread(thread.join)
    assert errors == [REASON]


@pytest.mark.parametrize("rounds", [10, pytest.param(300, marks=pytest.mark.long)])
async def test_a_redirection_that_ends_at_any_point_of_a_call(before, rounds):
    async def calls() -> None:
        async with ClientSession(connector=TCPConnector(resolver=Names())) as session:
            # Calls made under the redirection belong to it, though most of them run after its end.
            coroutines = [session.get(url) for _ in range(40)]
            ready.set()
            for coroutine in coroutines:
                try:
                    async with coroutine as response:
                        await response.read()
                except aiohttp.ClientConnectionError:
                    refused.append(1)

    refused: list[int] = []
    async with real_server() as mock, real_server() as real:
        url = f"http://api.example:{real.port}/"
        redirection = Redirection({"api.example": f"http://127.0.0.1:{mock.port}"})
        for turn in range(rounds):
            ready = threading.Event()
            redirection.start()
            thread = threading.Thread(target=lambda: asyncio.run(calls()))
            thread.start()
            await asyncio.to_thread(ready.wait)
            await asyncio.sleep(0.001 * (turn % 10))
            redirection.stop(REASON)
            await asyncio.to_thread(thread.join)
            assert class_attributes() == before
        assert real.hits == []
        assert len(mock.hits) + len(refused) == 40 * rounds
        assert refused


async def test_aiohttp_retries_as_usual_after_a_disconnect_by_another_server(before):
    """While the redirection is active, a disconnect by a server that sets no exception is handled by aiohttp alone."""
    hits = []

    async def drop_first(request):
        hits.append(request.method)
        if len(hits) == 1:
            request.transport.abort()
        return aiohttp.web.Response(text="second")

    async with real_server(drop_first) as mock:
        with Redirection({"api.example": f"http://127.0.0.1:{mock.port}"}):
            async with ClientSession() as session, session.get("http://api.example") as response:
                assert await response.text() == "second"
    assert hits == ["GET", "GET"]
