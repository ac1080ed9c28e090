"""The recorded request: a real `aiohttp.web.Request` whose body stays readable for good."""

import asyncio
import contextlib
import functools
import io
import sys
from collections.abc import AsyncGenerator, Sequence
from typing import IO, TYPE_CHECKING, Any

from aiohttp import EMPTY_PAYLOAD, MultipartReader, StreamReader, hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from aiointercept_core import decode_body, normalize_url, request_details

from ._wire_url import wire_url

__all__ = ["AiointerceptRequest"]

_PIECE = 2**16

# How many distinct sets of header fields are remembered as text.
_HEADS = 256

# A body that is announced with so many bytes at most is kept in the pieces in which it came until somebody reads it,
# which most do not, and to fill fresh memory is what takes longest. A larger one is held once, whoever reads it.
_IN_PIECES = 2**26


class AiointerceptRequest(web.Request):
    """A received request, as sent by the client: nothing is added to it.

    `read()`, `text()`, `json()`, `post()`, `multipart()` and `content` work after the reply and after the mock was
    stopped, any number of times.

    For the owner of the server: it may set `url` where it knows it better than the wire tells (`url_was_told` says
    that it did), and keep what it knows of the client in `origin`.
    """

    ATTRS = web.Request.ATTRS | frozenset(
        {
            "_asked_url",
            "_canonical_url",
            "_client_max_fields",
            "_decoded_body",
            "_kwargs",
            "_received",
            "_served_at",
            "origin",
            "url",
            "url_was_told",
        }
    )

    # Of the class until they are set: thousands of requests may be kept.
    _asked_url: URL | None = None
    _canonical_url: URL | None = None
    _decoded_body: bytes | None = None
    _kwargs: dict[str, Any] | None = None
    origin: Any = None
    # Bytes, or the pieces of a large body until somebody reads it.
    _received: bytes | list[bytes] | None = None
    # Scheme and authority, for what the request itself does not tell; `None` where its connection knows them.
    _served_at: tuple[str, str] | None = None
    url_was_told = False

    if TYPE_CHECKING:
        # Said outright: mypy infers it of aiohttp too late to see that core's protocol is met.
        @property
        def method(self) -> str: ...

    @classmethod
    def adopt(cls, request: web.Request) -> "AiointerceptRequest":
        """Make a request that an `aiohttp.web.Application` received one of this class, and return it."""
        scheme = request.scheme
        host, port = (request.get_extra_info("sockname") or ("localhost", 80))[:2]
        # aiohttp warns of attributes of one's own, of which this is none.
        object.__setattr__(request, "__class__", cls)
        assert isinstance(request, cls)
        request._served_at = scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return request

    @property
    def complete(self) -> bool:
        """Whether its whole body has come; `False` for good where the client left before that."""
        # What follows a CONNECT is no body but the traffic of a tunnel.
        return self._payload is EMPTY_PAYLOAD or self._method == hdrs.METH_CONNECT

    @property
    def body_exists(self) -> bool:
        """Whether the request had a body."""
        # aiohttp asks the stream, and keeps the answer in a dict that is empty otherwise.
        return self._received is not None or self._payload is not EMPTY_PAYLOAD

    @property
    def ends(self) -> tuple[Any, Any]:
        """The socket addresses of the client and of the server, each `None` where it is not known."""
        return getattr(self._protocol, "ends", (None, None))

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers exactly as sent."""
        # aiohttp's parser spells the names that it knows in its own way; the raw ones it leaves alone.
        return _as_sent(self.raw_headers)

    @property
    def scheme(self) -> str:
        """The scheme of `url`."""
        return self.url.scheme

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for a word before it sends the body."""
        return (
            hdrs.EXPECT in self._headers
            and self._headers[hdrs.EXPECT].lower() == "100-continue"
            and self.body_exists
            and self.version >= HttpVersion11
        )

    @property
    def url(self) -> URL:
        """The URL as the client asked for it, with its original scheme."""
        if self._asked_url is None:
            scheme, authority = self._served_at or self._protocol.served_at  # type: ignore[attr-defined]
            self._asked_url = wire_url(self.method, scheme, self._headers.get(hdrs.HOST) or authority, self.raw_path)
        return self._asked_url

    @url.setter
    def url(self, url: URL) -> None:
        self._asked_url = url
        self._canonical_url = None
        self.url_was_told = True

    @property
    def canonical_url(self) -> URL:
        """The URL in normalised form, with its original scheme."""
        if self._canonical_url is None:
            self._canonical_url = normalize_url(self.url)
        return self._canonical_url

    @property
    def raw_body(self) -> bytes | None:
        """The body as it came off the wire, `None` where the request had none."""
        body = self._received
        if isinstance(body, list):
            body = self._received = b"".join(body)
        return body

    @property
    def captured_body(self) -> bytes | None:
        """The body, without its gzip or deflate content coding; `None` where the request had none."""
        if self._decoded_body is None and (raw := self.raw_body) is not None:
            codings = self._headers.getall(hdrs.CONTENT_ENCODING, ())
            self._decoded_body = _decoded(raw, codings) if codings else raw
        return self._decoded_body

    @property
    def body(self) -> bytes | None:
        """The same as `captured_body`, under the name that core asks for."""
        return self.captured_body

    @property
    def kwargs(self) -> dict[str, Any]:
        """What a callback gets: `headers`, `query` (`dict[str, list[str]]`), `json` and `data` (bytes or `None`)."""
        if self._kwargs is None:
            self._kwargs = request_details(self)
        return self._kwargs

    @property
    def content(self) -> StreamReader:
        """The body as a stream, from its beginning."""
        body = self.captured_body or b""
        loop = asyncio.get_running_loop()
        # Not over the connection that it came on: that one may have other requests by now, on another thread.
        reader = StreamReader(BaseProtocol(loop), len(body) + 1, loop=loop)
        # In pieces: a reader that takes back what it read too far copies the piece that it came from.
        for start in range(0, len(body), _PIECE):
            reader.feed_data(body[start : start + _PIECE])
        reader.feed_eof()
        return reader

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes off the wire and keep it as `raw_body`; raises what breaks it off."""
        if self.complete:
            return
        incoming = self._payload
        in_pieces = 0 < (self.content_length or 0) <= _IN_PIECES
        pieces: list[bytes] = []
        buffer = io.BytesIO()
        try:
            while piece := await incoming.readany():
                if in_pieces:
                    pieces.append(piece)
                else:
                    buffer.write(piece)
                yield piece
            # The stream is the larger part of a small request, and has nothing left to tell.
            self._payload = EMPTY_PAYLOAD
        finally:
            # `getvalue` of a BytesIO does not copy.
            self._received = pieces if in_pieces else buffer.getvalue()

    async def receive(self) -> bool:
        """Read the whole body off the wire and return `complete`; raises only `asyncio.CancelledError`."""
        if not self.receive_nowait():
            # A client that left, or sent a body that cannot be parsed: what came before is what there is.
            with contextlib.suppress(Exception):
                async for _ in self.stream():
                    pass
        return self.complete

    def receive_nowait(self) -> bool:
        """Take the body off the wire if it has come with its head, as small ones do, and return `complete`."""
        if self.complete:
            return True
        payload = self._payload
        if not payload.is_eof() or payload.exception() is not None:
            return False
        self._received = payload.read_nowait()
        self._payload = EMPTY_PAYLOAD
        return True

    async def read(self) -> bytes:
        """Return the body, `b""` where the request had none."""
        return self.captured_body or b""

    async def multipart(self) -> MultipartReader:
        """Return a reader over the parts of the body, from the first."""
        return MultipartReader(self.headers, self.content)

    async def post(self) -> "MultiDictProxy[str | bytes | bytearray | web.FileField]":
        """Return the fields of a form; its files are in memory, and new ones at each call."""
        # aiohttp reads files in an executor of this loop: the caller's, not the server's, which may be gone.
        loop = self._loop = asyncio.get_running_loop()
        # A mock sets no limit that the real service might not have.
        self._client_max_size, self._client_max_fields = sys.maxsize, 0
        form = await super().post()
        # aiohttp closes the files of a form that it remembers once the reply is sent.
        self._post = None
        fields: MultiDict[str | bytes | bytearray | web.FileField] = MultiDict()
        for name, value in form.items():
            if isinstance(value, web.FileField):
                # Nobody closes the temporary file that aiohttp has made.
                file = await loop.run_in_executor(None, _in_memory, value.file)
                value = web.FileField(value.name, value.filename, file, value.content_type, value.headers)  # noqa: PLW2901
            fields.add(name, value)
        return MultiDictProxy(fields)


def _in_memory(file: IO[bytes]) -> Any:
    with file:
        return io.BytesIO(file.read())


# Callbacks and assertions look at the headers of many requests that are alike.
@functools.lru_cache(maxsize=_HEADS)
def _as_sent(fields: tuple[tuple[bytes, bytes], ...]) -> CIMultiDictProxy[str]:
    text = functools.partial(str, encoding="utf-8", errors="surrogateescape")
    return CIMultiDictProxy(CIMultiDict([(text(name), text(value)) for name, value in fields]))


def _decoded(body: bytes, codings: Sequence[str]) -> bytes:
    try:
        decoded = decode_body(body, ",".join(codings))
    except ValueError:
        # Not encoded as its header says: what came is the truth.
        return body
    return body if decoded is None else decoded
