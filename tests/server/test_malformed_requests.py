"""No bytes from a client make the server hang, stop or log an error; the next valid request is served."""

import asyncio
import logging
import random
import re
import socket
import struct
from collections.abc import Callable

import pytest
from mock_server import Mock, connect

GOOD = b"GET /good HTTP/1.1\r\nHost: api.example\r\n\r\n"
UPLOAD = b"POST /up HTTP/1.1\r\nHost: api.example\r\n"


@pytest.fixture
def served(mock: Mock, caplog: pytest.LogCaptureFixture) -> Mock:
    mock.registry.get("http://api.example/good", body="good", repeat=True)
    mock.registry.post("http://api.example/up", body="up", repeat=True)
    yield mock
    records = caplog.get_records("call")
    # A client's mistake is not logged as an error of the server.
    assert [record for record in records if record.levelno >= logging.ERROR] == []
    # Whatever was sent, what is logged can be written to a file and sent to another process.
    for record in records:
        record.getMessage().encode()


async def serves(mock: Mock) -> None:
    async with connect(mock.port) as connection:
        for _ in range(2):
            assert (await connection.exchange(GOOD)).body == b"good"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # the beginning of TLS
        b"\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /good HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /good HTTX/1.1\r\nHost: a\r\n\r\n",
        b"GET nonsense HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G\x00T /good HTTP/1.1\r\nHost: a\r\n\r\n",
        b"BREW nonsense HTTP/1.1\r\nHost: a\r\n\r\n",
        b"BREW / NONSENSE\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /good HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n",
        b"GET /good HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
        b"GET /good HTTP/1.1\r\nHost: a\r\nSp ace: 1\r\n\r\n",
        b"GET /good HTTP/1.1\r\nHost: a\r\nNul: \x00\r\n\r\n",
        UPLOAD + b"Content-Length: nonsense\r\n\r\n",
        UPLOAD + b"Content-Length: -1\r\n\r\n",
        UPLOAD + b"Content-Length: 1, 2\r\n\r\n",
        UPLOAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        UPLOAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        UPLOAD + b"Transfer-Encoding: nonsense\r\n\r\n",
        UPLOAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"BREW /up HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n\xc3\xa4\r\n",
    ],
)
async def test_it_is_refused_at_once(served: Mock, data: bytes):
    """Without waiting for the client to leave."""
    async with connect(served.port) as connection:
        await connection.send(data)
        answer = await connection.rest()
        assert answer == b"" or answer.split()[1].startswith(b"4")
        # As in all replies of a mock, there is no header of aiohttp's own.
        assert b"\r\nServer:" not in answer
    assert served.registry.call_count == 0
    await serves(served)


async def test_invalid_bytes_after_a_request_do_not_lose_its_reply(served: Mock):
    async with connect(served.port) as connection:
        assert (await connection.exchange(GOOD)).body == b"good"
        await connection.send(b"\x00garbage\r\n\r\n")
        answer = await connection.rest()
        assert answer == b"" or answer.split()[1] == b"400"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"G",
        b"GET /good HTTP/1.1\r\nHost: ",
        UPLOAD + b"Content-Length: 10\r\n\r\nhalf",
        UPLOAD + b"Content-Length: 99999999999999999999999999\r\n\r\n",
        UPLOAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffffff\r\n",
    ],
)
async def test_an_early_end_closes(served: Mock, data: bytes):
    async with connect(served.port) as connection:
        await connection.send(data)
        connection.writer.write_eof()
        answer = await connection.rest()
        assert answer == b"" or answer.split()[1].startswith(b"4")
    assert served.registry.call_count == 0
    await serves(served)


async def test_many_connections_that_send_nothing(served: Mock):
    silent = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(200)]
    await serves(served)
    for _, writer in silent:
        writer.close()
        await writer.wait_closed()


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(200))


def text(chance: random.Random) -> bytes:
    return "".join(chance.choices("GETPOSHDhtp/1.0: \r\n\t%?&=[]@#*\\\x7fäü€", k=chance.randrange(300))).encode()


def request(chance: random.Random) -> bytes:
    """Return a request of which each part may be odd."""
    method = chance.choice(["GET", "POST", "HEAD", "get", "BREW", "", "G@T", "GET ", "CONNECT", "OPTIONS", "X" * 9999])
    target = chance.choice(
        ["/good", "/up", "*", "", "/\xff", "http://", "http://[::1/", "//", "/%zz", "api.example:443"]
    )
    version = chance.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/2", "HTTP/1.1 ", "", "http/1.1"])
    fields = chance.choices(
        [
            "Host: api.example",
            "Host: api.example",
            "Host: [",
            "Host: a b",
            "Content-Length: 5",
            "Content-Length: 0",
            "Content-Length: x",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Connection: close",
            "Connection: upgrade",
            "Upgrade: websocket",
            "Expect: 100-continue",
            "Content-Encoding: gzip",
            " folded",
            "X\x00: 1",
            "X: " + "y" * 5000,
            "Cookie: \xff=;;=",
            "\r",
        ],
        k=chance.randrange(6),
    )
    end = chance.choice(["\r\n", "\r\n", "\r\n", "\n", "\r"])
    body = chance.choice(
        ["", "hello", "5\r\nhello\r\n0\r\n\r\n", "5\r\nhel", "zz\r\n", "-5\r\nhello\r\n", "0\r\nX\r\n\r\n"]
    )
    return (end.join([f"{method} {target} {version}", *fields, "", ""]) + body).encode("latin-1")


def mutation(chance: random.Random) -> bytes:
    """Return a good request with a few bytes changed, lost or doubled."""
    data = bytearray(chance.choice([GOOD, UPLOAD + b"Content-Length: 5\r\n\r\nhello", UPLOAD + b"\r\n"]) * 2)
    for _ in range(chance.randrange(1, 5)):
        where = chance.randrange(len(data))
        change = chance.randrange(3)
        if change == 0:
            data[where] = chance.randrange(256)
        elif change == 1:
            del data[where : where + chance.randrange(1, 9)]
        else:
            data[where:where] = data[where : where + chance.randrange(1, 9)]
        data = data or bytearray(b"x")
    return bytes(data)


async def throw(mock: Mock, data: bytes, ending: str) -> None:
    async with connect(mock.port) as connection:
        try:
            await connection.send(data)
            if ending == "reset":
                linger = struct.pack("ii", 1, 0)
                connection.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return
            if ending == "leave":
                return
            connection.writer.write_eof()
            answer = await connection.rest()
        except ConnectionError:
            return
        assert set(re.findall(rb"(?m)^HTTP/1\.[01] (\d+) ", answer)) <= {b"100", b"200", b"400"}, (data, answer)


# aiohttp's master makes this warning itself, of some errors of its parser.
@pytest.mark.filterwarnings("ignore:content_type without text is deprecated:DeprecationWarning")
@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_random_requests(served: Mock, count: int):
    chance = random.Random(count)
    kinds: list[Callable[[random.Random], bytes]] = [noise, text, request, request, mutation, mutation]
    for _ in range(count // 50):
        throws = [
            throw(served, chance.choice(kinds)(chance), chance.choice(["wait", "wait", "leave", "reset"]))
            for _ in range(50)
        ]
        await asyncio.wait_for(asyncio.gather(*throws), 20)
    await serves(served)
    # Nothing is left that delays closing.
    before = asyncio.get_running_loop().time()
    served.close()
    assert asyncio.get_running_loop().time() - before < 1


async def test_a_client_of_one_mock_is_not_seen_by_another(mock: Mock):
    other = Mock()
    try:
        for one, name in ((mock, b"one"), (other, b"other")):
            async with connect(one.port) as connection:
                await connection.send(b"GET /%s HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n" % name)
                assert await connection.rest() == b""
        assert [request.path for request in mock.received] == ["/one"]
        assert [request.path for request in other.received] == ["/other"]
    finally:
        other.close()
