"""The recorded request: a real `aiohttp.web.Request` whose body stays readable for good."""

import asyncio
import contextlib
import io
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from aiohttp import MultipartReader, StreamReader, web
from multidict import CIMultiDictProxy, MultiDictProxy
from yarl import URL

from aiointercept_core import decode_body, normalize_url, request_details

__all__ = ["AiointerceptRequest"]


class AiointerceptRequest(web.Request):
    """A received request, as sent by the client: nothing is added to it.

    `read()`, `text()`, `json()`, `post()`, `multipart()` and `content` work after the reply and after the mock was
    stopped, any number of times. `complete` is `False` where the client left before its whole body had come.

    For the owner of the server: it may set `url` where it knows it better than the wire tells (`url_was_told` says
    that it did), and keep what it knows of the client in `origin`.
    """

    ATTRS = web.Request.ATTRS | frozenset(
        {
            "_asked_url",
            "_body",
            "_canonical_url",
            "_incoming",
            "_kwargs",
            "_received",
            "_url_scheme",
            "complete",
            "origin",
            "url",
            "url_was_told",
        }
    )

    if TYPE_CHECKING:
        # Said outright: mypy infers these two of aiohttp too late to see that core's protocol is met.
        @property
        def method(self) -> str: ...
        @property
        def headers(self) -> CIMultiDictProxy[str]: ...

    def __init__(self, *args: Any, scheme: str, **options: Any) -> None:
        # A mock sets no limit that the real service might not have.
        super().__init__(*args, client_max_size=sys.maxsize, **options)
        self._begin(scheme)

    @classmethod
    def adopt(cls, request: web.Request) -> "AiointerceptRequest":
        """Make a request that an `aiohttp.web.Application` received one of this class, and return it."""
        scheme = request.scheme
        # aiohttp warns of attributes of one's own, of which this is none.
        object.__setattr__(request, "__class__", cls)
        assert isinstance(request, cls)
        request._client_max_size = sys.maxsize
        request._begin(scheme)
        return request

    def _begin(self, scheme: str) -> None:
        self._url_scheme = scheme
        self._incoming = self._payload
        self._asked_url: URL | None = None
        self._canonical_url: URL | None = None
        self._received: bytes | io.BytesIO | None = None
        self._body: bytes | None = None
        self._kwargs: dict[str, Any] | None = None
        self.complete = False
        self.url_was_told = False
        self.origin: Any = None

    @property
    def url(self) -> URL:
        """The URL as the client asked for it, with its original scheme."""
        if self._asked_url is None:
            self._asked_url = self._url_on_the_wire()
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
    def captured_body(self) -> bytes | None:
        """The body, without its gzip or deflate content coding; `None` where the request had none."""
        if self._received is not None:
            self._body = self._decoded(self.raw_body or b"")
            self._received = None
        return self._body

    @property
    def body(self) -> bytes | None:
        """The same as `captured_body`, under the name that core asks for."""
        return self.captured_body

    @property
    def raw_body(self) -> bytes | None:
        """The body with the content coding in which it was sent, until `captured_body` is first read."""
        received = self._received
        # `getvalue` of a BytesIO does not copy: a large upload is held once.
        return received.getvalue() if isinstance(received, io.BytesIO) else received

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
        reader = StreamReader(self._protocol, len(body) + 1, loop=asyncio.get_running_loop())
        if body:
            reader.feed_data(body)
        reader.feed_eof()
        return reader

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes off the wire and keep it; raises what breaks it off."""
        if not self.body_exists:
            self.complete = True
            return
        first = b""
        buffer: io.BytesIO | None = None
        try:
            while chunk := await self._incoming.readany():
                if buffer is not None:
                    buffer.write(chunk)
                elif first:
                    buffer = io.BytesIO(first)
                    buffer.seek(0, io.SEEK_END)
                    buffer.write(chunk)
                else:
                    first = chunk
                yield chunk
            self.complete = True
        finally:
            self._received = first if buffer is None else buffer

    async def receive(self) -> bool:
        """Read the whole body off the wire and return `complete`; raises only `asyncio.CancelledError`."""
        if not self.body_exists:
            self.complete = True
            return True
        # A client that left, or sent a body that cannot be parsed: what came before is what there is.
        with contextlib.suppress(Exception):
            async for _ in self.stream():
                pass
        return self.complete

    async def read(self) -> bytes:
        """Return the body, `b""` where the request had none."""
        return self.captured_body or b""

    async def multipart(self) -> MultipartReader:
        """Return a reader over the parts of the body, from the first."""
        return MultipartReader(self.headers, self.content)

    async def post(self) -> "MultiDictProxy[str | bytes | bytearray | web.FileField]":
        """Return the fields of a form; files are opened anew at each call."""
        # aiohttp reads files in an executor of this loop: the caller's, not the server's, which may be gone.
        self._loop = asyncio.get_running_loop()
        self._post = None
        fields = await super().post()
        # aiohttp closes the files of a form that it remembers once the reply is sent.
        self._post = None
        return fields

    def _decoded(self, body: bytes) -> bytes:
        coding = self.headers.get("Content-Encoding")
        if coding is None:
            return body
        try:
            decoded = decode_body(body, coding)
        except ValueError:
            # Not encoded as its header says: what came is the truth.
            return body
        return body if decoded is None else decoded

    def _url_on_the_wire(self) -> URL:
        target = self.raw_path
        if "://" in target.partition("?")[0]:
            return URL(target, encoded=True)
        host = self.headers.get("Host") or "{}:{}".format(*(self._transport_sockname or ("localhost", 0)))
        path = target if target.startswith("/") else f"/{target}"
        try:
            url = URL(f"{self._url_scheme}://{host}{path}", encoded=True)
            if url.host:
                return url
        except ValueError:
            pass
        # A Host header that names no host: the request still has to be recorded under some URL.
        return URL.build(scheme=self._url_scheme, host="invalid", path=path, encoded=True)
