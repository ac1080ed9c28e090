"""A listener is open from its making, on loopback alone, and nothing is left of it once it is closed."""

import asyncio
import contextlib
import contextvars
import itertools
import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from mock_server import Mock, Wire, connect, eventually
from support import fetch

from aiointercept_core import Reply
from aiointercept_server import AiointerceptRequest, Listener
from aiointercept_server._thread import SERVER_THREAD

GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
URL = "http://api.example/"


def server_tasks() -> int:
    """Return how many tasks the server's loop has, but for the one that counts them."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return asyncio.run_coroutine_threadsafe(count(), SERVER_THREAD.loop()).result(5)


def descriptors() -> int:
    """Return how many descriptors the process has open, 0 where nobody tells."""
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def open_sockets(port: int) -> int:
    """Return how many sockets on `port` listen or are connected, 0 where nobody tells."""
    if sys.platform != "linux":
        return 0
    fields = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(local.split(":")[1], 16) == port and state in ("01", "0A") for _, local, _, state, *_ in fields)


def is_refused(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_it_is_open_from_its_making(mock: Mock):
    """Also before the server's loop has come round to it."""
    SERVER_THREAD.loop().call_soon_threadsafe(time.sleep, 0.1)
    with contextlib.closing(Mock()) as other:
        other.registry.get(f"{other.url}/", body="there")
        assert asyncio.run(fetch(f"{other.url}/")).body == b"there"


def test_it_is_bound_to_loopback_only(mock: Mock):
    assert mock.listener.host == "127.0.0.1"
    assert mock.listener.address("http") == ("127.0.0.1", mock.port)
    # Loopback as well, yet another address: a socket that is bound to all of them would answer.
    assert is_refused("127.0.0.2", mock.port)


async def test_a_port_for_each_scheme():
    with contextlib.closing(Mock(https=True)) as mock:
        ports = {scheme: mock.listener.address(scheme)[1] for scheme in ("http", "https")}
        assert ports["http"] == mock.listener.port != ports["https"]
        for scheme, port in ports.items():
            mock.registry.get(f"{scheme}://api.example/", body=scheme)
            async with connect(port) as wire:
                assert (await wire.exchange(GET)).body == scheme.encode()
            assert str(mock.last.url) == f"{scheme}://api.example/"
            assert (mock.last.scheme, mock.last.secure) == (scheme, scheme == "https")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
async def test_a_port_on_ipv6_for_who_asks_for_one(mock: Mock):
    addresses = await asyncio.gather(
        *(asyncio.to_thread(mock.listener.address, "http", socket.AF_INET6) for _ in range(20))
    )
    assert len(set(addresses)) == 1
    [(host, port)] = set(addresses)
    assert host == "::1"
    mock.registry.get(f"http://[::1]:{port}/", body="six", repeat=True)
    assert (await fetch(f"http://[::1]:{port}/")).body == b"six"
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await reader.read()).endswith(b"six")
    writer.close()
    assert str(mock.last.url) == f"http://[::1]:{port}/"
    mock.close()
    assert is_refused(host, port)


def test_no_port_is_opened_once_it_is_closed(mock: Mock):
    mock.close()
    assert mock.listener.port == mock.port
    with pytest.raises(OSError, match="stopped"):
        mock.listener.address("https")


async def idle(mock: Mock, wire: Wire) -> None:
    assert (await wire.exchange(GET)).status == 200


async def silent(mock: Mock, wire: Wire) -> None:
    """Say nothing."""


async def half_a_head(mock: Mock, wire: Wire) -> None:
    await wire.send(GET[:20])


async def half_a_body(mock: Mock, wire: Wire) -> None:
    await wire.send(GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: 100\r\n\r\nhalf")
    await eventually(lambda: mock.screened)


async def callback_that_hangs(mock: Mock, wire: Wire) -> None:
    async def hang(url, **_):
        await asyncio.Event().wait()

    await waiting(mock, wire, callback=hang)


async def callback_that_refuses_to_be_cancelled(mock: Mock, wire: Wire) -> None:
    async def refuse(url, **_):
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.2)

    await waiting(mock, wire, callback=refuse)


async def stream_that_hangs(mock: Mock, wire: Wire) -> None:
    async def chunks():
        yield b"one"
        await asyncio.Event().wait()

    await waiting(mock, wire, body=chunks)
    await wire.reader.readuntil(b"one\r\n")


async def stream_without_an_end(mock: Mock, wire: Wire) -> None:
    async def chunks():
        while True:
            yield bytes(2**16)

    await waiting(mock, wire, body=chunks)


async def reply_that_nobody_reads(mock: Mock, wire: Wire) -> None:
    wire.writer.transport.pause_reading()
    await waiting(mock, wire, body=bytes(2**24))


async def broken_stream_that_nobody_reads(mock: Mock, wire: Wire) -> None:
    """After which aiohttp has let go of the connection while there is still something to send."""
    broken = threading.Event()

    async def chunks():
        try:
            while not mock.screened[-1].transport.get_write_buffer_size():
                yield bytes(30_000)
            raise RuntimeError("broken")
        finally:
            broken.set()

    wire.writer.transport.pause_reading()
    await waiting(mock, wire, body=chunks)
    await eventually(broken.is_set)


async def last_reply_that_nobody_reads(mock: Mock, wire: Wire) -> None:
    """With `Connection: close`, so that aiohttp has let go of the connection."""
    await waiting(mock, wire, body=bytes(2**20), headers={"Connection": "close"})
    await wire.reader.readuntil(b"\r\n\r\n")


async def pipeline(mock: Mock, wire: Wire) -> None:
    await callback_that_hangs(mock, wire)
    await wire.send(GET * 100)


async def waiting(mock: Mock, wire: Wire, **reply) -> None:
    mock.registry.get("http://waiting.example/", **reply)
    await wire.send(GET.replace(b"api", b"waiting"))
    await eventually(lambda: mock.registry.call_count)


SITUATIONS = [
    idle,
    silent,
    half_a_head,
    half_a_body,
    callback_that_hangs,
    callback_that_refuses_to_be_cancelled,
    stream_that_hangs,
    stream_without_an_end,
    reply_that_nobody_reads,
    broken_stream_that_nobody_reads,
    last_reply_that_nobody_reads,
    pipeline,
]


@pytest.mark.parametrize(
    ("situation", "connections"),
    [*((situation, 3) for situation in SITUATIONS), (idle, 100)],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_closing_is_quick(situation, connections: int):
    async def closing_time() -> float:
        mock = Mock()
        mock.registry.get(URL, repeat=True)
        async with contextlib.AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(connect(mock.port)) for _ in range(connections)]
            for wire in wires:
                await situation(mock, wire)
            before = time.perf_counter()
            await asyncio.wrap_future(mock.listener.close())
            after = time.perf_counter()
            assert is_refused("127.0.0.1", mock.port)
            # Only the clients' ends are still open.
            await eventually(lambda: open_sockets(mock.port) == 0)
            for wire in wires:
                with contextlib.suppress(ConnectionError, RuntimeError):
                    wire.writer.transport.resume_reading()
                    await wire.rest()
        await eventually(lambda: server_tasks() == 0)
        return after - before

    # Once in three times, for the sake of machines that do other things as well; asyncio's debug mode takes its time.
    limit = 0.5 if sys.flags.dev_mode else 0.1
    for _ in range(3):
        if (took := await closing_time()) < limit:
            break
    assert took < limit


def test_connections_that_are_only_coming_to_be_are_closed():
    for _ in range(20):
        mock = Mock()
        clients = [socket.create_connection(("127.0.0.1", mock.port), 5) for _ in range(5)]
        mock.close()
        for client in clients:
            with client, contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
    assert server_tasks() == 0


def test_closing_before_the_loop_has_come_round_to_serve():
    loop = SERVER_THREAD.loop()
    go_on = threading.Event()
    loop.call_soon_threadsafe(go_on.wait, 5)
    mock = Mock(https=True)
    closed = mock.listener.close()
    assert not closed.done()
    go_on.set()
    closed.result(5)
    assert is_refused("127.0.0.1", mock.port)
    assert server_tasks() == 0


def test_closing_twice_is_closing_once():
    asked: list[object] = []

    async def also() -> None:
        asked.append(asyncio.get_running_loop())

    mock = Mock()
    mock.listener.begin_closing(lambda: asked.append("closed"), also)
    mock.listener.begin_closing(lambda: asked.append("closed again"), also)
    mock.listener.close().result(5)
    assert asked == [SERVER_THREAD.loop(), "closed", "closed again"]
    mock.listener.begin_closing(lambda: asked.append("closed before"), also)
    assert asked[3:] == ["closed before"]
    assert mock.listener.close().done()


def test_whoever_stops_waiting_does_not_stop_the_closing(mock: Mock):
    closed = mock.listener.close()
    assert not closed.cancel()
    closed.result(5)


def test_nothing_is_left_after_many():
    async def use(mock: Mock) -> None:
        mock.registry.get(URL)
        async with connect(mock.port) as wire:
            await wire.exchange(GET)

    def cycle(count: int) -> tuple[int, int, int]:
        for _ in range(count):
            with contextlib.closing(Mock(https=True)) as mock:
                asyncio.run(use(mock))
        return descriptors(), threading.active_count(), server_tasks()

    before = cycle(3)
    assert cycle(100) == before


def test_one_thread_serves_all():
    before = set(threading.enumerate())
    mocks: list[Mock] = []
    makers = [threading.Thread(target=lambda: mocks.append(Mock())) for _ in range(20)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    try:
        assert {thread.name for thread in set(threading.enumerate()) - before} <= {"aiointercept-server"}
        assert len({mock.port for mock in mocks}) == 20
        for mock in mocks:
            mock.registry.get(f"{mock.url}/", body=str(mock.port))
            assert asyncio.run(fetch(f"{mock.url}/")).body == str(mock.port).encode()
    finally:
        for mock in mocks:
            mock.close()


async def test_neither_opening_nor_closing_blocks_a_loop():
    blockbuster = pytest.importorskip("blockbuster")
    with blockbuster.blockbuster_ctx():
        for _ in range(5):
            mock = Mock(https=True)
            mock.registry.get(f"{mock.url}/")
            assert (await fetch(f"{mock.url}/")).status == 200
            await asyncio.wrap_future(mock.listener.close())


def test_nothing_is_served_for_an_address_that_nobody_asks_for(mock: Mock):
    go_on = threading.Event()
    SERVER_THREAD.loop().call_soon_threadsafe(go_on.wait, 5)
    try:
        listener = Listener(mock)
        # Done at once, although the server's thread has other things to do.
        assert listener.close().done()
        assert is_refused(*listener.address("http"))
    finally:
        go_on.set()


async def test_connections_do_not_keep_the_context_of_whoever_asked_first():
    secret = contextvars.ContextVar("secret", default="nothing")
    secret.set("of the first who asked")
    seen = []

    class Owner(Mock):
        async def answer(self, request: AiointerceptRequest) -> Reply:
            seen.append(secret.get())
            return await super().answer(request)

    with contextlib.closing(Owner()) as mock:
        mock.registry.get(URL)
        async with connect(mock.port) as wire:
            await wire.exchange(GET)
    assert seen == ["nothing"]


async def test_what_comes_in_is_seen_while_the_loop_has_other_things_to_do(mock: Mock):
    loop, turns = SERVER_THREAD.loop(), itertools.count()

    def go_on() -> None:
        if next(turns) < 100_000 and not mock.received:
            loop.call_soon(go_on)

    mock.registry.get(URL)
    async with connect(mock.port) as wire:
        loop.call_soon_threadsafe(go_on)
        await wire.exchange(GET)
    assert next(turns) < 100_000


async def test_a_request_whose_client_has_left_is_over_before_the_listener_is_closed():
    asked, leaving, over = threading.Event(), threading.Event(), []

    class Owner(Mock):
        async def answer(self, request: AiointerceptRequest) -> Reply:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                leaving.set()
                # Long enough for the listener to be closed meanwhile, by a thread that finds no connection any more.
                for _ in range(2):
                    time.sleep(0.02)
                    await asyncio.sleep(0)
                over.append(request)

    mock = Owner()
    async with connect(mock.port) as wire:
        await wire.send(GET)
        assert await asyncio.to_thread(asked.wait, 5)
    assert await asyncio.to_thread(leaving.wait, 5)
    mock.close()
    assert over
