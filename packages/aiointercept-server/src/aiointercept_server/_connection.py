"""The connections of one listening socket: aiohttp's own, that take any method and are not upset by what is no HTTP."""

import asyncio
import functools
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import EMPTY_PAYLOAD, StreamReader, hdrs, http_parser, web
from yarl import URL

from ._request import AiointerceptRequest

__all__ = ["Connection", "Server"]

logger = logging.getLogger("aiointercept")

# As wide as any real service: a mock must not be what refuses a request.
_LIMITS: dict[str, Any] = {"max_line_size": 2**24, "max_field_size": 2**24, "max_headers": 2**16}
_OPTIONS: dict[str, Any] = {
    **_LIMITS,
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": 3600.0,
    "lingering_time": 0.0,
    "tcp_keepalive": False,
}

_READ_SIZE = 2**16

# Not promised by aiohttp, as the places of a parser in `Connection._swap_parser`: without one of them the methods that
# the compiled parser does not know are answered by 400, and all else goes on.
_PythonParser: Any = getattr(http_parser, "HttpRequestParserPy", None)

_ORDINARY = tuple(f"{method} ".encode() for method in hdrs.METH_ALL)
_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ (?:/|\*|[A-Za-z][A-Za-z0-9+\-.]*://)")


class Connection(web.RequestHandler):
    """One client's connection; `payload` is the body of its latest request, `None` before the first.

    `wire` is its transport, until that is closed, `ends` the socket addresses of client and server, `served_at` the
    scheme and the authority of URLs that its requests tell only half of.
    """

    __slots__ = ("_at_a_start", "_compiled_parser", "_head", "ends", "payload", "served_at", "wire")

    def __init__(self, server: "Server", loop: asyncio.AbstractEventLoop, served_at: tuple[str, str]) -> None:
        super().__init__(server, loop=loop, **_OPTIONS)
        self.served_at = served_at
        # Whether what comes next begins a request, unless it goes on with the body of the latest.
        self._at_a_start = True
        self._compiled_parser: Any = None
        self._head: Any = None
        self.payload: StreamReader | None = None
        self.wire: asyncio.BaseTransport | None = None
        self.ends: tuple[Any, Any] = None, None

    def begin(self, head: Any, payload: StreamReader) -> Any:
        """Take note of a request that has `payload` as its body, and return its head.

        Of requests alike in a row it is the same object: all of them are kept, and the head is the larger part.
        """
        self.payload = payload
        self._at_a_start = True
        latest = self._head
        if (
            latest is None
            or head.path != latest.path
            or head.raw_headers != latest.raw_headers
            or head.method != latest.method
            or head.version != latest.version
        ):
            latest = self._head = head
        return latest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: aiohttp lets go of it before what is written has been sent."""
        self.wire = transport
        self.ends = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of the transport."""
        self.wire = self._compiled_parser = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse `data`, and deal with what aiohttp's parser cannot."""
        # The body that goes on, if there is one.
        payload = self.payload
        if payload is EMPTY_PAYLOAD or (payload is not None and payload.is_eof()):
            payload = None
        try:
            if data and self._at_a_start and payload is None:
                self._at_a_start = False
                if self._compiled_parser is not None or not data.startswith(_ORDINARY):
                    self._choose_parser(data)
            super().data_received(data)
        except Exception as exc:
            # asyncio would report it as a fatal error of the server's.
            _warn_of(exc)
            self.force_close()
        if payload is not None and getattr(self, "_messages", None) and not payload.is_eof():
            # What comes behind a body without an end is the parser's complaint about it, of which the parser
            # does not tell those who read the body.
            payload.set_exception(web.RequestPayloadError("a part of the body that is none"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the response to what could not be answered; a client's mistake is no error of the server's."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        _warn_of(message or exc)
        response = web.Response(status=status, text=message)
        response.force_close()
        return response

    def _choose_parser(self, head: bytes) -> None:
        """Have aiohttp's pure Python parser take `head` if the compiled one would refuse its method."""
        if head.startswith(_ORDINARY):
            if self._compiled_parser is not None:
                self._swap_parser(self._compiled_parser)
                self._compiled_parser = None
        elif self._compiled_parser is None and _PythonParser is not None and _REQUEST_LINE.match(head):
            parser = _PythonParser(
                self,
                self._loop,
                _READ_SIZE,
                payload_exception=web.RequestPayloadError,
                auto_decompress=False,
                **_LIMITS,
            )
            self._compiled_parser = self._swap_parser(parser)

    def _swap_parser(self, parser: Any) -> Any:
        """Put `parser` in the place of the one that is used, and return that."""
        for name in ("_parser", "_request_parser"):
            if used := getattr(self, name, None):
                setattr(self, name, parser)
                return used
        return None


class Server(web.Server):
    """The connections that came in through one listening socket, for `scheme` origins, at `authority` if not told."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        scheme: str,
        authority: str,
    ) -> None:
        self._server_loop = asyncio.get_running_loop()
        self._served_at = scheme, authority
        super().__init__(
            handler, request_factory=functools.partial(_make_request, self._server_loop), handler_cancellation=True
        )
        self._aborted = False

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self, self._server_loop, self._served_at)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Take note of a connection."""
        super().connection_made(handler, transport)
        if self._aborted:
            transport.abort()

    def unused_connections(self) -> list[web.RequestHandler]:
        """Return the open connections on which no request has come so far."""
        return [connection for connection in self.connections if getattr(connection, "payload", None) is None]

    def abort(self) -> None:
        """Give up all connections, also those that are only coming to be."""
        self._aborted = True
        for connection in self.connections:
            if isinstance(connection, Connection) and isinstance(connection.wire, asyncio.Transport):
                connection.wire.abort()


def _make_request(
    loop: asyncio.AbstractEventLoop,
    head: Any,
    payload: StreamReader,
    connection: Connection,
    writer: Any,
    task: "asyncio.Task[None]",
    *_future: Any,
) -> AiointerceptRequest:
    head = connection.begin(head, payload)
    try:
        return AiointerceptRequest(head, payload, connection, writer, task, loop)
    except ValueError:
        # A target that aiohttp's parser let through and that makes no URL.
        return AiointerceptRequest(head._replace(url=URL("/")), payload, connection, writer, task, loop)


def _warn_of(mistake: object) -> None:
    # aiohttp's message has several lines and may hold all that was sent.
    logger.warning("a client sent what is no HTTP request: %.200s", " ".join(str(mistake).split()))
