"""Starting and stopping at any point of something else: an interrupt, a collection, a fork, another thread."""

import asyncio
import gc
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import BaseConnector, ClientSession, TCPConnector
from line_counter import at_each_line, interrupt
from support import fetch

import aiointercept_dns
from aiointercept_dns import OutgoingRequest, Redirection


def snapshot() -> list[dict]:
    return [dict(vars(owner)) for owner in (BaseConnector, TCPConnector, ClientSession)]


@pytest.fixture(autouse=True, name="before")
def _no_patch_is_left():
    before = snapshot()
    yield before
    assert snapshot() == before


def in_a_thread(work: Callable[[], object]) -> None:
    """Call `work` in a thread that may be left behind if it waits for ever; raise what it raises."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits for ever"
    if errors:
        raise errors[0]


class Asking(Redirection):
    """Notes each request in `asked` and leaves the decision to others."""

    def __init__(self, name: str, asked: list[str]) -> None:
        super().__init__(lambda _: asked.append(name))
        self.name = name

    def prepare(self, method: str) -> None:
        """Make `method` the next that may be called."""
        if method == "stop":
            self.start()


def start_and_stop() -> None:
    before = snapshot()
    with Redirection({}):
        assert "connect" in vars(TCPConnector)
    assert snapshot() == before


@pytest.mark.parametrize("method", ["start", "stop"])
@pytest.mark.parametrize("with_another", [False, True])
def test_an_interrupt_leaves_nothing_behind_that_a_later_stop_does_not_remove(before, method, with_another):
    redirection, other = Redirection({}), Redirection({})

    def run() -> None:
        if method == "start":
            redirection.start()
        else:
            redirection.stop()

    if method == "stop":
        redirection.start()
    for _ in at_each_line(aiointercept_dns, run, interrupt):
        if with_another:
            in_a_thread(lambda: (other.start(), other.stop()))
        redirection.stop()
        assert snapshot() == before
        in_a_thread(start_and_stop)
        if method == "stop":
            redirection.start()
            assert "connect" in vars(TCPConnector)
    redirection.stop()


@pytest.mark.parametrize("method", ["start", "stop"])
@pytest.mark.filterwarnings("ignore:a Redirection was collected:ResourceWarning")
def test_an_interrupt_leaves_nothing_behind_that_collection_does_not_remove(before, method):
    kept: list[Redirection] = []

    def run() -> None:
        if method == "start":
            kept[0].start()
        else:
            kept[0].stop()

    def renew() -> None:
        kept[:] = [Redirection({})]
        if method == "stop":
            kept[0].start()

    renew()
    for _ in at_each_line(aiointercept_dns, run, interrupt):
        kept.clear()
        assert snapshot() == before
        in_a_thread(start_and_stop)
        renew()
    kept[0].stop()


@pytest.mark.parametrize("method", ["start", "stop"])
@pytest.mark.parametrize("nested", ["start", "stop"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_redirection_may_start_or_stop_in_the_middle_of_another_as_in_a_collection(before, method, nested, alone):
    """As a finalizer does that the garbage collector calls: it must neither wait nor get lost."""
    asked: list[str] = []
    main, collected = Asking("main", asked), Asking("collected", asked)
    expected = {each.name for each, what in ((main, method), (collected, nested)) if what == "start"}

    def work() -> None:
        main.prepare(method)
        collected.prepare(nested)
        for _ in at_each_line(aiointercept_dns, getattr(main, method), getattr(collected, nested)):
            if alone:
                assert (snapshot() != before) == bool(expected)
            else:
                with pytest.raises(ZeroDivisionError):
                    asyncio.run(fetch("http://api.example/"))
                assert set(asked) == expected
                asked.clear()
            for redirection in (main, collected):
                redirection.stop()
            main.prepare(method)
            collected.prepare(nested)
        for redirection in (main, collected):
            redirection.stop()

    if alone:
        # Then the patches themselves are put in or taken out.
        in_a_thread(work)
    else:
        with Redirection(lambda _: ZeroDivisionError()):
            in_a_thread(work)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("method", ["start", "stop"])
def test_a_child_that_is_forked_in_the_middle_of_a_change_can_start_and_stop(method):
    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            signal.alarm(5)
            try:
                with Redirection({}):
                    works = "connect" in vars(TCPConnector)
                os._exit(0 if works else 1)
            finally:
                os._exit(2)
        exit_codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    def fork_in_another_thread() -> None:
        in_a_thread(fork)

    exit_codes: list[int] = []
    redirection = Redirection({})

    def run() -> None:
        if method == "start":
            redirection.start()
        else:
            redirection.stop()

    if method == "stop":
        redirection.start()
    for _ in at_each_line(aiointercept_dns, run, fork_in_another_thread):
        assert exit_codes.pop() == 0
        if method == "start":
            redirection.stop()
        else:
            redirection.start()
    redirection.stop()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_a_child_is_not_kept_patched_by_the_requests_of_its_parent(before):
    held = asyncio.Event()

    class Waiting(TCPConnector):
        async def connect(self, req, traces, timeout):
            held.set()
            await asyncio.Event().wait()

    async with ClientSession(connector=Waiting()) as session:
        redirection = Redirection({})
        redirection.start()
        task = asyncio.create_task(session.get("http://api.example"))
        await held.wait()
        pid = os.fork()
        if pid == 0:
            try:
                redirection.stop()
                os._exit(0 if snapshot() == before else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        redirection.stop()
        assert snapshot() != before
        task.cancel()
        await asyncio.wait({task})


# Threads that start one redirection at once.


def test_of_two_starts_at_once_one_succeeds(before):
    redirection, results = Redirection({}), []

    def start() -> None:
        try:
            redirection.start()
        except RuntimeError as exc:
            results.append(str(exc))
        else:
            results.append("started")

    for _ in at_each_line(aiointercept_dns, start, start):
        assert sorted(result[:31] for result in results) == ["started", "the redirection is already activ"[:31]]
        assert snapshot() != before
        redirection.stop()
        assert snapshot() == before
        results.clear()
    redirection.stop()


def test_of_many_threads_that_start_a_redirection_one_succeeds(before):
    redirection, together, results = Redirection({}), threading.Barrier(4), []

    def work() -> None:
        for _ in range(100):
            together.wait(10)
            try:
                redirection.start()
            except RuntimeError:
                results.append(0)
            else:
                results.append(1)
            if together.wait(10) == 0:
                redirection.stop()
                assert snapshot() == before

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(results), len(results)) == (100, 400)


# Redirections that are collected.


class Mock:
    """Refers to its redirection, and the redirection to it."""

    def __init__(self) -> None:
        self.redirection = Redirection(self.decide)

    def decide(self, request: OutgoingRequest) -> ValueError:
        return ValueError("decided")


def test_a_redirection_that_is_collected_stops_with_a_warning(before):
    mock = Mock()
    mock.redirection.start()
    reference = weakref.ref(mock)
    del mock
    with pytest.warns(ResourceWarning, match="a Redirection was collected before it was stopped: use a with block"):
        gc.collect()
    assert reference() is None
    assert snapshot() == before


def test_a_redirection_that_was_stopped_is_collected_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mock = Mock()
        with mock.redirection:
            pass
        reference = weakref.ref(mock)
        del mock
        gc.collect()
    assert reference() is None


@pytest.mark.filterwarnings("ignore:a Redirection was collected:ResourceWarning")
async def test_a_call_does_not_reach_the_real_network_when_its_redirection_is_collected():
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(request, handler):
        held.set()
        await go.wait()
        return await handler(request)

    redirection = Redirection({"api.example": "http://127.0.0.1:1"})
    redirection.start()
    async with ClientSession(middlewares=[hold]) as session:
        task = asyncio.create_task(session.get("http://api.example"))
        await held.wait()
        del redirection
        gc.collect()
        go.set()
        with pytest.raises(aiohttp.ClientConnectionError, match="the redirection ended before the response arrived"):
            await task


async def test_middlewares_that_aiohttp_keeps_do_not_keep_a_mock_or_what_was_called(monkeypatch):
    """Aiohttp 4 keeps the middlewares of the last 64 calls."""
    middlewares, original = [], ClientSession._request

    async def _request(self, *args, **options):
        middlewares.append(tuple(options["middlewares"]))
        return await original(self, *args, **options)

    monkeypatch.setattr(ClientSession, "_request", _request)
    mock, data = Mock(), {"large": "body"}.keys()
    references = [weakref.ref(mock)]

    class Body(aiohttp.BytesPayload):
        pass

    data = Body(b"large")
    references.append(weakref.ref(data))
    async with ClientSession() as session:
        with mock.redirection, pytest.raises(ValueError, match="decided"):
            await session.post("http://api.example", data=data)
    del mock, data, session
    gc.collect()
    assert len(middlewares) == 1
    assert [reference() for reference in references] == [None, None]
