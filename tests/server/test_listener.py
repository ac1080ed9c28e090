"""A listener is open from its constructor on, on loopback only, and nothing is left of it once it is closed."""

import asyncio
import contextlib
import contextvars
import gc
import os
import socket
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
from aiohttp import web
from mock_server import ClientConnection, Mock, connect, eventually
from support import fetch

from aiointercept_core import CloseConnection, Reply
from aiointercept_server import AiointerceptRequest, Listener, ignore_retries, is_served_here, read_body_first
from aiointercept_server._protocol import Server
from aiointercept_server._thread import SERVER_THREAD, ServerThread

GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
URL = "http://api.example/"


def server_tasks() -> int:
    """Return how many tasks the server's loop has, but for the one that counts them."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return asyncio.run_coroutine_threadsafe(count(), SERVER_THREAD.loop()).result(5)


def descriptors() -> int:
    """Return how many descriptors the process has open, 0 on systems that do not tell."""
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def open_sockets(port: int) -> int:
    """Return how many sockets on `port` listen or are connected, 0 on systems that do not tell."""
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


def test_it_is_open_from_the_constructor_on():
    """Also before the server's loop has started to watch it."""
    SERVER_THREAD.loop().call_soon_threadsafe(time.sleep, 0.1)
    with contextlib.closing(Mock()) as other:
        other.registry.get(f"{other.url}/", body="there")
        assert asyncio.run(fetch(f"{other.url}/")).body == b"there"


def test_it_is_bound_to_loopback_only(mock: Mock):
    assert mock.listener.host == "127.0.0.1"
    assert mock.listener.address("http") == ("127.0.0.1", mock.port)
    # Another loopback address: a socket that is bound to all addresses would accept there.
    assert is_refused("127.0.0.2", mock.port)


async def test_a_port_for_each_scheme():
    with contextlib.closing(Mock(https=True)) as mock:
        ports = {scheme: mock.listener.address(scheme)[1] for scheme in ("http", "https")}
        assert ports["http"] == mock.listener.port != ports["https"]
        for scheme, port in ports.items():
            mock.registry.get(f"{scheme}://api.example/", body=scheme)
            async with connect(port) as connection:
                assert (await connection.exchange(GET)).body == scheme.encode()
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
async def test_a_port_on_ipv6_is_opened_when_asked_for(mock: Mock):
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


async def idle(mock: Mock, connection: ClientConnection) -> None:
    assert (await connection.exchange(GET)).status == 200


async def silent(mock: Mock, connection: ClientConnection) -> None:
    """Send nothing."""


async def half_a_head(mock: Mock, connection: ClientConnection) -> None:
    await connection.send(GET[:20])


async def half_a_body(mock: Mock, connection: ClientConnection) -> None:
    await connection.send(GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: 100\r\n\r\nhalf")
    await eventually(lambda: mock.heads)


async def callback_that_hangs(mock: Mock, connection: ClientConnection) -> None:
    async def hang(url, **_):
        await asyncio.Event().wait()

    await waiting(mock, connection, callback=hang)


async def callback_that_refuses_to_be_cancelled(mock: Mock, connection: ClientConnection) -> None:
    async def refuse(url, **_):
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.2)

    await waiting(mock, connection, callback=refuse)


async def stream_that_hangs(mock: Mock, connection: ClientConnection) -> None:
    async def chunks():
        yield b"one"
        await asyncio.Event().wait()

    await waiting(mock, connection, body=chunks)
    await connection.reader.readuntil(b"one\r\n")


async def stream_without_an_end(mock: Mock, connection: ClientConnection) -> None:
    async def chunks():
        while True:
            yield bytes(2**16)

    await waiting(mock, connection, body=chunks)


async def unread_reply(mock: Mock, connection: ClientConnection) -> None:
    connection.writer.transport.pause_reading()
    await waiting(mock, connection, body=bytes(2**24))


async def broken_unread_stream(mock: Mock, connection: ClientConnection) -> None:
    """aiohttp has dropped the connection then, while there is still something to send."""
    broken = threading.Event()

    async def chunks():
        try:
            while not mock.heads[-1].transport.get_write_buffer_size():
                yield bytes(30_000)
            raise RuntimeError("broken")
        finally:
            broken.set()

    connection.writer.transport.pause_reading()
    await waiting(mock, connection, body=chunks)
    await eventually(broken.is_set)


async def last_unread_reply(mock: Mock, connection: ClientConnection) -> None:
    """With `Connection: close`, so that aiohttp has dropped the connection."""
    await waiting(mock, connection, body=bytes(2**20), headers={"Connection": "close"})
    await connection.reader.readuntil(b"\r\n\r\n")


async def pipeline(mock: Mock, connection: ClientConnection) -> None:
    await callback_that_hangs(mock, connection)
    await connection.send(GET * 100)


async def waiting(mock: Mock, connection: ClientConnection, **reply) -> None:
    mock.registry.get("http://waiting.example/", **reply)
    await connection.send(GET.replace(b"api", b"waiting"))
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
    unread_reply,
    broken_unread_stream,
    last_unread_reply,
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
            opened = [await stack.enter_async_context(connect(mock.port)) for _ in range(connections)]
            for connection in opened:
                await situation(mock, connection)
            before = time.perf_counter()
            await asyncio.wrap_future(mock.listener.close())
            after = time.perf_counter()
            assert is_refused("127.0.0.1", mock.port)
            # Only the clients' ends are still open.
            await eventually(lambda: open_sockets(mock.port) == 0)
            for connection in opened:
                with contextlib.suppress(ConnectionError, RuntimeError):
                    connection.writer.transport.resume_reading()
                    await connection.rest()
        await eventually(lambda: server_tasks() == 0)
        return after - before

    # Once in three times, because the machine may do other things as well; asyncio's debug mode is slow.
    limit = 0.5 if sys.flags.dev_mode else 0.1
    for _ in range(3):
        if (took := await closing_time()) < limit:
            break
    assert took < limit


def test_connections_that_are_being_set_up_are_closed():
    for _ in range(20):
        mock = Mock()
        clients = [socket.create_connection(("127.0.0.1", mock.port), 5) for _ in range(5)]
        mock.close()
        for client in clients:
            with client, contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
    assert server_tasks() == 0


def test_closing_before_the_loop_watches_the_port():
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
    called: list[object] = []

    async def cleanup() -> None:
        called.append(asyncio.get_running_loop())

    mock = Mock()
    mock.listener.close_soon(lambda: called.append("closed"), cleanup)
    mock.listener.close_soon(lambda: called.append("closed again"), cleanup)
    mock.listener.close().result(5)
    assert called == [SERVER_THREAD.loop(), "closed", "closed again"]
    mock.listener.close_soon(lambda: called.append("closed before"), cleanup)
    assert called[3:] == ["closed before"]
    assert mock.listener.close().done()


def test_cancelling_the_wait_does_not_cancel_the_closing(mock: Mock):
    closed = mock.listener.close()
    assert not closed.cancel()
    closed.result(5)


def test_nothing_is_left_after_many():
    async def use(mock: Mock) -> None:
        mock.registry.get(URL)
        async with connect(mock.port) as connection:
            await connection.exchange(GET)

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


async def test_connections_do_not_keep_the_context_of_the_listener():
    secret = contextvars.ContextVar("secret", default="nothing")
    secret.set("of the test")
    seen = []

    async def answer(request: AiointerceptRequest) -> Reply:
        seen.append(secret.get())
        return await mock.registry.answer(request)

    with contextlib.closing(Mock()) as mock:
        mock.answer = answer
        mock.registry.get(URL)
        async with connect(mock.port) as connection:
            await connection.exchange(GET)
    assert seen == ["nothing"]


async def test_a_request_whose_client_has_left_ends_before_the_listener_is_closed(mock: Mock):
    asked, leaving, ended = threading.Event(), threading.Event(), []

    async def answer(request: AiointerceptRequest) -> Reply:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            leaving.set()
            # Long enough for the listener to be closed meanwhile, when no connection is left.
            for _ in range(2):
                time.sleep(0.02)
                await asyncio.sleep(0)
            ended.append(request)

    mock.answer = answer
    async with connect(mock.port) as connection:
        await connection.send(GET)
        assert await asyncio.to_thread(asked.wait, 5)
    assert await asyncio.to_thread(leaving.wait, 5)
    mock.close()
    assert ended


def test_a_closed_listener_keeps_no_reference_to_its_answer_function():
    """What it served is freed by reference counting, although recorded requests and a retry's timer live on."""

    class Registry:
        async def answer(self, request: AiointerceptRequest) -> Reply:
            requests.append(request)
            return CloseConnection()

    async def ask() -> None:
        async with connect(listener.port) as connection:
            await connection.send(GET.replace(b"\r\n\r\n", b"\r\nUser-Agent: aiohttp/3\r\n\r\n"))
            assert await connection.rest() == b""

    requests: list[AiointerceptRequest] = []
    registry = Registry()
    listener = Listener(ignore_retries(read_body_first(registry.answer)))
    listener.address("https")
    asyncio.run(ask())
    freed = weakref.ref(registry)
    gc.disable()
    try:
        listener.close().result(5)
        assert requests
        del registry
        # The server's thread leaves the last callback of the closing.
        SERVER_THREAD.loop().call_soon_threadsafe((done := threading.Event()).set)
        assert done.wait(5)
        assert freed() is None
    finally:
        gc.enable()


async def test_a_connection_that_is_accepted_while_all_are_aborted_is_no_error():
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    errors = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: errors.append(context))
    server = Server(handle, ("http", "api.example"))
    server.abort()
    client, accepted = socket.socketpair()
    with client:
        accepted.setblocking(False)
        await loop.connect_accepted_socket(server, accepted)
        for _ in range(5):
            await asyncio.sleep(0)
        gc.collect()
        assert client.recv(1) == b""
    assert errors == []


def test_a_thread_that_cannot_be_started_is_started_by_the_next(monkeypatch: pytest.MonkeyPatch):
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    server_thread = ServerThread()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            server_thread.loop()
    loop = server_thread.loop()
    assert loop is server_thread.loop()
    assert server_thread.is_running(loop)
    server_thread.stop()
    assert loop.is_closed()
    assert not server_thread.is_running(loop)


async def test_an_interrupted_start_of_the_thread_leaves_none(monkeypatch: pytest.MonkeyPatch):
    start, threads = threading.Thread.start, []

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        threads.append(thread)
        raise KeyboardInterrupt

    server_thread = ServerThread()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            server_thread.loop()
    assert threads[0].name.startswith("aiointercept")
    threads[0].join(5)
    assert not threads[0].is_alive()
    loop = server_thread.loop()
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "served"), loop).result(5) == "served"
    server_thread.stop()
    assert loop.is_closed()


async def test_is_served_here():
    mock = Mock(https=True)
    ports = [mock.port, *(mock.listener.address("https", family)[1] for family in (socket.AF_INET, socket.AF_INET6))]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        assert [is_served_here(port) for port in [*ports, other.getsockname()[1]]] == [True, True, True, False]
    mock.close()
    assert [is_served_here(port) for port in ports] == [False, False, False]
