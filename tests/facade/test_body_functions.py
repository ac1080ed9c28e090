"""Bodies that are made while they are sent: fresh for each reply, closed when left early, their errors told."""

import asyncio

import aiohttp
import pytest
from support import fetch

from aiointercept import CallbackResult, aiointercept


class BodyError(Exception):
    pass


def by_registration(m, body, **options):
    m.get(f"{m.server_url}/", body=body, **options)


def by_callback(m, body, **options):
    m.get(f"{m.server_url}/", callback=lambda url, **kwargs: CallbackResult(body=body), **options)


def by_async_callback(m, body, **options):
    async def callback(url, **kwargs):
        return CallbackResult(body=body)

    m.get(f"{m.server_url}/", callback=callback, **options)


REGISTER = pytest.mark.parametrize("register", [by_registration, by_callback, by_async_callback])


@REGISTER
async def test_an_async_generator_function_is_called_anew_for_each_reply(register):
    calls = []

    async def body():
        calls.append(asyncio.get_running_loop())
        yield b"reply "
        yield str(len(calls)).encode()

    async with aiointercept() as m:
        register(m, body, repeat=True)
        assert calls == []
        for n in (1, 2, 3):
            reply = await fetch(m.server_url)
            assert reply.text == f"reply {n}"
            assert reply.headers["Transfer-Encoding"] == "chunked"
        assert calls == [asyncio.get_running_loop()] * 3


@REGISTER
@pytest.mark.parametrize("kind", ["function", "async function"])
async def test_a_body_function_is_called_anew_for_each_reply(register, kind):
    calls = []

    def body():
        calls.append(None)
        return f"reply {len(calls)}"

    async def async_body():
        return body()

    async with aiointercept() as m:
        register(m, body if kind == "function" else async_body, repeat=True)
        for n in (1, 2):
            assert (await fetch(m.server_url)).text == f"reply {n}"


async def test_a_body_function_may_return_a_generator():
    async def numbers(count):
        for n in range(count):
            yield f"{n}".encode()

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", body=lambda: numbers(3), repeat=True)
        for _ in range(2):
            assert (await fetch(m.server_url)).text == "012"


async def test_a_generator_is_sent_once():
    async def body():
        yield b"once"

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", body=body())
        assert (await fetch(m.server_url)).text == "once"


async def test_chunks_are_sent_as_they_come():
    chunks = asyncio.Queue()

    async def body():
        while chunk := await chunks.get():
            yield chunk

    async with aiointercept() as m, aiohttp.ClientSession() as session:
        m.get(f"{m.server_url}/", body=body)
        # The head is there before any chunk is.
        async with session.get(m.server_url) as response:
            assert response.status == 200
            for chunk in (b"first", b"second"):
                chunks.put_nowait(chunk)
                assert await response.content.readany() == chunk
            chunks.put_nowait(b"")
            assert await response.content.readany() == b""


@REGISTER
async def test_a_generator_that_waits_is_closed_when_its_client_leaves(register):
    closed = asyncio.Event()

    async def body():
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with aiointercept() as m, aiohttp.ClientSession() as session:
        register(m, body)
        async with session.get(m.server_url) as response:
            assert await response.content.readany() == b"first"
            response.close()
        await asyncio.wait_for(closed.wait(), 5)


@REGISTER
async def test_a_generator_that_never_ends_is_closed_when_its_client_leaves(register):
    closed = asyncio.Event()

    async def body():
        try:
            while True:
                yield b"x" * 65536
        finally:
            closed.set()

    async with aiointercept() as m, aiohttp.ClientSession() as session:
        register(m, body)
        async with session.get(m.server_url) as response:
            assert await response.content.readany()
            response.close()
        await asyncio.wait_for(closed.wait(), 5)


async def test_a_generator_is_closed_when_the_block_is_left():
    closed = asyncio.Event()

    async def body():
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with aiohttp.ClientSession() as session:
        async with aiointercept() as m:
            m.get(f"{m.server_url}/", body=body)
            response = await session.get(m.server_url)
            assert await response.content.readany() == b"first"
        await asyncio.wait_for(closed.wait(), 5)
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_a_generator_may_have_a_timeout_across_its_chunks():
    """Every step of a generator runs in one task, as `asyncio.timeout` and task groups need it."""
    tasks = set()

    async def body():
        async with asyncio.timeout(5):
            for _ in range(3):
                tasks.add(asyncio.current_task())
                yield b"chunk "
                await asyncio.sleep(0)

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", body=body)
        assert (await fetch(m.server_url)).text == "chunk chunk chunk "
        assert len(tasks) == 1


async def test_a_timeout_within_a_generator_is_its_own():
    async def body():
        yield b"before "
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            yield b"after"

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", body=body)
        assert (await fetch(m.server_url)).text == "before after"


@REGISTER
async def test_an_error_before_the_first_chunk_is_a_500_and_raised_at_the_end(register):
    error = BodyError("told")

    async def body():
        await asyncio.sleep(0)
        raise error
        yield

    m = await aiointercept().start()
    register(m, body)
    reply = await fetch(m.server_url)
    assert reply.status == 500
    assert reply.text.splitlines()[-2].endswith("BodyError: told")
    with pytest.raises(BodyError) as caught:
        await m.stop()
    assert caught.value is error


@REGISTER
async def test_an_error_between_chunks_cuts_the_body_short_and_is_raised_at_the_end(register):
    error = BodyError("told")

    async def body():
        yield b"first"
        raise error

    m = await aiointercept().start()
    register(m, body)
    with pytest.raises(aiohttp.ClientPayloadError):
        await fetch(m.server_url)
    with pytest.raises(BodyError) as caught:
        await m.stop()
    assert caught.value is error


@REGISTER
async def test_an_error_in_a_body_function_is_a_500_and_raised_at_the_end(register):
    def body():
        raise BodyError("told")

    m = await aiointercept().start()
    register(m, body)
    assert (await fetch(m.server_url)).status == 500
    with pytest.raises(BodyError):
        await m.stop()


async def test_pytest_fail_in_a_generator_fails_the_test():
    async def body():
        yield b"first"
        pytest.fail("said by the generator")

    m = await aiointercept().start()
    m.get(f"{m.server_url}/", body=body)
    with pytest.raises(aiohttp.ClientPayloadError):
        await fetch(m.server_url)
    with pytest.raises(pytest.fail.Exception, match="said by the generator"):
        await m.stop()


async def test_a_chunk_that_is_no_bytes_is_an_error():
    async def body():
        yield "text"

    m = await aiointercept().start()
    m.get(f"{m.server_url}/", body=body)
    assert (await fetch(m.server_url)).status == 500
    with pytest.raises(TypeError, match=r"the async iterable must yield bytes, got 'text'"):
        await m.stop()


async def test_a_body_function_that_returns_no_body_is_an_error():
    m = await aiointercept().start()
    m.get(f"{m.server_url}/", body=lambda: None)
    assert (await fetch(m.server_url)).status == 500
    with pytest.raises(TypeError, match=r"<lambda>\(\) must return str, bytes or an async iterable"):
        await m.stop()


async def test_raise_callback_errors_false_is_for_bodies_too(caplog):
    async def body():
        raise BodyError("told")
        yield

    async with aiointercept(raise_callback_errors=False) as m:
        m.get(f"{m.server_url}/", body=body)
        assert (await fetch(m.server_url)).status == 500
    assert "BodyError: told" in caplog.text


@pytest.mark.parametrize("status", [204, 304])
async def test_a_generator_of_a_reply_without_a_body_is_not_begun(status):
    begun = []

    async def body():
        begun.append(None)
        yield b"never sent"

    async with aiointercept() as m, aiohttp.ClientSession() as session:
        m.get(f"{m.server_url}/", body=body, status=status)
        m.get(f"{m.server_url}/next", body="next")
        async with session.get(m.server_url) as response:
            assert (response.status, await response.read()) == (status, b"")
        async with session.get(f"{m.server_url}/next") as response:
            assert await response.text() == "next"
        assert begun == []


async def test_empty_chunks_do_not_end_the_body():
    async def body():
        yield b""
        yield b"first "
        yield b""
        yield b"last"

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", body=body)
        assert (await fetch(m.server_url)).text == "first last"


@pytest.mark.parametrize("by", ["registration", "callback"])
@pytest.mark.parametrize(
    ("length", "message"),
    [
        (5, r"body: the async iterable yielded more bytes than its Content-Length of 5"),
        (7, r"body: the async iterable yielded more bytes than its Content-Length of 7"),
        (12, r"body: the async iterable ended 4 bytes before its Content-Length"),
    ],
)
async def test_a_body_that_is_longer_or_shorter_than_its_content_length_is_an_error_of_the_mock(by, length, message):
    async def body():
        yield b"four"
        yield memoryview(b"four")

    m = aiointercept()
    await m.start()
    headers = {"Content-Length": str(length)}
    if by == "registration":
        m.get(f"{m.server_url}/", body=body, headers=headers)
    else:
        m.get(f"{m.server_url}/", callback=lambda url, **kwargs: CallbackResult(body=body, headers=headers))
    if length > 8:
        with pytest.raises(aiohttp.ClientPayloadError):
            await fetch(m.server_url)
    else:
        assert (await fetch(m.server_url)).body == b"fourfour"[:length]
    with pytest.raises(ValueError, match=message):
        await m.stop()


async def test_a_body_of_its_content_length_and_one_that_is_not_sent_are_no_errors():
    async def body():
        yield b"four"

    async with aiointercept() as m:
        m.get(f"{m.server_url}/", body=body, headers={"Content-Length": "4"})
        m.head(f"{m.server_url}/", body=body, headers={"Content-Length": "100"})
        assert (await fetch(m.server_url)).body == b"four"
        assert (await fetch(m.server_url, "HEAD")).headers["Content-Length"] == "100"
