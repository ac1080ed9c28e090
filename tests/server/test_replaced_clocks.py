"""The server's timers and waits are not affected by tests that replace the clocks of the process."""

import asyncio
import runpy
import socket
import time
from unittest.mock import Mock as Fake

import pytest
from mock_server import Mock
from yarl import URL as YarlURL

from aiointercept_core import CloseConnection, ExactURL, Fault, FaultReply, Reply, Route
from aiointercept_server import _clock

GET = b"GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n"
URL = "http://api.example/"


@pytest.fixture(params=["stands still", "jumps", "raises"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Replace every clock and sleep by attribute."""
    clocks = {
        "stands still": Fake(return_value=1000.0),
        "jumps": Fake(side_effect=range(10**6, 10**10, 10**5)),
        "raises": Fake(side_effect=RuntimeError("asked for the time")),
    }
    clock = clocks[request.param]
    for name in ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "sleep"):
        monkeypatch.setattr(time, name, clock)
    monkeypatch.setattr(asyncio, "sleep", clock)
    return clock


def ask(mock: Mock) -> bytes:
    """Ask without a loop of the test's own, which would need a clock."""
    with socket.create_connection(("127.0.0.1", mock.port)) as connection:
        connection.sendall(GET)
        answer = b""
        while data := connection.recv(2**16):
            answer += data
    return answer


def test_requests_are_served(clock: Fake):
    mock = Mock()
    mock.registry.get(URL, body="served", repeat=True)
    for _ in range(3):
        answer = ask(mock)
        assert answer.endswith(b"served")
        assert b"\r\nDate: " in answer
    # Without a time limit, which would be one of those that were replaced.
    mock.listener.close().result()
    clock.assert_not_called()


def test_a_stream_whose_first_chunk_is_late_gets_its_head(clock: Fake):
    async def chunks():
        loop = asyncio.get_running_loop()
        late = loop.create_future()
        before = loop.time()
        loop.call_later(0.2, late.set_result, None)
        await late
        yield b"%d" % (0.1 < loop.time() - before < 5)

    mock = Mock()
    mock.registry.get(URL, body=chunks)
    head, _, body = ask(mock).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b"1\r\n1\r\n0\r\n\r\n"
    mock.listener.close().result()
    clock.assert_not_called()


def test_a_hanging_callback_does_not_delay_the_end(clock: Fake):
    async def hang(url, **_):
        await asyncio.Event().wait()

    mock = Mock()
    mock.registry.get(URL, callback=hang)
    with socket.create_connection(("127.0.0.1", mock.port)) as connection:
        connection.sendall(GET)
        while not mock.registry.call_count:
            pass
        mock.listener.close().result()
    clock.assert_not_called()


@pytest.mark.skipif(not hasattr(time, "clock_gettime"), reason="the clocks have only one name here")
def test_also_where_the_server_is_imported_under_replaced_clocks(clock: Fake):
    own = runpy.run_path(_clock.__file__)
    assert abs(own["monotonic"]() - time.clock_gettime(time.CLOCK_MONOTONIC)) < 5
    assert abs(own["now"]() - time.clock_gettime(time.CLOCK_REALTIME)) < 5
    clock.assert_not_called()


@pytest.mark.parametrize("reply", [CloseConnection(), FaultReply(Fault.MALFORMED)], ids=["close", "fault"])
def test_a_delay_is_neither_skipped_nor_stopped(clock: Fake, reply: Reply):
    mock = Mock()
    mock.registry.register(Route("GET", ExactURL(YarlURL(URL)), reply._replace(delay=0.2)))
    before = _clock.monotonic()
    ask(mock)
    assert 0.2 <= _clock.monotonic() - before < 5
    mock.listener.close().result()
    clock.assert_not_called()


@pytest.mark.parametrize("library", ["freezegun", "time_machine"])
def test_a_delay_under_a_library_that_replaces_the_clocks(library: str):
    module = pytest.importorskip(library)
    frozen = module.freeze_time if library == "freezegun" else module.travel
    mock = Mock()
    with frozen("2030-01-01"):
        mock.registry.register(Route("GET", ExactURL(YarlURL(URL)), CloseConnection(delay=0.2)))
        before = _clock.monotonic()
        ask(mock)
        assert 0.2 <= _clock.monotonic() - before < 5
        mock.listener.close().result()
