"""The received request: an `aiohttp.web.Request` whose body stays readable."""

import contextlib
import io
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import EMPTY_PAYLOAD, HttpVersion11, MultipartReader, StreamReader, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from aiointercept_core import decode_body, normalize_url, request_details

from ._body_stream import body_stream
from ._completion import OFFERED
from ._forms import read_fields
from ._late_bodies import read_piece, warn_of_late_body
from ._urls import request_url
from ._writer import write_continue

__all__ = ["AiointerceptRequest"]


class AiointerceptRequest(web.Request):
    """A received request, exactly as the client sent it.

    `read()`, `text()`, `json()`, `post()`, `multipart()` and `content` work after the reply and after the mock was
    stopped, any number of times, on any event loop.

    An answer function reads the body with `receive()` or `stream()`, and may set `url` where it knows the URL that the
    client asked for.
    """

    # aiohttp warns of other attributes in development mode; its master does not have this any more.
    ATTRS = getattr(web.Request, "ATTRS", frozenset()) | {
        "_canonical_url",
        "_decoded_body",
        "_is_late",
        "_kwargs",
        "_received",
        "_socket_messages",
        "_target",
        "_unread",
        "_url",
        "url",
    }

    # Attributes of the class until they are set: thousands of requests may be kept.
    _canonical_url: URL | None = None
    _decoded_body: bytes | None = None
    _is_late = False
    _kwargs: dict[str, Any] | None = None
    _received: io.BytesIO | bytes | None = None
    _socket_messages: list[aiohttp.WSMessage] | None = None
    _url: URL | None = None

    if TYPE_CHECKING:
        # Spelt out: mypy infers the type of aiohttp's too late to see that this class is a `Request` of core.
        @property
        def method(self) -> str: ...

    def __init__(self, message: Any, payload: StreamReader, *args: Any, **options: Any) -> None:
        super().__init__(message, payload, *args, **options)
        # The target of the request line: aiohttp's master cuts an absolute one in `raw_path`.
        self._target: str = message.path
        # The body, `EMPTY_PAYLOAD` once all of it has been received.
        self._unread = payload

    def __dir__(self) -> list[str]:
        """Return the names that a test can use."""
        return [*OFFERED, *(name for name in super().__dir__() if name.startswith("_"))]

    @property
    def complete(self) -> bool:
        """Whether the whole body has been received; stays `False` if the client left before that."""
        # After a CONNECT come the bytes of a tunnel, which are no body.
        return self._unread is EMPTY_PAYLOAD or self.method == hdrs.METH_CONNECT

    @property
    def body_exists(self) -> bool:
        """Whether the request had a body."""
        return self._received is not None or self._unread is not EMPTY_PAYLOAD

    @property
    def can_read_body(self) -> bool:
        """Whether a part of the body has not been received."""
        return not self._unread.at_eof()

    @property
    def peername(self) -> tuple[Any, ...] | None:
        """The socket address of the client, `None` if it is not known."""
        address = self.protocol.peername
        return address if isinstance(address, tuple) else None

    @property
    def sockname(self) -> tuple[Any, ...] | None:
        """The socket address of the server, `None` if it is not known."""
        address = getattr(self.protocol, "sockname", None)
        return address if isinstance(address, tuple) else None

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers exactly as sent."""
        # aiohttp's parser changes the case of names that it knows, but not in the raw headers.
        return CIMultiDictProxy(CIMultiDict([(_as_text(name), _as_text(value)) for name, value in self.raw_headers]))

    @property
    def scheme(self) -> str:
        """The scheme of `url`."""
        return self.url.scheme

    @property
    def url(self) -> URL:
        """The URL as the client asked for it, with its original scheme."""
        if self._url is None:
            scheme, authority = self._default_origin()
            host = self._sent_header(hdrs.HOST) or authority
            self._url = request_url(self.method, scheme, host, self._target)
        return self._url

    @url.setter
    def url(self, url: URL) -> None:
        self._url = url
        self._canonical_url = self._kwargs = None

    @property
    def canonical_url(self) -> URL:
        """The URL in normalised form, with its original scheme."""
        if self._canonical_url is None:
            self._canonical_url = normalize_url(self.url)
        return self._canonical_url

    @property
    def encoded_body(self) -> bytes | None:
        """The body as it was sent, with its content coding; `None` if the request had none."""
        received = self._received
        if isinstance(received, io.BytesIO):
            # This copies nothing.
            return received.getvalue()
        return received

    @property
    def captured_body(self) -> bytes | None:
        """The body, decoded if its content coding is gzip or deflate; `None` if the request had none."""
        if self._decoded_body is not None:
            return self._decoded_body
        body = self.encoded_body
        headers = self._message.headers
        if body is not None and hdrs.CONTENT_ENCODING in headers:
            # A body that cannot be decoded is returned as it was sent.
            with contextlib.suppress(ValueError):
                decoded = decode_body(body, ",".join(headers.getall(hdrs.CONTENT_ENCODING)))
                body = body if decoded is None else decoded
        if self.complete:
            self._decoded_body = body
        return body

    @property
    def body(self) -> bytes | None:
        """The same as `captured_body`, under the name that core asks for."""
        return self.captured_body

    @property
    def kwargs(self) -> dict[str, Any]:
        """What was sent: `headers`, `query` (`dict[str, list[str]]`), `json` and `data` (bytes, or `None`)."""
        if self._kwargs is None:
            self._kwargs = request_details(self, ("headers", "query", "json", "data"))
        return self._kwargs

    @property
    def messages(self) -> list[aiohttp.WSMessage]:
        """The text and binary messages that the client has sent over a WebSocket so far, in order."""
        if self._socket_messages is None:
            self._socket_messages = []
        return self._socket_messages

    @property
    def content(self) -> StreamReader:
        """The body as a stream, from its beginning."""
        return body_stream(self.captured_body or b"")

    async def receive(self) -> bool:
        """Receive the whole body and return `complete`; raises only `asyncio.CancelledError`."""
        if self.complete:
            return True
        with contextlib.suppress(Exception):
            while await self._receive_piece():
                pass
        return self.complete

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives, and keep it as `encoded_body`; raises if the client leaves or it is invalid."""
        while piece := await self._receive_piece():
            yield piece

    async def read(self) -> bytes:
        """Return the body, `b""` if the request had none."""
        return self.captured_body or b""

    async def multipart(self) -> MultipartReader:
        """Return a reader of the parts of the body, from the first."""
        return MultipartReader(self.headers, self.content)

    async def post(self) -> "MultiDictProxy[str | bytes | bytearray | web.FileField]":
        """Return the fields of a form; its files are in memory, and new objects at each call."""
        fields: MultiDict[str | bytes | bytearray | web.FileField] = MultiDict()
        if self.method not in self.POST_METHODS:
            return MultiDictProxy(fields)
        if self.content_type == "multipart/form-data":
            fields.extend([field async for field in read_fields(await self.multipart())])
        elif self.content_type in ("", "application/x-www-form-urlencoded"):
            charset = self.charset or "utf-8"
            text = (await self.read()).rstrip().decode(charset)
            fields.extend(parse_qsl(text, keep_blank_values=True, encoding=charset))
        return MultiDictProxy(fields)

    async def _receive_piece(self) -> bytes:
        """Return the next bytes of the body after keeping them, `b""` at the end."""
        if self.complete:
            return b""
        if self._received is None:
            self._received = b""
            if self._expects_continue():
                await write_continue(self.writer)
        if self._is_late or self._unread.is_eof():
            piece = await self._unread.readany()
        else:
            piece = await read_piece(self._unread, self._warn_of_late_body)
        if self._unread.at_eof():
            # The stream takes most of the memory of a small request, and is of no use any more, also to aiohttp.
            self._unread = self._payload = EMPTY_PAYLOAD
        if not self._received:
            # Most bodies arrive in one piece.
            self._received = piece
        else:
            if isinstance(self._received, bytes):
                first, self._received = self._received, io.BytesIO()
                self._received.write(first)
            self._received.write(piece)
        return piece

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        # aiohttp's master insists on the route of an application, which only a request of `application` has.
        if self._match_info is not None:
            await super()._prepare_hook(response)

    def _warn_of_late_body(self) -> None:
        """Say that nothing arrives any more, once; the request goes on waiting."""
        self._is_late = True
        warn_of_late_body(self.method, self.url, self._sent_header(hdrs.CONTENT_LENGTH), len(self.encoded_body or b""))

    def _default_origin(self) -> tuple[str, str]:
        """Return the scheme, and the authority for a request without a Host header."""
        origin: tuple[str, str] | None = getattr(self.protocol, "default_origin", None)
        if origin is not None:
            return origin
        host, port = (self.get_extra_info("sockname") or ("localhost", 80))[:2]
        return super().scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _expects_continue(self) -> bool:
        """Return whether the client waits for `100 Continue` before it sends the body."""
        return self.version >= HttpVersion11 and (self._sent_header(hdrs.EXPECT) or "").lower() == "100-continue"

    def _sent_header(self, name: str) -> str | None:
        """Return the first header called `name`; `headers` would convert those of other names too."""
        return self._message.headers.get(name)


def _as_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
