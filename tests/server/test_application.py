"""The server as an aiohttp application, mounted in runners, test clients and other applications."""

import asyncio
import gzip
import io
import logging
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from mock_server import ClientConnection, connect, eventually

from aiointercept_core import CallbackResult, Registry
from aiointercept_server import AiointerceptRequest, application


@pytest.fixture
def registry() -> Registry[AiointerceptRequest]:
    return Registry()


class Mounted:
    """A registry's application in a runner, at `url`."""

    def __init__(self, registry: Registry, **options) -> None:
        self.runner = web.AppRunner(application(registry.answer), **options)

    async def __aenter__(self) -> "Mounted":
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()


async def test_in_a_runner(registry: Registry):
    async with Mounted(registry) as mounted, aiohttp.ClientSession(mounted.url) as session:
        registry.get(f"{mounted.url}/a?b=1", payload={"found": True})
        async with session.get("/a", params={"b": "1"}) as response:
            assert (response.status, await response.json()) == (200, {"found": True})
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post("/a", json=[1])
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post("/a", json=[2])
    registry.assert_any_call(f"{mounted.url}/a", method="GET", params={"b": "1"})
    registry.assert_called_with(f"{mounted.url}/a", method="POST", json=[2])
    assert registry.call_count == 3


async def test_under_a_test_client_of_aiohttp(registry: Registry):
    async with TestServer(application(registry.answer)) as server, TestClient(server) as client:
        url = server.make_url("/upload")
        registry.post(url, callback=lambda url, *, data, **_: CallbackResult(payload=len(data)), repeat=True)
        for size in (1, 100_000, 3_000_000):
            response = await client.post("/upload", data=io.BytesIO(b"x" * size))
            assert await response.json() == size
    registry.assert_called_with(url, method="POST", data=b"x" * 3_000_000)


async def test_the_requests_are_as_sent_and_can_be_read_afterwards(registry: Registry):
    fields = [("hOST", "api.example"), ("X-a", "1"), ("x-A", "2"), ("CONTENT-length", "3")]
    async with Mounted(registry) as mounted, connect(mounted.port) as connection:
        registry.post("http://api.example/")
        await connection.send(
            b"POST / HTTP/1.1\r\n" + b"".join(f"{n}: {v}\r\n".encode() for n, v in fields) + b"\r\na=1"
        )
        assert (await connection.response()).status == 200
    request = registry.last_request
    assert type(request) is AiointerceptRequest
    assert list(request.headers.items()) == fields
    assert (request.captured_body, await request.text(), await request.read()) == (b"a=1", "a=1", b"a=1")
    assert request.complete


async def test_a_compressed_upload_is_decoded(registry: Registry):
    async with Mounted(registry) as mounted, aiohttp.ClientSession(mounted.url) as session:
        registry.post(f"{mounted.url}/")
        headers = {"Content-Encoding": "gzip"}
        async with session.post("/", data=gzip.compress(b"text " * 100), headers=headers) as response:
            assert response.status == 200
    assert registry.last_request.captured_body == b"text " * 100


async def test_the_url_of_a_request_without_a_host_header(registry: Registry):
    async with Mounted(registry) as mounted, connect(mounted.port) as connection:
        registry.get(f"{mounted.url}/", body="found")
        await connection.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await connection.rest()).endswith(b"found")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "PURGE"])
async def test_every_method_and_path(registry: Registry, method: str):
    async with Mounted(registry) as mounted, aiohttp.ClientSession(mounted.url) as session:
        for path in ("/", "/a//b", "/a%2Fb", "/ä", "/a/../b"):
            registry.add(mounted.url + path, method, status=201, repeat=True)
            async with session.request(method, path) as response:
                assert response.status == 201


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_expect_continue(registry: Registry, version: str):
    async with Mounted(registry) as mounted, connect(mounted.port) as connection:
        registry.post("http://api.example/")
        head = f"POST / HTTP/{version}\r\nHost: api.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        await connection.send(head.encode())
        if version == "1.1":
            assert (await connection.response(bodiless=True)).status == 100
        await connection.send(b"body")
        assert (await connection.response()).status == 200
    assert registry.last_request.captured_body == b"body"


async def test_no_body_for_head_and_204(registry: Registry):
    async with Mounted(registry) as mounted, connect(mounted.port) as connection:
        registry.head("http://api.example/", headers={"Content-Length": "77"}, repeat=True)
        registry.get("http://api.example/", status=204, body="body", repeat=True)
        for method in ("HEAD", "GET", "HEAD"):
            request = f"{method} / HTTP/1.1\r\nHost: api.example\r\n\r\n"
            response = await connection.exchange(request.encode(), bodiless=True)
            assert response.values("Content-Length") == (["77"] if method == "HEAD" else [])


async def stream(connection: ClientConnection) -> None:
    await connection.send(b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    await connection.reader.readuntil(b"chunk")


async def test_a_stream_and_a_client_that_leaves_it(registry: Registry, caplog: pytest.LogCaptureFixture):
    closed = asyncio.Event()

    async def chunks():
        try:
            while True:
                yield b"chunk"
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    registry.get("http://api.example/", body=chunks)
    async with Mounted(registry) as mounted:
        async with connect(mounted.port) as connection:
            await stream(connection)
        await asyncio.wait_for(closed.wait(), 5)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_stream_that_waits_while_its_client_leaves(registry: Registry):
    """aiohttp cancels the handler then only if its runner has the option for it."""
    closed = asyncio.Event()

    async def chunks():
        try:
            yield b"chunk"
            await asyncio.Event().wait()
        finally:
            closed.set()

    registry.get("http://api.example/", body=chunks)
    async with Mounted(registry, handler_cancellation=True) as mounted:
        async with connect(mounted.port) as connection:
            await stream(connection)
        await asyncio.wait_for(closed.wait(), 5)


async def test_errors_are_answered_and_logged(registry: Registry, caplog: pytest.LogCaptureFixture):
    def fail(url, **_):
        raise LookupError("callback")

    async def early():
        raise LookupError("early")
        yield

    async def late():
        yield b"chunk"
        raise LookupError("late")

    async with Mounted(registry) as mounted, aiohttp.ClientSession(mounted.url) as session:
        registry.get(f"{mounted.url}/", callback=fail)
        registry.get(f"{mounted.url}/", body=early)
        registry.get(f"{mounted.url}/", body=late)
        for text in ("callback", "early"):
            async with session.get("/") as response:
                assert response.status == 500
                assert f"LookupError: {text}" in await response.text()
        async with session.get("/") as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
    errors = [record.getMessage().splitlines()[-1] for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == ["LookupError: callback", "LookupError: early", "LookupError: late"]


async def test_an_incomplete_upload_is_not_answered(registry: Registry, caplog: pytest.LogCaptureFixture):
    async with Mounted(registry) as mounted:
        registry.post("http://api.example/", repeat=True)
        async with connect(mounted.port) as connection:
            await connection.send(b"POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 100\r\n\r\nhalf")
            connection.writer.write_eof()
            assert await connection.rest() == b""
        async with connect(mounted.port) as connection:
            assert (await connection.exchange(b"POST / HTTP/1.1\r\nHost: api.example\r\n\r\n")).status == 200
    assert registry.call_count == 1
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_mounted_as_a_part_of_another_application(registry: Registry):
    async def own(request: web.Request) -> web.Response:
        return web.Response(text="own")

    app = web.Application()
    app.router.add_get("/own", own)
    app.add_subapp("/mocked/", application(registry.answer))
    async with TestServer(app) as server, TestClient(server) as client:
        registry.get(server.make_url("/mocked/a"), body="mocked")
        assert await (await client.get("/mocked/a")).text() == "mocked"
        assert await (await client.get("/own")).text() == "own"
    await eventually(lambda: registry.call_count == 1)


IN_DEVELOPMENT_MODE = """
import asyncio
import logging
import aiohttp
from aiohttp.test_utils import TestClient, TestServer
from aiointercept_core import Registry
from aiointercept_server import application
from mock_server import Mock

# asyncio logs slow callbacks, which on a busy machine may be any.
logging.getLogger("asyncio").setLevel(logging.ERROR)

async def use(url, registry, session):
    registry.post(f"{url}/", body="reply")
    async with session.post(f"{url}/", data=aiohttp.FormData({"a": "1"})) as response:
        assert await response.text() == "reply"
    request = registry.last_request
    request.url = request.url
    assert request.kwargs["data"] == await request.read() == await request.content.read() == b"a=1"
    assert await request.post() == {"a": "1"}
    assert str(request.canonical_url) == f"{url}/"

async def main():
    registry = Registry()
    async with TestServer(application(registry.answer)) as server, TestClient(server) as client:
        await use(str(server.make_url("/"))[:-1], registry, client.session)
    mock = Mock()
    async with aiohttp.ClientSession() as session:
        await use(mock.url, mock.registry, session)
    mock.close()

asyncio.run(main())
"""


def test_no_warning_in_development_mode():
    """aiohttp warns of attributes that it does not know on its requests then."""
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", IN_DEVELOPMENT_MODE],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


WITHOUT_ATTRS = """
from aiohttp import web

for kind in web.Request.__mro__:
    if "ATTRS" in vars(kind):
        del kind.ATTRS
import aiointercept_server
"""


def test_it_is_imported_with_an_aiohttp_that_has_no_list_of_attributes():
    """As its next major version has none."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_ATTRS],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
