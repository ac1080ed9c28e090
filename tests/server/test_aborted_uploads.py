"""An upload that ends early is incomplete, keeps the bytes that arrived, and consumes no reply."""

import asyncio
import socket
import struct

import aiohttp
import pytest
from mock_server import Mock, connect, eventually

HEAD = b"POST /up HTTP/1.1\r\nHost: api.example\r\n"
SIZED = HEAD + b"Content-Length: 1000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def has_arrived(mock: Mock, size: int) -> None:
    """Wait until `size` bytes of the latest request's body have arrived."""
    request = await eventually(lambda: mock.heads and mock.heads[-1])
    await eventually(lambda: request.protocol.payload.total_bytes >= size)


def is_incomplete(mock: Mock, body: bytes | None) -> bool:
    [request] = mock.incomplete
    assert (request.captured_body, request.complete, request.method) == (body, False, "POST")
    assert str(request.url) == "http://api.example/up"
    return mock.registry.call_count == 0


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (SIZED, b""),
        (SIZED + b"some", b"some"),
        (SIZED + b"x" * 999, b"x" * 999),
        (CHUNKED, b""),
        (CHUNKED + b"4\r\nsome\r\n", b"some"),
        (CHUNKED + b"8\r\nsome", b"some"),
        (CHUNKED + b"4\r\nsome\r\n0\r\n", b"some"),
    ],
)
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_the_client_leaves(mock: Mock, sent: bytes, body: bytes, reset: bool):
    response = mock.registry.post("http://api.example/up")
    async with connect(mock.port) as connection:
        await connection.send(sent)
        await has_arrived(mock, len(body))
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    await eventually(lambda: mock.incomplete)
    assert is_incomplete(mock, body)
    assert response.call_count == 0


@pytest.mark.parametrize("broken", [b"zz\r\nsome\r\n", b"4\r\nsomemore\r\n", b"-1\r\n\r\n", b"4 4\r\n"])
async def test_a_body_that_cannot_be_parsed(mock: Mock, broken: bytes):
    mock.registry.post("http://api.example/up")
    async with connect(mock.port) as connection:
        await connection.send(CHUNKED + b"5\r\nfirst\r\n")
        await has_arrived(mock, 5)
        await connection.send(broken)
        answer = await connection.rest()
        assert answer == b"" or answer.split()[1].startswith(b"4")
    await eventually(lambda: mock.incomplete)
    [request] = mock.incomplete
    assert request.captured_body.startswith(b"first")
    assert mock.registry.call_count == 0


async def test_an_aiohttp_client_that_gives_up(mock: Mock):
    mock.registry.post(f"{mock.url}/up")

    async def chunks():
        yield b"first"
        await asyncio.Event().wait()

    async with aiohttp.ClientSession() as session:
        upload = asyncio.ensure_future(session.post(f"{mock.url}/up", data=chunks()))
        await has_arrived(mock, 5)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
    await eventually(lambda: mock.incomplete)
    assert [request.captured_body for request in mock.incomplete] == [b"first"]
    assert mock.registry.call_count == 0


async def test_the_listener_closes_under_an_upload(mock: Mock):
    mock.registry.post("http://api.example/up")
    async with connect(mock.port) as connection:
        await connection.send(SIZED + b"some")
        await has_arrived(mock, 4)
        mock.close()
        assert await connection.rest() == b""
    assert is_incomplete(mock, b"some")


async def test_the_next_upload_is_served(mock: Mock):
    mock.registry.post("http://api.example/up")
    async with connect(mock.port) as connection:
        await connection.send(SIZED + b"some")
    await eventually(lambda: mock.incomplete)
    async with connect(mock.port) as connection:
        assert (await connection.exchange(SIZED + b"x" * 1000)).status == 200
    assert mock.last.captured_body == b"x" * 1000
