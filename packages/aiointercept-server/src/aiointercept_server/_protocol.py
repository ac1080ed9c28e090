"""aiohttp's server-side connections, extended: any request method, wide limits, no errors for what is not HTTP."""

import asyncio
import functools
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import EMPTY_PAYLOAD, StreamReader, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import Response

from ._request import AiointerceptRequest
from ._writer import UnwrittenResponse

__all__ = ["Connection", "Server"]

logger = logging.getLogger("aiointercept")

# As wide as those of any real service: a mock must not be the one that refuses a request.
_LIMITS: dict[str, Any] = {"max_line_size": 2**24, "max_field_size": 2**24, "max_headers": 2**16}
_OPTIONS: dict[str, Any] = {
    **_LIMITS,
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": 3600.0,
    "lingering_time": 0.0,
    "tcp_keepalive": False,
}

# aiohttp's compiled parser refuses methods that it does not know, and its pure Python parser loses track of chunked
# bodies, and ignores those of HEAD requests. So the parser that aiohttp chooses gets every request, and for these
# methods another one that both read the same way.
_PARSED_METHOD = b"POST"
_KNOWN_METHODS = tuple(f"{method} ".encode() for method in hdrs.METH_ALL - {hdrs.METH_HEAD})
_CLOSE = CIMultiDictProxy(CIMultiDict({hdrs.CONNECTION: "close", hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}))
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (?:/|\*|[A-Za-z][A-Za-z0-9+\-.]*://)")


class Connection(web.RequestHandler):
    """One client's connection to `server`, which is `None` once the connection is lost.

    `payload` is the body of the latest request, `None` before the first; `default_origin` the scheme and the authority
    of the URL of a request that does not contain them.
    """

    __slots__ = (
        "__weakref__",
        "_expecting_request",
        "_is_upgraded",
        "_open_transport",
        "_replaced_methods",
        "_started",
        "_task",
        "default_origin",
        "payload",
        "server",
        "sockname",
    )

    def __init__(self, server: "Server", loop: asyncio.AbstractEventLoop, default_origin: tuple[str, str]) -> None:
        super().__init__(server, loop=loop, **_OPTIONS)
        self.server: Server | None = server
        self.default_origin = default_origin
        self.payload: StreamReader | None = None
        # Older releases of aiohttp keep the client's address only.
        self.sockname: Any = None
        # Whether the next bytes begin a request, unless they belong to the body of the latest.
        self._expecting_request = True
        self._is_upgraded = False
        # How many requests have started, and the methods of later ones that the parser was not given.
        self._started = 0
        self._replaced_methods: dict[int, str] = {}
        # aiohttp drops its own reference before what is written has been sent.
        self._open_transport: asyncio.BaseTransport | None = None
        self._task: asyncio.Task[None] | None = None

    def start_request(self, payload: StreamReader, task: "asyncio.Task[None]") -> str | None:
        """Note that `task`, which handles all requests of the connection, begins one that has `payload` as its body.

        Returns its method if the parser was given another.
        """
        self.payload = payload
        self._task = task
        self._expecting_request = True
        method = self._replaced_methods.pop(self._started, None)
        self._started += 1
        return method

    def abort(self) -> None:
        """Close the connection without sending what is left, and cancel the handling of its request."""
        if isinstance(self._open_transport, asyncio.Transport):
            self._open_transport.abort()
        self._cancel_task()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and its address."""
        self._open_transport = transport
        self.sockname = transport.get_extra_info("sockname")
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel the handling of the request, unless it is upgraded: then it finds the end by reading."""
        super().connection_lost(exc)
        # Recorded requests refer to this connection, and the server to the mock.
        self.server = self._open_transport = None
        if not self._is_upgraded:
            self._cancel_task()

    async def start(self) -> None:
        """Handle requests, unless the connection is lost already: before Python 3.12 this begins later than that."""
        if self.server is not None:
            await super().start()

    def set_parser(self, *args: Any, **options: Any) -> None:
        """Have the received bytes handed to a parser that does not read HTTP."""
        self._is_upgraded = True
        super().set_parser(*args, **options)

    def data_received(self, data: bytes) -> None:
        """Parse `data`, including what aiohttp's parser cannot."""
        if self._is_upgraded:
            super().data_received(data)
            return
        waiting = self._waiting_requests()
        number = len(waiting)
        # The body that `data` belongs to, if there is one.
        payload = waiting[-1][1] if waiting else self.payload
        if payload is EMPTY_PAYLOAD or (payload is not None and payload.is_eof()):
            payload = None
        if data and payload is None and (self._expecting_request or number):
            self._expecting_request = False
            data = self._replace_method(data, self._started + number)
        try:
            super().data_received(data)
        except Exception as exc:
            # asyncio would report it as a fatal error of the server.
            _warn_of_client(exc)
            self.force_close()
        if payload is not None and len(self._waiting_requests()) > number and not payload.is_eof():
            # A message after a body that has not ended is the parser's report of an error in the body. The parser does
            # not report it to readers of the body.
            payload.set_exception(web.RequestPayloadError("the rest of the body is invalid"))

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Return the response to an invalid request; a client's mistake is not logged as an error of the server."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        return _refuse(status, message, exc)

    def _cancel_task(self) -> None:
        # Once only: the task may have to clean up.
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _waiting_requests(self) -> Sequence[tuple[Any, StreamReader]]:
        """Return the requests, and their bodies, that are parsed and wait for the one before to be answered."""
        # aiohttp does not promise this name. Without it, pipelined requests are still answered.
        return getattr(self, "_messages", ())

    def _replace_method(self, head: bytes, number: int) -> bytes:
        """Return `head`, the beginning of the request of that number, with a method that the parser knows."""
        line = None if head.startswith(_KNOWN_METHODS) else _REQUEST_LINE.match(head)
        if line is None:
            return head
        self._replaced_methods[number] = line[1].decode()
        return _PARSED_METHOD + head[line.end(1) :]


class Server(web.Server):
    """The connections of one listening socket; made and used on the running loop.

    `default_origin` is the scheme and the authority of the URL of a request that does not contain them.
    """

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], default_origin: tuple[str, str]
    ) -> None:
        self._running_loop = asyncio.get_running_loop()
        self._default_origin = default_origin
        self._is_aborted = False
        if hasattr(web.BaseRequest, "pre_handler_error"):
            handler = functools.partial(_refuse_invalid, handler)
        super().__init__(handler, request_factory=functools.partial(_make_request, self._running_loop))

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self, self._running_loop, self._default_origin)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Add a connection; abort it if it was accepted just before all were aborted."""
        super().connection_made(handler, transport)
        if self._is_aborted:
            transport.abort()

    def unused_connections(self) -> list[Connection]:
        """Return the open connections on which no request has arrived yet."""
        return [one for one in self.connections if isinstance(one, Connection) and one.payload is None]

    def abort(self) -> None:
        """Abort all connections, including those that are still being set up."""
        self._is_aborted = True
        for connection in self.connections:
            if isinstance(connection, Connection):
                connection.abort()


async def _refuse_invalid(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], request: web.BaseRequest
) -> web.StreamResponse:
    """Have `handler` handle `request` unless it is invalid; aiohttp's master leaves that to the handler."""
    error: web.HTTPException | None = getattr(request, "pre_handler_error", None)
    if error is None:
        return await handler(request)
    return _refuse(error.status, error.text, error)


def _refuse(status: int, text: str | None, exc: BaseException | None) -> web.StreamResponse:
    _warn_of_client(text or exc)
    return UnwrittenResponse(Response(status, None, _CLOSE, _as_bytes(text)))


def _make_request(
    loop: asyncio.AbstractEventLoop,
    message: Any,
    payload: StreamReader,
    connection: Connection,
    writer: Any,
    task: "asyncio.Task[None]",
    error: Any = None,
    *_extra: Any,
) -> AiointerceptRequest:
    method = connection.start_request(payload, task)
    if method is not None:
        message = message._replace(method=method)
    options = {} if error is None else {"pre_handler_error": error}
    try:
        return AiointerceptRequest(message, payload, connection, writer, task, loop, **options)
    except ValueError:
        # The parser let a target through that makes no URL.
        return AiointerceptRequest(message._replace(url=URL("/")), payload, connection, writer, task, loop, **options)


def _as_bytes(text: str | None) -> bytes:
    # It may quote what was sent, which need not be text.
    return (text or "").encode(errors="backslashreplace")


def _warn_of_client(mistake: object) -> None:
    # aiohttp's message has several lines and may quote everything that was sent, lone surrogates included.
    text = _as_bytes(" ".join(str(mistake).split())).decode()
    logger.warning("a client sent an invalid HTTP request: %.200s", text)
