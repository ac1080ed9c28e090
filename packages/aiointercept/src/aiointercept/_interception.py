"""One running mock: registry, server and redirection joined, from start to stop."""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Protocol

from aiohttp import ServerDisconnectedError, web
from yarl import URL

from aiointercept_core import CloseConnection, Record, Registry, Reply, Response, Stream, error_response, format_error
from aiointercept_dns import (
    REAL_NETWORK,
    Address,
    Attempt,
    Forwarded,
    Forwarder,
    Location,
    OutgoingRequest,
    Redirection,
    is_ip_address,
    is_loopback,
)
from aiointercept_server import (
    AiointerceptRequest,
    ClosedResponse,
    Listener,
    Takeover,
    send_reply,
)

from ._home import Home, running_loop
from ._life_cycle import Closing
from ._place import CallbackCancelledError

__all__ = ["Interception"]

logger = logging.getLogger("aiointercept")

# Taken once, because tests replace the clock; and wrapped, because clock patchers look for it in every module.
_clock = functools.partial(time.perf_counter)

# Each of the mocks of a process is asked about each request; tests ask for few URLs.
_URLS = 1024

_STOPPED = "the mock was stopped while the request waited for its reply"


class Covers(Protocol):
    """Which requests are let out to the real network."""

    def covers(self, url: URL) -> bool:
        """Tell whether a request for `url` is let out."""


class Interception:
    """A mock that runs. It answers the server's and the redirection's questions from the registry."""

    # Whether the caller gets a plain OSError as it is, where aiohttp makes a ClientOSError of it.
    plain_errors = False

    def __init__(
        self,
        registry: Registry[AiointerceptRequest],
        *,
        external: bool,
        passthrough: Covers,
        passthrough_unmatched: bool,
        mock_ip_addresses: bool,
    ) -> None:
        self.errors: list[BaseException] = []
        self.home = Home(running_loop(), functools.partial(_note_orphan, self.errors))
        self.closing: Closing
        self._registry = registry
        self._passthrough = passthrough
        self._mock_ip_addresses = mock_ip_addresses
        self._forwarder = Forwarder() if passthrough_unmatched else None
        # The port for https origins is opened by the first request for one.
        self._listener = Listener(self)
        # What was said of URLs, and in which state of the registry.
        self._located: tuple[object, dict[tuple[URL, int], Location]] = None, {}
        self._redirection = Redirection(self, plain_errors=self.plain_errors) if external else None
        if self._redirection is not None:
            try:
                self._redirection.start()
            except BaseException:
                self._listener.close()
                raise

    @property
    def address(self) -> tuple[str, int]:
        """Host and port for http origins."""
        return self._listener.address("http")

    def close(self) -> None:
        """Stop redirecting at once, then close what is open; `closing` ends when nothing is left."""
        if self._redirection is not None:
            self._redirection.stop(_STOPPED)
        self.home.close()
        also = self._forwarder.close if self._forwarder is not None else None
        self.closing = Closing(self._listener, also, self._let_go)

    def _let_go(self) -> None:
        # It refers to this: both would wait for the garbage collector.
        self._redirection = None

    # What the redirection asks, on a client's loop.

    def locate(self, request: OutgoingRequest) -> Location:
        """Say where a request of some client of the process is to go."""
        state = self._registry.claims_state
        if state is None:
            return self._locate(request)
        located = self._located
        if located[0] is not state:
            # Both at once: another thread that still is where this one was keeps to what it has begun with.
            located = self._located = state, {}
        asked = request.url, request.family
        location = located[1].get(asked)
        if location is None:
            location = self._locate(request)
            if len(located[1]) < _URLS:
                located[1][asked] = location
        return location

    def _locate(self, request: OutgoingRequest) -> Location:
        url = request.url
        host = url.raw_host or ""
        is_ip = is_ip_address(host)
        if is_ip and (host, url.port) == self.address:
            # Requests to one's own address are known by their attempt as well, so that resends are told exactly.
            return Address(*self.address)
        if is_ip and not self._mock_ip_addresses:
            return None
        if self._passthrough.covers(url):
            return REAL_NETWORK
        # One's own test server must not be caught by a pattern that was meant for others.
        is_here = is_loopback(host)
        claimed = self._registry.claims_origin(url) if is_here else self._registry.claims(url)
        if not claimed and (is_here or is_ip):
            return None
        return self._address(request, fallback=not claimed)

    def _address(self, request: OutgoingRequest, *, fallback: bool) -> Address:
        return Address(*self._listener.address(request.url.scheme, request.family), fallback)

    # What the server asks, on its thread.

    def screen(self, request: AiointerceptRequest) -> Takeover | None:
        """Find out how the client asked for the URL, and whether the request is for the real network."""
        if self._redirection is not None:
            client, server = request.ends
            if client and server and (attempt := self._redirection.take_attempt(client, server)) is not None:
                request.url = attempt.url
                request.origin = attempt
        if self._forwarder is None or not self._forwards(request):
            return None
        return None if self._registry.matches(request.method, request.url) else self._forward

    def answer(self, request: AiointerceptRequest) -> Response | Awaitable[Reply]:
        """Return the reply to `request`, with an error in the user's code kept for the end of the block."""
        received = _clock()
        record = self._choose(request)
        ready = record.response.ready if record.response is not None else None
        if ready is None:
            return self._finish(record, received)
        # The caller's session and data are not to live as long as the record.
        request.origin = None
        record.status, record.seconds = ready.status, _clock() - received
        return ready

    async def _finish(self, record: Record[AiointerceptRequest], received: float) -> Reply:
        try:
            reply = await self._reply(record)
        finally:
            record.request.origin = None
        if not isinstance(reply, CloseConnection):
            record.status = reply.status
        record.seconds = _clock() - received
        return reply

    def _choose(self, request: AiointerceptRequest) -> Record[AiointerceptRequest]:
        return self._registry.choose(request)

    async def _reply(self, record: Record[AiointerceptRequest]) -> Reply:
        request, response = record.request, record.response
        if response is None:
            return await self._answer_miss(record)
        try:
            reply = await response.reply(request)
        except CallbackCancelledError:
            reply = CloseConnection()
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            return self._answer_error(exc, request)
        if isinstance(reply, Stream):
            return reply._replace(body=self._watch(reply.body))
        if isinstance(reply, CloseConnection):
            _fail(request, ServerDisconnectedError())
        return reply

    def abandon(self, request: AiointerceptRequest) -> None:
        """Record a request whose client left before its body was complete."""
        self._registry.record(request, "the client left before its whole body had come")

    def _answer_error(self, error: BaseException, request: AiointerceptRequest) -> Response:
        self._note_error(error, request)
        return error_response(error)

    def _note_error(self, error: BaseException, request: AiointerceptRequest) -> None:
        self.errors.append(error)
        logger.error("answering %s %s failed:\n%s", request.method, request.url, format_error(error))

    async def _answer_miss(self, record: Record[AiointerceptRequest]) -> Reply:
        request = record.request
        if self._forwards(request):
            # It was registered when its head came, and used up by another request when its body was there.
            try:
                return _as_stream(await self._forwarded(request, request.raw_body))
            except Exception as exc:
                _fail(request, exc)
                return CloseConnection()
        logger.warning("%s", record.explanation)
        _fail(request, self._miss_error(record))
        return CloseConnection(record.explanation)

    def _miss_error(self, record: Record[AiointerceptRequest]) -> Exception:
        """Return what the caller gets for a request that nothing registered matches."""
        return ServerDisconnectedError(record.explanation)

    async def _watch(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yield `body`, noting an error in it."""
        chunks = aiter(body)
        try:
            async for chunk in chunks:
                if not isinstance(chunk, bytes | bytearray | memoryview):
                    raise TypeError(f"body: expected the async iterable to yield bytes, got {chunk!r}")
                yield chunk
        except CallbackCancelledError:
            # Nobody's error: the connection is closed, and nothing is said of it.
            raise asyncio.CancelledError from None
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as exc:
            # The server, which gets it too, logs it.
            self.errors.append(exc)
            raise
        finally:
            if (aclose := getattr(chunks, "aclose", None)) is not None:
                await aclose()

    # Passthrough of what nothing registered matches.

    def _forwards(self, request: AiointerceptRequest) -> bool:
        # What is sent to the mock's own address has no other place to go.
        return self._forwarder is not None and (request.url.raw_host, request.url.port) != self.address

    async def _forward(self, request: AiointerceptRequest) -> web.StreamResponse:
        received = _clock()
        record = self._registry.record(request, "forwarded to the real network")
        assert self._forwarder is not None
        body = None if request.complete else request.stream()
        try:
            forwarded = await self._forwarded(request, body)
            record.status, record.seconds = forwarded.status, _clock() - received
            if forwarded.upgraded:
                return await forwarded.relay(request)
            return await send_reply(request, _as_stream(forwarded))
        except Exception as exc:
            _fail(request, exc)
            return ClosedResponse(request)
        finally:
            record.seconds = record.seconds or _clock() - received
            request.origin = None
            if body is not None:
                # What has come of it is kept now, and not when the garbage is collected; unless it is read still.
                with contextlib.suppress(RuntimeError):
                    await body.aclose()

    async def _forwarded(self, request: AiointerceptRequest, body: AsyncIterable[bytes] | bytes | None) -> Forwarded:
        assert self._forwarder is not None
        return await self._forwarder.forward(request.method, request.url, request.headers, body, like=_made_as(request))


def _note_orphan(errors: list[BaseException], error: BaseException) -> None:
    """Note what a callback raised whose client did not wait for it."""
    errors.append(error)
    logger.error("a callback failed after its client had left:\n%s", format_error(error))


def _as_stream(forwarded: Forwarded) -> Stream:
    return Stream(forwarded.status, forwarded.reason, forwarded.headers, forwarded.body)


def _fail(request: AiointerceptRequest, error: BaseException) -> None:
    """Have the caller get `error`, where it is known who calls."""
    if isinstance(request.origin, Attempt):
        request.origin.fail(error)


def _made_as(request: AiointerceptRequest) -> Attempt | None:
    return request.origin if isinstance(request.origin, Attempt) else None
