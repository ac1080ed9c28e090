"""Uploads of every kind and size are received whole, in order, and held in memory once."""

import asyncio
import gzip
import json
import subprocess
import sys
import zlib

import aiohttp
import pytest
from mock_server import Mock, connect, eventually
from support import fetch

from aiointercept_server import _late_bodies

UPLOAD = """
import asyncio, json, sys
import aiohttp
from mock_server import Mock

async def chunks(size):
    chunk = bytes(2**20)
    for _ in range(size >> 20):
        yield chunk

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

async def main(size, chunked):
    mock = Mock()
    mock.registry.post(f"{mock.url}/", repeat=True)
    async with aiohttp.ClientSession() as session:
        async def upload(size):
            headers = {} if chunked else {"Content-Length": str(size)}
            async with session.post(f"{mock.url}/", data=chunks(size), headers=headers) as response:
                return response.status
        assert await upload(2**20) == 200
        before = peak()
        assert await upload(size) == 200
    received = len(mock.last.captured_body)
    print(json.dumps({"received": received, "growth": peak() - before}))
    mock.close()

asyncio.run(main(int(sys.argv[1]), sys.argv[2] == "chunked"))
"""


def upload_in_another_process(size: int, kind: str) -> dict[str, int]:
    ran = subprocess.run(
        [sys.executable, "-c", UPLOAD, str(size), kind],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize(
    ("megabytes", "kind"),
    [
        (20, "chunked"),
        pytest.param(200, "chunked", marks=pytest.mark.long),
        pytest.param(200, "sized", marks=pytest.mark.long),
    ],
)
def test_a_large_upload_is_held_once(megabytes: int, kind: str):
    size = megabytes << 20
    result = upload_in_another_process(size, kind)
    assert result["received"] == size
    # The body once, and a margin for a buffer that grows.
    assert result["growth"] < size * 1.25 + 8 * 2**20


async def test_a_chunked_upload(mock: Mock):
    mock.registry.put(f"{mock.url}/")

    async def chunks():
        for number in range(500):
            yield b"%d," % number

    assert (await fetch(f"{mock.url}/", "PUT", data=chunks())).status == 200
    assert mock.last.captured_body == b"".join(b"%d," % number for number in range(500))
    assert mock.last.headers["Transfer-Encoding"] == "chunked"
    assert mock.last.complete


async def test_a_chunked_upload_byte_by_byte_with_a_trailer(mock: Mock):
    mock.registry.post("http://api.example/")
    data = (
        b"POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    async with connect(mock.port) as connection:
        for octet in data:
            await connection.send(bytes([octet]))
            await asyncio.sleep(0)
        assert (await connection.response()).status == 200
    assert mock.last.captured_body == b"abcde"


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
        ("identity", bytes),
    ],
)
async def test_a_compressed_body_can_be_read_as_sent_and_decoded(mock: Mock, coding: str, encode):
    body = json.dumps({"text": "many words " * 500}).encode()
    sent = encode(body)
    mock.registry.post(f"{mock.url}/")
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    assert (await fetch(f"{mock.url}/", "POST", data=sent, headers=headers)).status == 200
    assert mock.last.encoded_body == sent
    assert mock.last.captured_body == body
    assert mock.last.encoded_body == sent
    assert await mock.last.json() == json.loads(body)
    assert mock.last.headers["Content-Encoding"] == coding


async def test_codings_in_several_headers_are_decoded_in_turn(mock: Mock):
    body = gzip.compress(zlib.compress(b"text"))
    mock.registry.post(f"{mock.url}/")
    headers = [("Content-Encoding", "deflate"), ("Content-Encoding", "gzip")]
    assert (await fetch(f"{mock.url}/", "POST", data=body, headers=headers)).status == 200
    assert mock.last.captured_body == b"text"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "nonsense"])
async def test_a_body_that_cannot_be_decoded_is_returned_as_sent(mock: Mock, coding: str):
    mock.registry.post(f"{mock.url}/")
    headers = {"Content-Encoding": coding}
    assert (await fetch(f"{mock.url}/", "POST", data=b"\x00as sent", headers=headers)).status == 200
    assert mock.last.captured_body == b"\x00as sent"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PATCH"])
async def test_any_method_may_have_a_body(mock: Mock, method: str):
    mock.registry.add(f"{mock.url}/", method)
    assert (await fetch(f"{mock.url}/", method, data=b"body")).status == 200
    assert mock.last.captured_body == b"body"


async def test_no_body_is_none_and_so_is_an_empty_one_unless_it_is_chunked(mock: Mock):
    mock.registry.post("http://api.example/", repeat=True)
    async with connect(mock.port) as connection:
        await connection.exchange(b"POST / HTTP/1.1\r\nHost: api.example\r\n\r\n")
        assert mock.last.captured_body is None
        await connection.exchange(b"POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\n\r\n")
        assert mock.last.captured_body is None
        await connection.exchange(
            b"POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert mock.last.captured_body == b""
    assert all(request.complete for request in mock.received)


async def test_pipelined_requests_are_answered_in_order(mock: Mock):
    for number in range(60):
        mock.registry.post(f"http://api.example/{number}", body=f"reply {number}")
    requests = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: api.example\r\nContent-Length: 4\r\n\r\n%04d" % (number, number)
        for number in range(60)
    )
    async with connect(mock.port) as connection:
        await connection.send(requests)
        for number in range(60):
            assert (await connection.response()).body == f"reply {number}".encode()
    assert [int(request.captured_body) for request in mock.received] == list(range(60))


async def test_many_uploads_at_once(mock: Mock):
    mock.registry.post(f"{mock.url}/", repeat=True)
    bodies = [bytes([number]) * 300_000 for number in range(40)]
    async with aiohttp.ClientSession() as session:

        async def upload(body: bytes) -> int:
            async with session.post(f"{mock.url}/", data=body) as response:
                return response.status

        assert await asyncio.gather(*map(upload, bodies)) == [200] * 40
    assert sorted(request.captured_body for request in mock.received) == bodies


@pytest.mark.parametrize(
    ("head", "sent", "rest", "announced"),
    [
        (b"Content-Length: 9", b"", b"announced", "its Content-Length is 9, 0 bytes"),
        (b"Content-Length: 9", b"ann", b"ounced", "its Content-Length is 9, 3 bytes"),
        (
            b"Transfer-Encoding: chunked",
            b"3\r\nann\r\n",
            b"6\r\nounced\r\n0\r\n\r\n",
            "it has no last chunk, 3 bytes",
        ),
    ],
)
async def test_a_body_that_does_not_arrive_is_logged_once_and_still_waited_for(
    mock: Mock, head: bytes, sent: bytes, rest: bytes, announced: str, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.setattr(_late_bodies, "_LATE_AFTER", 0.05)
    mock.registry.post("http://api.example/", body="whole")
    async with connect(mock.port) as connection:
        await connection.send(b"POST / HTTP/1.1\r\nHost: api.example\r\n" + head + b"\r\n\r\n" + sent)
        await eventually(lambda: caplog.messages)
        await asyncio.sleep(0.12)
        [message] = caplog.messages
        assert message == (
            "the body of POST http://api.example/ is incomplete, and nothing has arrived for 0.05 s: "
            f"{announced} were received; if it is a file that was sent before, open it again"
        )
        assert (await connection.exchange(rest)).body == b"whole"
    assert mock.last.captured_body == b"announced"


async def test_a_slow_body_is_not_logged(mock: Mock, monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.setattr(_late_bodies, "_LATE_AFTER", 0.3)
    mock.registry.post("http://api.example/", body="whole")
    async with connect(mock.port) as connection:
        await connection.send(b"POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.035)
            await connection.send(b"x")
        assert (await connection.response()).body == b"whole"
    assert caplog.messages == []
