"""A delayed reply comes after its delay, on the server's own clock, and holds up nothing else."""

import asyncio
import contextlib
import datetime
import functools
import time
from collections.abc import Callable, Iterator

import aiohttp
import freezegun
import pytest
import time_machine
from aiohttp import ClientSession
from support import raw_exchange

from aiointercept import CallbackResult, Fault, aiointercept

SHORT = 0.03
LONG = 3600
FUTURE = datetime.datetime(2071, 3, 4, 5, 6, tzinfo=datetime.UTC)

MODES = pytest.mark.parametrize("external", [False, True], ids=["server_url", "redirected"])


async def answer(url, **_):
    return CallbackResult(status=202)


def answer_sync(url, **_):
    return CallbackResult(status=202)


async def chunks():
    yield b"one"
    yield b"two"


# What is registered, and the class of the error that its caller gets, if any.
REPLIES = {
    "reply": ({"payload": "works"}, None),
    "callback": ({"callback": answer}, None),
    "sync callback": ({"callback": answer_sync}, None),
    "stream": ({"body": chunks}, None),
    "exception": ({"exception": True}, aiohttp.ServerDisconnectedError),
    "DISCONNECT": ({"fault": Fault.DISCONNECT}, aiohttp.ServerDisconnectedError),
    "RESET": ({"fault": Fault.RESET}, aiohttp.ClientOSError),
    "MALFORMED": ({"fault": Fault.MALFORMED}, aiohttp.ClientResponseError),
    "TRUNCATED": ({"fault": Fault.TRUNCATED, "body": "body"}, aiohttp.ClientPayloadError),
    "CORRUPT_ENCODING": ({"fault": Fault.CORRUPT_ENCODING}, aiohttp.ClientPayloadError),
}
REDIRECTED_REPLIES = {
    **{fault.name: ({"fault": fault}, Exception) for fault in Fault if not fault.is_sent_by_server},
    "an exception": ({"fault": ValueError("mine")}, ValueError),
    "a BaseException": ({"fault": KeyboardInterrupt("mine")}, KeyboardInterrupt),
}
CASES = [
    *(pytest.param(external, *case, id=f"{external}-{name}") for name, case in REPLIES.items() for external in (0, 1)),
    *(pytest.param(1, *case, id=f"1-{name}") for name, case in REDIRECTED_REPLIES.items()),
]


def url_of(m: aiointercept, external: bool) -> str:
    return "https://api.example" if external else m.server_url


async def read(session: ClientSession, url: str, method: str = "GET", **options) -> int:
    async with session.request(method, url, **options) as response:
        await response.read()
        return response.status


# How long it takes: at least the delay.


@pytest.mark.parametrize(("external", "options", "error"), CASES)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_delay(external: int, options: dict[str, object], error: type[BaseException] | None, method: str):
    async with aiointercept(mock_external_urls=bool(external)) as m, ClientSession() as session:
        url = url_of(m, bool(external))
        route = m.add(url, method, delay=SHORT, **options)
        before = time.perf_counter()
        with pytest.raises(error) if error else contextlib.nullcontext():
            await read(session, url, method)
        assert time.perf_counter() - before >= SHORT
        assert (route.call_count, m.call_count) == (1, 1)


@MODES
async def test_a_delay_of_zero_and_an_int(external: bool):
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        m.get(url_of(m, external), delay=0)
        m.get(url_of(m, external), delay=0.0, fault=Fault.RESET)
        assert await read(session, url_of(m, external)) == 200
        with pytest.raises(aiohttp.ClientOSError):
            await read(session, url_of(m, external))


async def test_a_websocket_handshake_is_delayed():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get("wss://api.example/", status=403, delay=SHORT)
        before = time.perf_counter()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect("wss://api.example/")
        assert time.perf_counter() - before >= SHORT


@MODES
async def test_an_unmatched_request_is_never_delayed(external: bool):
    async with aiointercept(mock_external_urls=external, unmatched_status=501) as m, ClientSession() as session:
        url = url_of(m, external)
        m.get(url, delay=LONG)
        assert await read(session, f"{url}/other") == 501


# Nothing else waits.


@MODES
@pytest.mark.parametrize("options", [case[0] for case in REPLIES.values()], ids=REPLIES)
async def test_a_delay_does_not_delay_other_requests_or_the_end_of_the_block(
    external: bool, options: dict[str, object]
):
    async with ClientSession() as session:
        async with aiointercept(mock_external_urls=external) as m:
            url = url_of(m, external)
            m.get(url, delay=LONG, repeat=10, **options)
            m.get(f"{url}/next", status=201, repeat=True)
            waiting = [asyncio.ensure_future(read(session, url)) for _ in range(10)]
            await m.wait_for_requests(10, url, timeout=5)
            for _ in range(10):
                assert await read(session, f"{url}/next") == 201
        # How quickly the block is left: see test_quick_leave.py.
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(error, aiohttp.ClientConnectionError) for error in errors)
        assert m.call_count == 20


def test_a_sync_block_ends_without_its_delayed_replies():
    with aiointercept() as m:
        route = m.get(m.server_url, delay=LONG)
        head = f"GET / HTTP/1.1\r\nHost: {m.server_host}:{m.server_port}\r\n\r\n".encode()

        async def leave():
            asking = asyncio.ensure_future(raw_exchange(m.server_port, head))
            await m.wait_for_requests(timeout=5)
            asking.cancel()

        asyncio.run(leave())
    assert route.call_count == 1


async def test_many_delayed_faults_at_once():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get("https://api.example/", fault=Fault.READ_TIMEOUT, delay=SHORT, repeat=True)
        before = time.perf_counter()
        errors = await asyncio.gather(
            *(session.get("https://api.example/") for _ in range(500)), return_exceptions=True
        )
        assert {type(error) for error in errors} == {aiohttp.SocketTimeoutError}
        # One after the other they would take 50 s.
        assert time.perf_counter() - before < 25
        assert m.call_count == 500


# A caller that does not wait as long.


DUE_LATER = [
    {},
    {"exception": True},
    {"body": chunks},
    {"callback": answer},
    {"fault": Fault.RESET},
    {"fault": Fault.HANG},
    {"fault": Fault.CORRUPT_ENCODING},
]
DUE_LATER_REDIRECTED = [
    {"fault": Fault.CONNECTION_REFUSED},
    {"fault": Fault.TOTAL_TIMEOUT},
    {"fault": aiohttp.ServerDisconnectedError("mine")},
    {"fault": KeyboardInterrupt("mine")},
]
LATER = [(external, options) for options in DUE_LATER for external in (False, True)]
LATER += [(True, options) for options in DUE_LATER_REDIRECTED]
LATER_IDS = [f"{external}-{number}" for number, (external, _) in enumerate(LATER)]


@pytest.mark.parametrize(("external", "options"), LATER, ids=LATER_IDS)
@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (aiohttp.ClientTimeout(total=0.05), TimeoutError),
        (aiohttp.ClientTimeout(total=None, sock_read=0.05), aiohttp.SocketTimeoutError),
    ],
    ids=["total", "sock_read"],
)
@pytest.mark.parametrize("method", ["POST"])
async def test_the_timeout_of_the_caller_comes_first(
    external: bool, options: dict[str, object], timeout: aiohttp.ClientTimeout, error: type[BaseException], method: str
):
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        url = url_of(m, external)
        late, following = m.add(url, method, delay=LONG, **options), m.add(url, method, status=201)
        with pytest.raises(TimeoutError) as caught:
            await read(session, url, method, timeout=timeout)
        assert type(caught.value) is error
        assert str(caught.value) != "mine"
        await m.wait_for_requests(timeout=5)
        assert (m.call_count, late.call_count) == (1, 1)
        assert await read(session, url, method) == 201
        assert (m.call_count, following.call_count) == (2, 1)


@pytest.mark.parametrize(("external", "options"), LATER, ids=LATER_IDS)
async def test_a_caller_that_is_cancelled_during_a_delay(external: bool, options: dict[str, object]):
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        url = url_of(m, external)
        m.get(url, delay=LONG, **options)
        m.get(url, status=201)
        asking = asyncio.ensure_future(read(session, url))
        await m.wait_for_requests(timeout=5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await read(session, url) == 201
        assert m.call_count == 2


@MODES
async def test_a_retry_after_a_delay_is_no_second_request(external: bool):
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        url = url_of(m, external)
        route = m.get(url, fault=Fault.DISCONNECT, delay=SHORT, repeat=True)
        for count in (1, 2, 3):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await read(session, url)
            assert (route.call_count, m.call_count) == (count, count)


# Clocks of tests.


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    with freezegun.freeze_time(FUTURE, real_asyncio=True):
        yield


@contextlib.contextmanager
def moved() -> Iterator[None]:
    with freezegun.freeze_time(FUTURE, real_asyncio=True) as clock:
        clock.tick(1_000_000)
        yield
        clock.tick(1_000_000)


@contextlib.contextmanager
def travelled() -> Iterator[None]:
    with time_machine.travel(FUTURE, tick=False):
        yield


@contextlib.contextmanager
def without_sleep() -> Iterator[None]:
    async def sleep(delay, result=None):
        return result

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield


@contextlib.contextmanager
def endless_sleep() -> Iterator[None]:
    async def sleep(delay, result=None):
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        yield


# Bound before anything is replaced.
real_time = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)


@MODES
@pytest.mark.parametrize("clock", [frozen, moved, travelled, without_sleep, endless_sleep])
@pytest.mark.parametrize("options", [{"status": 201}, {"fault": Fault.DISCONNECT}], ids=["reply", "fault"])
async def test_a_replaced_clock_neither_stops_nor_skips_a_delay(
    external: bool, clock: Callable, options: dict[str, object]
):
    with clock():
        async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
            url = url_of(m, external)
            m.get(url, delay=SHORT, **options)
            before = real_time()
            with pytest.raises(aiohttp.ServerDisconnectedError) if "fault" in options else contextlib.nullcontext():
                await read(session, url)
            assert real_time() - before >= SHORT
            assert m.call_count == 1
