"""A call that was made under a redirection never reaches the real network, however far it had come at the end."""

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


def classes() -> list[dict]:
    return [dict(vars(owner)) for owner in (BaseConnector, TCPConnector, ClientSession)]


class Silent:
    """A server that takes requests and answers none."""

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


class Stage:
    """A redirection of `api.example` to a silent server; a real one of that name, which must never be reached."""

    def __init__(self, silent: Silent, real: RealServer) -> None:
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
    """Nothing is left in the classes either, and not only once the calls are over."""
    before = classes()
    yield before
    assert classes() == before


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    silent = Silent()
    server = await asyncio.get_running_loop().create_server(silent, "127.0.0.1", 0)
    silent.port = server.sockets[0].getsockname()[1]
    async with real_server() as real:
        stage = Stage(silent, real)
        stage.redirection.start()
        try:
            yield stage
        finally:
            stage.end()
            server.close()
        assert real.hits == []


METHODS = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST"]


@pytest.mark.parametrize("method", METHODS)
async def test_one_that_waits_for_its_answer(before, method):
    async with staged() as stage, stage.session() as session:
        held = vars(session.connector).keys() | vars(session).keys()
        task = asyncio.create_task(session.request(method, stage.url))
        await stage.silent.received.wait()
        stage.end()
        assert classes() == before
        with pytest.raises(aiohttp.ServerDisconnectedError) as caught:
            await task
        assert str(caught.value) == REASON
        assert vars(session.connector).keys() | vars(session).keys() == held


async def test_each_of_several_gets_an_error_of_its_own(before):
    async with staged() as stage, stage.session() as session:
        tasks = [asyncio.create_task(session.get(stage.url)) for _ in range(5)]
        await stage.silent.received.wait()
        while len(stage.silent.transports) < 5:
            await asyncio.sleep(0)
        stage.end()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in errors] == [REASON] * 5
    assert len({id(error) for error in errors}) == 5


@pytest.mark.parametrize("event", ["on_request_start", "on_connection_create_start", "on_connection_create_end"])
async def test_one_that_a_trace_holds_up_before_it_is_sent(before, event):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(*_):
        held.set()
        await go.wait()

    trace = aiohttp.TraceConfig()
    getattr(trace, event).append(hold)
    async with staged() as stage, stage.session(trace_configs=[trace]) as session:
        task = asyncio.create_task(session.get(stage.url))
        await held.wait()
        stage.end()
        assert classes() == before
        go.set()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task
        assert not stage.silent.received.is_set()


async def test_one_that_a_middleware_holds_up(before):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with staged() as stage, stage.session(middlewares=[hold]) as session:
        task = asyncio.create_task(session.get(stage.url))
        await held.wait()
        stage.end()
        go.set()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task


async def test_one_that_a_middleware_tries_again(before):
    tries = []

    async def persevere(request, handler):
        for _ in range(3):
            try:
                return await handler(request)
            except aiohttp.ClientConnectionError as exc:
                tries.append(str(exc))
                error = exc
        raise error

    async with staged() as stage, stage.session(middlewares=[persevere]) as session:
        task = asyncio.create_task(session.get(stage.url))
        await stage.silent.received.wait()
        stage.end()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task
    assert tries == [REASON] * 3


async def test_one_that_its_connector_holds_up(before):
    """A connector of the user's may wait, for instance to keep to a rate, before it asks aiohttp's."""
    held, go = asyncio.Event(), asyncio.Event()

    class Throttled(TCPConnector):
        async def connect(self, req, traces, timeout):
            held.set()
            await go.wait()
            return await super().connect(req, traces, timeout)

    async with staged() as stage, stage.session(Throttled) as session:
        task = asyncio.create_task(session.get(stage.url))
        await held.wait()
        stage.end()
        go.set()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await task
        assert classes() == before


async def test_one_whose_connector_fails_on_the_way(before):
    held, go = asyncio.Event(), asyncio.Event()

    class Failing(TCPConnector):
        async def connect(self, req, traces, timeout):
            held.set()
            await go.wait()
            raise aiohttp.ClientError("not today")

    async with staged() as stage, stage.session(Failing) as session:
        task = asyncio.create_task(session.get(stage.url))
        await held.wait()
        stage.end()
        go.set()
        with pytest.raises(aiohttp.ClientError, match="not today"):
            await task
        assert classes() == before


async def test_those_that_wait_for_a_slot_of_the_pool(before):
    async with staged() as stage, stage.session(limit=1) as session:
        tasks = [asyncio.create_task(session.get(stage.url)) for _ in range(3)]
        await stage.silent.received.wait()
        stage.end()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(error) for error in errors] == [REASON] * 3
        assert all(isinstance(error, aiohttp.ClientConnectionError) for error in errors)
        assert stage.silent.requests == 1
        assert not session.connector._acquired


async def test_one_whose_coroutine_was_only_made(before):
    async with staged() as stage, stage.session() as session:
        coroutine = session.get(stage.url)
        stage.end()
        with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
            await coroutine


async def test_one_that_is_cancelled_leaves_nothing(before):
    async with staged() as stage, stage.session() as session:
        task = asyncio.create_task(session.get(stage.url))
        await stage.silent.received.wait()
        task.cancel()
        await asyncio.wait({task})
        stage.end()
        assert classes() == before


async def test_one_that_follows_a_redirect(before):
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


async def test_one_whose_inner_redirection_ends_goes_to_no_other(before):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with real_server() as outer, staged() as stage, stage.session(middlewares=[hold]) as session:
        with Redirection({"api.example": f"http://127.0.0.1:{outer.port}"}):
            # This one is further in than `stage.redirection`, so that it answers: it stays, and the other one ends.
            inner = asyncio.create_task(session.get(stage.url))
            await held.wait()
            stage.end()
            go.set()
            assert (await inner).status == 200
        held.clear()
        go.clear()
        stage.redirection.start()
        with Redirection({"other.example": f"http://127.0.0.1:{outer.port}"}):
            waiting = asyncio.create_task(session.get(stage.url))
            await held.wait()
            stage.end()
            go.set()
            with pytest.raises(aiohttp.ClientConnectionError, match=REASON):
                await waiting
    assert outer.hits == [("GET", "/")]


async def test_one_that_was_never_redirected_goes_on(before):
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    async with staged() as stage, real_server() as own, stage.session(middlewares=[hold]) as session:
        task = asyncio.create_task(session.get(own.url))
        await held.wait()
        stage.end()
        go.set()
        assert (await task).status == 200


async def test_one_on_another_loop_and_thread(before):
    async with staged() as stage:

        async def call() -> None:
            async with stage.session() as session:
                await session.get(stage.url)

        def run() -> None:
            try:
                asyncio.run(call())
            except aiohttp.ClientConnectionError as exc:
                errors.append(str(exc))

        errors: list[str] = []
        thread = threading.Thread(target=run)
        thread.start()
        await stage.silent.received.wait()
        stage.end()
        await asyncio.to_thread(thread.join)
    assert errors == [REASON]


@pytest.mark.parametrize("rounds", [10, pytest.param(300, marks=pytest.mark.long)])
async def test_whatever_instruction_of_a_call_the_end_falls_on(before, rounds):
    async def calls() -> None:
        async with ClientSession(connector=TCPConnector(resolver=Names())) as session:
            # What is made under the redirection belongs to it, though most of it runs after the end.
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
            assert classes() == before
        assert real.hits == []
        assert len(mock.hits) + len(refused) == 40 * rounds
        assert refused


async def test_a_server_that_drops_a_connection_meets_aiohttps_own_resend(before):
    """As long as the redirection lasts, a disconnect by a server that is not ours is the client's affair."""
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
