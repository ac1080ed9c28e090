"""aiointercept-dns in front of another mock server: the code under test keeps its real host names.

Needs aiointercept-dns; pytest-httpserver for the first test only.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from pytest_httpserver import HTTPServer

from aiointercept_dns import OriginResolver, Redirection

# ---- the code under test ----


async def status() -> str:
    async with aiohttp.ClientSession() as session, session.get("https://api.example.com/status") as response:
        return str((await response.json())["status"])


# ---- in front of pytest-httpserver ----


async def test_pytest_httpserver() -> None:
    with HTTPServer() as httpserver:
        httpserver.expect_request("/status", headers={"Host": "api.example.com"}).respond_with_json({"status": "up"})

        with Redirection({"api.example.com": f"http://127.0.0.1:{httpserver.port}"}):
            assert await status() == "up"

        httpserver.check_assertions()


# ---- in front of an aiohttp application ----


async def test_aiohttp_test_server() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"status": f"{request.host} is up"})

    app = web.Application()
    app.router.add_get("/status", handle)

    async with TestServer(app) as server, Redirection({"api.example.com": f"http://127.0.0.1:{server.port}"}):
        assert await status() == "api.example.com is up"


# ---- in front of a container's port ----


@contextmanager
def container() -> Iterator[int]:
    """Stand in for `docker run --publish 127.0.0.1::8080 ...`: a server on some port, in plain HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"status": "up, in a container"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object, **kwargs: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_container() -> None:
    with container() as port, Redirection({"api.example.com": f"http://127.0.0.1:{port}"}):
        assert await status() == "up, in a container"


# ---- without any patch: a resolver for your own connector ----


async def test_resolver() -> None:
    with container() as port:
        resolver = OriginResolver({"api.example.com": f"http://127.0.0.1:{port}"})
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
            # A resolver changes the address and not the scheme, so this URL is http.
            response = await session.get("http://api.example.com/status")
            assert (await response.json())["status"] == "up, in a container"
