"""What is measured: the bare floor, ours in two modes, and the peers, each behind the same few verbs.

A subject imports its library when it is made, because each lives in an environment of its own. What a library cannot
do raises `Unsupported`, with the words that the table shows.
"""

import asyncio
import importlib
import json
import logging
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

SMALL = {"id": 1, "name": "small"}
_SMALL_JSON = json.dumps(SMALL).encode()

# A path for which nothing is ever registered, nor asked but where that is the point.
MISSING = "/missing"

_HOST = "api.service.test"


class Unsupported(Exception):
    """The subject has no such thing; the text says what is missing."""


class Mock(ABC):
    """A running mock of one library. Every reply is given for ever."""

    @abstractmethod
    def url(self, path: str, scheme: str = "http") -> str:
        """Return the URL that a client asks for."""

    @abstractmethod
    def reply(self, path: str, body: bytes | None = None, method: str = "GET", scheme: str = "http") -> None:
        """Register `body`, or the small JSON value, as the reply."""

    def reply_to_pattern(self, path: str) -> None:
        """Register the small JSON value for a pattern of paths."""
        raise Unsupported("no patterns")

    def reply_to_json(self, path: str, data: Any) -> None:
        """Register the small JSON value for POST requests whose JSON body is `data`."""
        raise Unsupported("no conditions on bodies")

    def echo(self, path: str) -> None:
        """Register a WebSocket that sends each message back."""
        raise Unsupported("no WebSockets")

    def call_back(self, path: str, *, is_async: bool) -> None:
        """Register a callback that replies with the small JSON value."""
        raise Unsupported("no async callbacks" if is_async else "no callbacks")

    def assert_called(self, path: str, method: str = "GET", data: Any = None) -> None:
        """Assert that the path was asked for, with `data` as JSON body where it is given."""
        raise Unsupported("no assertions")

    def clear(self) -> None:
        """Forget what was registered and recorded."""
        raise Unsupported("cannot be cleared")


async def _echo(request: web.BaseRequest) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(message.data)
    return ws


class Subject(ABC):
    """One library in one mode; `plugin` is the module that it adds to every run of pytest."""

    plugin: str | None = None

    @abstractmethod
    def running(self) -> AbstractAsyncContextManager[Mock]:
        """Run a mock for a block."""


class Floor(Subject):
    """A bare aiohttp server in a thread, with one canned reply: what no mock over HTTP can beat by much."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mock]:
        loop, mock = asyncio.new_event_loop(), _FloorMock()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def listen() -> tuple["web.Server[web.BaseRequest]", asyncio.Server]:
            server = web.Server(mock.handle, access_log=None)
            return server, await loop.create_server(server, "127.0.0.1", 0)

        async def close() -> None:
            listening.close()
            for connection in server.connections:
                # A shutdown would wait for an idle connection.
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.sleep(0)
            await server.shutdown(0.01)

        server, listening = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(listen(), loop))
        mock.port = listening.sockets[0].getsockname()[1]
        yield mock
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(close(), loop))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class _FloorMock(Mock):
    port: int = 0
    body: bytes = _SMALL_JSON

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            return await _echo(request)
        if request.can_read_body:
            # Not `read()`, which has a limit.
            await request.content.read()
        if request.path == MISSING:
            assert request.transport is not None
            request.transport.close()
        return web.Response(body=self.body, content_type="application/json")

    def url(self, path: str, scheme: str = "http") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def reply(self, path: str, body: bytes | None = None, method: str = "GET", scheme: str = "http") -> None:
        if body is not None:
            self.body = body

    def reply_to_pattern(self, path: str) -> None:
        pass

    def reply_to_json(self, path: str, data: Any) -> None:
        pass

    def echo(self, path: str) -> None:
        pass

    def call_back(self, path: str, *, is_async: bool) -> None:
        pass

    def assert_called(self, path: str, method: str = "GET", data: Any = None) -> None:
        if path == MISSING:
            raise Unsupported("records nothing")

    def clear(self) -> None:
        pass


class Intercepting(Subject):
    """The libraries with aioresponses's verbs: aioresponses-ng, the namesake and ours."""

    def __init__(self, module: str, name: str, plugin: str | None = None, **options: Any) -> None:
        library = importlib.import_module(module)
        self._make: Callable[[], Any] = lambda: getattr(library, name)(**options)
        self._result: Callable[..., Any] = library.CallbackResult
        self.plugin = plugin

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mock]:
        async with self._make() as mock:
            yield _InterceptingMock(mock, self._result)


class Ours(Intercepting):
    """Ours, asked at `server_url` or with hosts redirected."""

    def __init__(self, *, external: bool) -> None:
        super().__init__("aiointercept", "aiointercept", "aiointercept_pytest", mock_external_urls=external)
        self._external = external

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mock]:
        async with self._make() as mock:
            yield _OurMock(mock, self._result, None if self._external else mock.server_url)


@dataclass
class _InterceptingMock(Mock):
    mock: Any
    result: Callable[..., Any]
    base: str | None = None

    def url(self, path: str, scheme: str = "http") -> str:
        if self.base is None:
            return f"{scheme}://{_HOST}{path}"
        if scheme != "http":
            raise Unsupported("server_url is http")
        return f"{self.base}{path}"

    def reply(self, path: str, body: bytes | None = None, method: str = "GET", scheme: str = "http") -> None:
        options: dict[str, Any] = {"payload": SMALL} if body is None else {"body": body}
        self.mock.add(self.url(path, scheme), method, repeat=True, **options)

    def reply_to_pattern(self, path: str) -> None:
        self.mock.get(re.compile(f"^{re.escape(self.url(''))}{path}$"), payload=SMALL, repeat=True)

    def call_back(self, path: str, *, is_async: bool) -> None:
        def answer(url: Any, **_: Any) -> Any:
            return self.result(payload=SMALL)

        async def answer_async(url: Any, **_: Any) -> Any:
            return self.result(payload=SMALL)

        self.mock.get(self.url(path), callback=answer_async if is_async else answer, repeat=True)

    def assert_called(self, path: str, method: str = "GET", data: Any = None) -> None:
        if data is None:
            self.mock.assert_any_call(self.url(path), method)
        else:
            self.mock.assert_called_with(self.url(path), method, json=data)

    def clear(self) -> None:
        self.mock.clear()


class _OurMock(_InterceptingMock):
    def reply_to_json(self, path: str, data: Any) -> None:
        self.mock.post(self.url(path), match_json=data, payload=SMALL, repeat=True)

    def echo(self, path: str) -> None:
        async def handler(ws: Any) -> None:
            async for message in ws:
                await ws.send_str(message.data)

        self.mock.ws(self.url(path), handler, repeat=True)


class Aresponses(Subject):
    """aresponses, a server on the test's own loop behind a patched resolver."""

    plugin = "aresponses"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mock]:
        from aresponses import ResponsesMockServer

        # It tells of every request on this logger, which a test run captures; not to print is fair to it.
        logging.getLogger("aresponses").setLevel(logging.WARNING)
        async with ResponsesMockServer() as server:
            yield _AresponsesMock(server)


@dataclass
class _AresponsesMock(Mock):
    server: Any

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://{_HOST}{path}"

    def reply(self, path: str, body: bytes | None = None, method: str = "GET", scheme: str = "http") -> None:
        self._add(path, method, lambda request: web.Response(body=body or _SMALL_JSON, content_type="application/json"))

    def reply_to_pattern(self, path: str) -> None:
        self._add(re.compile(path), "GET", lambda request: web.json_response(SMALL))

    def call_back(self, path: str, *, is_async: bool) -> None:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(SMALL)

        self._add(path, "GET", answer if is_async else lambda request: web.json_response(SMALL))

    def reply_to_json(self, path: str, data: Any) -> None:
        self._add(path, "POST", lambda request: web.json_response(SMALL), body_pattern=json.dumps(data))

    def echo(self, path: str) -> None:
        self._add(path, "GET", _echo)

    def _add(self, path: str | re.Pattern[str], method: str, answer: Callable[[Any], Any], **options: Any) -> None:
        self.server.add(_HOST, path, method, answer, repeat=self.server.INFINITY, **options)

    def assert_called(self, path: str, method: str = "GET", data: Any = None) -> None:
        # It has no assertion on one call; its users look at its history.
        request = self.server.history[-1].request
        if (request.method, request.path) != (method, path):
            raise AssertionError(f"expected {method} {path}, got {request.method} {request.path}")

    def clear(self) -> None:
        # Its routes cannot be taken back, yet the first one goes on answering.
        self.server.history.clear()


class PytestHTTPServer(Subject):
    """pytest-httpserver, a werkzeug server in a thread."""

    plugin = "pytest_httpserver.pytest_plugin"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mock]:
        from pytest_httpserver import HTTPServer

        # werkzeug tells of every request on this logger.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        with HTTPServer() as server:
            yield _PytestHTTPServerMock(server)


@dataclass
class _PytestHTTPServerMock(Mock):
    server: Any

    def url(self, path: str, scheme: str = "http") -> str:
        if scheme != "http":
            raise Unsupported("no https origins")
        return str(self.server.url_for(path))

    def reply(self, path: str, body: bytes | None = None, method: str = "GET", scheme: str = "http") -> None:
        handler = self.server.expect_request(path, method=method)
        if body is None:
            handler.respond_with_json(SMALL)
        else:
            handler.respond_with_data(body)

    def reply_to_pattern(self, path: str) -> None:
        self.server.expect_request(re.compile(path)).respond_with_json(SMALL)

    def reply_to_json(self, path: str, data: Any) -> None:
        self.server.expect_request(path, method="POST", json=data).respond_with_json(SMALL)

    def call_back(self, path: str, *, is_async: bool) -> None:
        if is_async:
            raise Unsupported("no async callbacks")
        from werkzeug import Response

        self.server.expect_request(path).respond_with_handler(lambda request: Response(_SMALL_JSON))

    def assert_called(self, path: str, method: str = "GET", data: Any = None) -> None:
        # What it expects stands in the registrations.
        self.server.check_assertions()

    def clear(self) -> None:
        self.server.clear()


@dataclass(frozen=True)
class Entry:
    """How a subject is named, made and installed; without `requires` it is part of this project.

    `mode` is ours in the mode that works as the subject does.
    """

    title: str
    make: Callable[[], Subject]
    requires: str | None = None
    mode: str = "ours_external"


SUBJECTS = {
    "floor": Entry("bare aiohttp server", Floor),
    "ours": Entry("aiointercept, server_url", lambda: Ours(external=False)),
    "ours_external": Entry("aiointercept, redirected", lambda: Ours(external=True)),
    "namesake": Entry(
        "aiointercept 1.0.0",
        lambda: Intercepting("aiointercept", "aiointercept", "aiointercept.pytest_plugin", mock_external_urls=True),
        "aiointercept==1.0.0",
    ),
    "aioresponses": Entry(
        "aioresponses-ng", lambda: Intercepting("aioresponses", "aioresponses"), "aioresponses-ng==0.8.2"
    ),
    "aresponses": Entry("aresponses", Aresponses, "aresponses==3.0.0"),
    "pytest_httpserver": Entry("pytest-httpserver", PytestHTTPServer, "pytest-httpserver==1.1.5", "ours"),
}
