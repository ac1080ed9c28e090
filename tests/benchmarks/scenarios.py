"""What is measured of each subject: a block that sets it up and yields what is done over and over."""

import asyncio
import gc
import itertools
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from aiohttp import ClientError, ClientSession

from benchmarks.subjects import MISSING, SMALL, Mock, Subject, Unsupported

# One round of what is measured. What it returns counts only where the scenario has a unit of its own.
Step: TypeAlias = Callable[[], Awaitable[Any]]
SetUp: TypeAlias = Callable[[Subject], AbstractAsyncContextManager[Step]]

MB = 1024 * 1024

# What has not done 200 life cycles in so many seconds is not waited for.
_SLOW = 3.0


@dataclass(frozen=True)
class Scenario:
    """One line of the table: the time of a step, or a figure in `unit` that the step returns.

    `in_quick` says whether a quick run has it. Scenarios that differ in size only have one text in `grows`, and the
    smallest comes first.
    """

    name: str
    set_up: SetUp
    unit: str = "s"
    grows: str = ""
    in_quick: bool = True


async def _get(session: ClientSession, url: str) -> None:
    async with session.get(url) as response:
        await response.read()
        assert response.status == 200, (url, response.status)


@asynccontextmanager
async def _sequential_get(subject: Subject, scheme: str = "http") -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.reply("/small", scheme=scheme)
        yield partial(_get, session, mock.url("/small", scheme))


@asynccontextmanager
async def _in_flight(subject: Subject, count: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.reply("/small")
        url = mock.url("/small")

        async def step() -> None:
            await asyncio.gather(*(_get(session, url) for _ in range(count)))

        yield step


@asynccontextmanager
async def _post_and_assert(subject: Subject) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.reply("/orders", method="POST")

        async def step() -> None:
            async with session.post(mock.url("/orders"), json=SMALL) as response:
                assert await response.json() == SMALL
            mock.assert_called("/orders", "POST", SMALL)

        yield step


async def _use(mock: Mock) -> None:
    mock.reply("/small")
    async with ClientSession() as session:
        await _get(session, mock.url("/small"))
    mock.assert_called("/small")


@asynccontextmanager
async def _life_cycle(subject: Subject) -> AsyncIterator[Step]:
    async def step() -> None:
        async with subject.running() as mock:
            await _use(mock)

    yield step


@asynccontextmanager
async def _start_stop(subject: Subject) -> AsyncIterator[Step]:
    async def step() -> None:
        async with subject.running():
            pass

    yield step


@asynccontextmanager
async def _fixture_style(subject: Subject) -> AsyncIterator[Step]:
    async with subject.running() as mock:

        async def step() -> None:
            await _use(mock)
            mock.clear()

        yield step


@asynccontextmanager
async def _patterns(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        for number in range(size):
            mock.reply_to_pattern(rf"/items{number}/\d+")
        last, numbers = mock.url(f"/items{size - 1}"), itertools.count()
        # Each request asks for a URL that was not asked for before.
        yield lambda: _get(session, f"{last}/{next(numbers)}")


@asynccontextmanager
async def _conditions(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        for number in range(size):
            mock.reply_to_json("/orders", {"number": number})
        url, last = mock.url("/orders"), {"number": size - 1}

        async def step() -> None:
            async with session.post(url, json=last) as response:
                assert await response.json() == SMALL

        yield step


@asynccontextmanager
async def _websocket(subject: Subject, count: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.echo("/chat")
        url = mock.url("/chat")

        async def step() -> None:
            async with session.ws_connect(url) as ws:
                for _ in range(count):
                    await ws.send_str("a message of some words")
                    assert await ws.receive_str() == "a message of some words"

        yield step


@asynccontextmanager
async def _callback(subject: Subject, *, is_async: bool) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.call_back("/small", is_async=is_async)
        yield partial(_get, session, mock.url("/small"))


@asynccontextmanager
async def _download(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.reply("/large", b"x" * size)
        yield partial(_get, session, mock.url("/large"))


@asynccontextmanager
async def _upload(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.reply("/large", method="POST")
        url, body = mock.url("/large"), b"x" * size

        async def step() -> None:
            async with session.post(url, data=body) as response:
                await response.read()
                assert response.status == 200
            # Uploads are recorded: without this the memory for all of them would be measured.
            mock.clear()
            mock.reply("/large", method="POST")

        yield step


@asynccontextmanager
async def _unmatched(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        for number in range(size):
            mock.reply(f"/items/{number}")

        async def step() -> None:
            try:
                async with session.get(mock.url(MISSING)) as response:
                    await response.read()
            except ClientError:
                pass

        yield step


@asynccontextmanager
async def _registrations(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        for number in range(size):
            mock.reply(f"/items/{number}")
        yield partial(_get, session, mock.url(f"/items/{size - 1}"))


@asynccontextmanager
async def _recorded(subject: Subject, size: int) -> AsyncIterator[tuple[Mock, ClientSession]]:
    """Run a mock that has recorded `size` requests, each for another URL."""
    async with subject.running() as mock, ClientSession() as session:
        mock.reply("/small")
        mock.reply_to_pattern(r"/items/\d+")
        items = mock.url("/items")
        for start in range(0, size, 50):
            await asyncio.gather(*(_get(session, f"{items}/{number}") for number in range(start, start + 50)))
        yield mock, session


@asynccontextmanager
async def _get_after(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with _recorded(subject, size) as (mock, session):
        yield partial(_get, session, mock.url("/small"))


@asynccontextmanager
async def _failed_assertion(subject: Subject, size: int) -> AsyncIterator[Step]:
    async with _recorded(subject, size) as (mock, _):

        async def step() -> None:
            try:
                mock.assert_called(MISSING)
            except AssertionError:
                return
            raise Unsupported("no assertion on one call")

        yield step


@asynccontextmanager
async def _nested(subject: Subject, depth: int) -> AsyncIterator[Step]:
    async with AsyncExitStack() as stack, ClientSession() as session:
        outermost = await stack.enter_async_context(subject.running())
        for _ in range(depth - 1):
            await stack.enter_async_context(subject.running())
        # The mocks further in know nothing of this URL.
        outermost.reply("/small")
        yield partial(_get, session, outermost.url("/small"))


@asynccontextmanager
async def _memory_per_record(subject: Subject) -> AsyncIterator[Step]:
    async with subject.running() as mock, ClientSession() as session:
        mock.reply("/small")
        get = partial(_get, session, mock.url("/small"))

        async def step(count: int = 100) -> float:
            for _ in range(10):
                await get()
            tracemalloc.start()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(count):
                await get()
            gc.collect()
            after = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            return (after - before) / count / 1000

        yield step


@asynccontextmanager
async def _plugin_import(subject: Subject) -> AsyncIterator[Step]:
    if subject.plugin is None:
        raise Unsupported("no pytest plugin")
    code = (
        "import pytest, time; start = time.perf_counter()\n"
        f"import {subject.plugin}\n"
        "print((time.perf_counter() - start) * 1000)"
    )

    async def step() -> float:
        return float(subprocess.check_output([sys.executable, "-c", code], text=True))

    yield step


@asynccontextmanager
async def _left_over(subject: Subject, count: Callable[[], int]) -> AsyncIterator[Step]:
    async def cycle() -> None:
        async with subject.running() as mock:
            await _use(mock)

    async def step() -> int:
        await cycle()
        before, start = count(), time.perf_counter()
        for _ in range(200):
            await cycle()
            if time.perf_counter() - start > _SLOW:
                raise Unsupported("too slow for 200 cycles")
        return count() - before

    yield step


def _descriptors() -> int:
    return len(os.listdir("/dev/fd"))


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("sequential GET, keep-alive", _sequential_get),
        Scenario("sequential GET, https origin", partial(_sequential_get, scheme="https")),
        Scenario("50 GETs in flight", partial(_in_flight, count=50)),
        Scenario("POST json + assert", _post_and_assert),
        Scenario("life cycle", _life_cycle),
        Scenario("start + stop", _start_stop),
        Scenario("fixture style", _fixture_style),
        Scenario("callback, sync", partial(_callback, is_async=False)),
        Scenario("callback, async", partial(_callback, is_async=True)),
        Scenario("download of 1 MB", partial(_download, size=MB)),
        Scenario("upload of 1 MB", partial(_upload, size=MB)),
        Scenario("download of 50 MB", partial(_download, size=50 * MB), in_quick=False),
        Scenario("upload of 50 MB", partial(_upload, size=50 * MB), in_quick=False),
        Scenario("1 URL registered", partial(_registrations, size=1), grows="URLs", in_quick=False),
        Scenario("1,000 URLs registered", partial(_registrations, size=1000), grows="URLs", in_quick=False),
        Scenario("10,000 URLs registered", partial(_registrations, size=10_000), grows="URLs", in_quick=False),
        Scenario("1 pattern registered", partial(_patterns, size=1), grows="patterns"),
        Scenario("100 patterns registered", partial(_patterns, size=100), grows="patterns"),
        Scenario("1,000 patterns registered", partial(_patterns, size=1000), grows="patterns", in_quick=False),
        Scenario("100 conditions on one URL", partial(_conditions, size=100)),
        Scenario("WebSocket conversation", partial(_websocket, count=20)),
        Scenario("100 requests recorded", partial(_get_after, size=100), grows="records", in_quick=False),
        Scenario("10,000 requests recorded", partial(_get_after, size=10_000), grows="records", in_quick=False),
        Scenario("unmatched request, 1 URL registered", partial(_unmatched, size=1), grows="unmatched"),
        Scenario("unmatched request, 1,000 URLs registered", partial(_unmatched, size=1000), grows="unmatched"),
        Scenario("GET inside 1 mock", partial(_nested, depth=1), grows="mocks", in_quick=False),
        Scenario("GET inside 64 mocks", partial(_nested, depth=64), grows="mocks", in_quick=False),
        Scenario("failed assertion, 10,000 requests recorded", partial(_failed_assertion, size=10_000), in_quick=False),
        Scenario("memory per recorded request", _memory_per_record, unit="KB"),
        Scenario("import of the pytest plugin", _plugin_import, unit="ms"),
        Scenario(
            "threads left after 200 cycles",
            partial(_left_over, count=threading.active_count),
            unit="threads",
            in_quick=False,
        ),
        Scenario(
            "descriptors left after 200 cycles",
            partial(_left_over, count=_descriptors),
            unit="descriptors",
            in_quick=False,
        ),
    )
}
