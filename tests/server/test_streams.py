"""A streamed body is sent as it is produced, closed when the client leaves, and cut short by an error in it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

import aiohttp
import pytest
from mock_server import Mock, connect, eventually
from multidict import CIMultiDict, CIMultiDictProxy
from support import fetch

from aiointercept_core import Stream, checked_chunks

GET = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
URL = "http://api.example/"
HOST = {"Host": "api.example"}


class Recorder:
    """An async generator function that counts its calls. It keeps its generators: none is closed by being freed."""

    def __init__(
        self,
        chunks: int = 10**9,
        pause: float = 0.001,
        error: BaseException | None = None,
        chunk: bytes = b"",
    ) -> None:
        self.chunks = chunks
        self.chunk = chunk
        self.pause = pause
        self.error = error
        self.begun = self.closed = 0
        self.kept: list[AsyncGenerator[bytes, None]] = []

    def __call__(self) -> AsyncGenerator[bytes, None]:
        self.kept.append(self.generate())
        return self.kept[-1]

    async def generate(self) -> AsyncGenerator[bytes, None]:
        self.begun += 1
        try:
            for number in range(self.chunks):
                yield self.chunk or b"chunk %d;" % number
                await asyncio.sleep(self.pause)
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1


def registered(mock: Mock, body, **options):
    """Register a generator function, which is called for each reply."""
    return mock.registry.get(URL, body=body, repeat=True, **options)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the last line of each error in the log."""
    return [record.getMessage().splitlines()[-1] for record in caplog.records if record.levelno >= logging.ERROR]


async def test_each_chunk_is_sent_as_soon_as_it_is_produced(mock: Mock):
    go_on = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def chunks():
        yield b"first"
        # The test's loop, from the server's.
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.get(), loop))
        yield b"second"

    registered(mock, chunks)
    async with connect(mock.port) as connection, asyncio.timeout(5):
        await connection.send(GET)
        await connection.reader.readuntil(b"5\r\nfirst\r\n")
        go_on.put_nowait(None)
        await connection.reader.readuntil(b"6\r\nsecond\r\n0\r\n\r\n")


async def test_the_head_does_not_wait_for_a_first_chunk_that_keeps_waiting(mock: Mock):
    has_head = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def chunks():
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(has_head.wait(), loop))
        yield b"only once the client has the head"

    registered(mock, chunks, status=201)
    async with connect(mock.port) as connection, asyncio.timeout(5):
        await connection.send(GET)
        assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201 ")
        has_head.set()
        await connection.reader.readuntil(b"has the head\r\n0\r\n\r\n")
        # The connection stays usable.
        await connection.send(GET)
        await connection.reader.readuntil(b"0\r\n\r\n")


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_any_number_of_chunks(mock: Mock, number: int):
    body = Recorder(number)
    registered(mock, body)
    async with connect(mock.port) as connection:
        for _ in range(3):
            assert (await connection.exchange(GET)).body == b"".join(b"chunk %d;" % index for index in range(number))
    assert (body.begun, body.closed) == (3, 3)


async def test_a_generator_runs_in_one_task(mock: Mock):
    """So that a timeout or a task group may contain its yields."""

    async def chunks():
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            yield b"one"
            await asyncio.sleep(0)
            yield b"two"

    registered(mock, chunks)
    async with connect(mock.port) as connection:
        assert (await connection.exchange(GET)).body == b"onetwo"


async def test_any_buffer_is_a_chunk(mock: Mock):
    async def chunks():
        yield bytearray(b"a")
        yield memoryview(b"bc")
        yield b""
        yield b"d"

    registered(mock, chunks)
    async with connect(mock.port) as connection:
        assert (await connection.exchange(GET)).body == b"abcd"


async def test_the_generator_is_closed_when_the_client_leaves(mock: Mock):
    body = Recorder()
    registered(mock, body)
    async with aiohttp.ClientSession() as session, session.get(mock.url, headers=HOST) as response:
        await response.content.readany()
        assert (body.begun, body.closed) == (1, 0)
    await eventually(lambda: body.closed == 1)


async def test_the_generator_is_closed_when_it_waits_while_the_client_leaves(mock: Mock):
    body = Recorder(pause=3600)
    registered(mock, body)
    async with connect(mock.port) as connection:
        await connection.send(GET)
        await connection.reader.readuntil(b"chunk 0;")
    await eventually(lambda: body.closed == 1)


async def test_the_generator_is_closed_when_a_client_that_does_not_read_leaves(mock: Mock):
    """It is suspended at a chunk then, and learns of the end only by being closed."""
    body = Recorder(pause=0, chunk=bytes(2**18))
    registered(mock, body)
    async with connect(mock.port) as connection:
        await connection.send(GET)
        await eventually(lambda: mock.heads and mock.heads[0].transport.get_write_buffer_size() > 2**16)
        assert (body.begun, body.closed) == (1, 0)
    await eventually(lambda: body.closed == 1)


async def test_the_generator_is_closed_when_the_listener_closes(mock: Mock):
    body = Recorder(pause=3600)
    registered(mock, body)
    async with connect(mock.port) as connection:
        await connection.send(GET)
        await connection.reader.readuntil(b"chunk 0;")
        mock.close()
        assert body.closed == 1
        with contextlib.suppress(ConnectionResetError):
            await connection.rest()


@pytest.mark.parametrize("error", [RuntimeError("early"), ConnectionResetError("early"), SystemExit("early")])
async def test_an_error_before_the_first_chunk_is_a_500(mock: Mock, error: BaseException, caplog):
    body = Recorder(0, error=error)
    registered(mock, body)
    async with connect(mock.port) as connection:
        for _ in range(2):
            response = await connection.exchange(GET)
            assert response.status == 500
            assert f"{type(error).__name__}: early" in response.body.decode()
    assert body.closed == 2
    assert logged(caplog) == [f"{type(error).__name__}: early"] * 2


@pytest.mark.parametrize("error", [RuntimeError("late"), ConnectionResetError("late"), SystemExit("late")])
async def test_an_error_after_the_first_chunk_cuts_the_body_short(mock: Mock, error: BaseException, caplog):
    body = Recorder(2, error=error)
    registered(mock, body)
    received = b""
    async with aiohttp.ClientSession() as session, session.get(mock.url, headers=HOST) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):  # noqa: PT012
            async for chunk in response.content.iter_any():
                received += chunk
    # What was sent before the error has arrived.
    assert received == b"chunk 0;chunk 1;"
    assert body.closed == 1
    assert logged(caplog) == [f"{type(error).__name__}: late"]


async def test_an_error_resets_the_connection_of_a_client_of_http_1_0(mock: Mock):
    """The end of the connection is the end of the body there; only a reset shows that something is missing."""
    registered(mock, Recorder(2, error=RuntimeError("late")))
    async with connect(mock.port) as connection:
        await connection.send(GET.replace(b"1.1", b"1.0"))
        await connection.response(bodiless=True)
        with pytest.raises(ConnectionResetError):
            await connection.rest()


async def test_a_chunk_of_another_type_is_a_500(mock: Mock):
    async def chunks():
        yield "text"

    registered(mock, chunks)
    async with connect(mock.port) as connection:
        response = await connection.exchange(GET)
    assert response.status == 500
    assert b"TypeError: body: the async iterable must yield bytes, got 'text'" in response.body


async def test_fewer_bytes_than_the_content_length_do_not_hang(mock: Mock, caplog):
    registered(mock, Recorder(1), headers={"Content-Length": "100"})
    with pytest.raises(aiohttp.ClientPayloadError):
        await asyncio.wait_for(fetch(mock.url, headers=HOST), 5)
    assert logged(caplog) == ["ValueError: body: the async iterable ended 92 bytes before its Content-Length"]


@pytest.mark.parametrize(("length", "chunks"), [(10, 3), (8, 2), (3, 1)])
async def test_more_bytes_than_the_content_length_are_an_error_and_not_sent(
    mock: Mock, length: int, chunks: int, caplog
):
    body = Recorder(chunks)
    registered(mock, body, headers={"Content-Length": str(length)})
    async with connect(mock.port) as connection:
        for _ in range(2):
            assert (await connection.exchange(GET)).body == b"chunk 0;ch"[:length]
        await eventually(lambda: len(logged(caplog)) == 2)
    assert body.closed == 2
    message = f"ValueError: body: the async iterable yielded more bytes than its Content-Length of {length}; "
    assert set(logged(caplog)) == {f"{message}correct the header, or leave it out"}


async def test_checked_chunks_raises_to_its_caller():
    """So that the error of a stream is known outside the server, too."""

    async def chunks():
        yield memoryview(b"abcd").cast("H")
        yield b""

    def reply(length: int | None) -> Stream:
        headers = {} if length is None else {"Content-Length": str(length)}
        return Stream(200, None, CIMultiDictProxy(CIMultiDict(headers)), chunks())

    for length in (None, 4):
        assert [bytes(chunk) async for chunk in checked_chunks(reply(length))] == [b"abcd", b""]
    for length, received, error in ((2, [b"ab"], "more bytes than"), (5, [b"abcd", b""], "1 bytes before")):
        checked, yielded = checked_chunks(reply(length)), []
        with pytest.raises(ValueError, match=error):  # noqa: PT012
            async for chunk in checked:
                yielded.append(bytes(chunk))
        assert yielded == received


async def test_an_async_iterable_that_is_no_generator(mock: Mock):
    class Lines:
        def __aiter__(self):
            return Recorder(2)()

    mock.registry.get(URL, body=Lines(), repeat=True)
    async with connect(mock.port) as connection:
        for _ in range(2):
            assert (await connection.exchange(GET)).body == b"chunk 0;chunk 1;"


async def test_a_slow_reader_holds_the_generator_back(mock: Mock):
    produced = 0

    async def chunks():
        nonlocal produced
        for _ in range(200):
            produced += 1
            yield bytes(2**18)

    registered(mock, chunks)
    async with connect(mock.port) as connection:
        await connection.send(GET)
        await connection.response(bodiless=True)
        before = -1
        while before != produced:
            before = produced
            await asyncio.sleep(0.05)
        # Of 50 MB no more was produced than the buffers of both ends hold.
        assert produced < 100
