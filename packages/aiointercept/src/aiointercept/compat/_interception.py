"""A running mock with the manners of aioresponses: it knows the caller's arguments and raises at the caller."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import ClientConnectionError, ClientResponse
from yarl import URL

from aiointercept_core import (
    CallbackResult,
    CloseConnection,
    MockResponse,
    Record,
    Registry,
    Reply,
    error_response,
    request_details,
)
from aiointercept_dns import Address, Attempt, Location, OutgoingRequest
from aiointercept_server import AiointerceptRequest, Takeover

from .._interception import Interception
from .._place import CallbackCancelledError
from ._calls import ExpectedCall, RequestCall, normalize_url

__all__ = ["CompatInterception", "Manner", "Owner", "Prefixes"]


class Prefixes:
    """Passthrough by the beginnings of URLs."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._prefixes = tuple(prefixes)

    def covers(self, url: URL) -> bool:
        """Tell whether a request for `url` is let out."""
        return str(normalize_url(url)).startswith(self._prefixes) or str(url).startswith(self._prefixes)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a registration answers where core knows nothing of it.

    `response_class` is what the caller gets an instance of. `result` is made into a reply anew for each request,
    because the test may change its payload in between.
    """

    response_class: type[ClientResponse] | None = None
    result: CallbackResult | None = None


class Owner(Protocol):
    """What tests may change while the mock runs."""

    requests: dict[tuple[str, URL], list[RequestCall]]
    passthrough_unmatched: bool


class CompatInterception(Interception):
    """An interception that takes every host, records calls, and lets exceptions out where the call was made.

    Which reply a call gets is settled when the call is made, and not when its request arrives: of calls that are
    made at once, the first gets the first reply, however long its body is.
    """

    plain_errors = True

    def __init__(self, registry: Registry[AiointerceptRequest], owner: Owner, passthrough: Prefixes) -> None:
        self.manners: dict[MockResponse, Manner] = {}
        self._owner = owner
        # Calls are made in many threads.
        self._recording = threading.Lock()
        super().__init__(
            registry, external=True, passthrough=passthrough, passthrough_unmatched=False, mock_ip_addresses=True
        )

    def locate(self, request: OutgoingRequest) -> Location:
        """Say where a request is to go: here, unless it is let out. No address is an exception."""
        url = request.url
        if (url.raw_host, url.port) == self.address:
            return Address(*self.address)
        if self._passthrough.covers(url):
            return None
        expected = self._expect(request.attempt)
        claimed = expected.response is not None or self._registry.claims(expected.key[1])
        let_out = expected.response is None and self._owner.passthrough_unmatched
        if claimed or let_out:
            self._record(expected)
        if let_out:
            return None
        expected.arrive(b"")
        return self._address(request, fallback=not claimed)

    def screen(self, request: AiointerceptRequest) -> Takeover | None:
        """Find out whose call is behind `request`, and record it if that has not been done."""
        takeover = super().screen(request)
        if (expected := _expected(request)) is not None:
            self._record(expected)
        return takeover

    def abandon(self, request: AiointerceptRequest) -> None:
        """Record a request whose client left before its body was complete."""
        if (expected := _expected(request)) is not None:
            expected.arrive(request.captured_body or b"")
        super().abandon(request)

    def _expect(self, attempt: Attempt) -> ExpectedCall:
        """Reserve the reply for an attempt, once: several may ask where it goes."""
        if isinstance(attempt.memo, ExpectedCall) and attempt.memo.owner is self:
            return attempt.memo
        expected = attempt.memo = ExpectedCall(self, attempt)
        expected.response = self._registry.reserve(*expected.key)
        manner = self.manners.get(expected.response) if expected.response is not None else None
        if manner is not None and manner.response_class is not None:
            attempt.request.response_class = manner.response_class
        return expected

    def _record(self, expected: ExpectedCall) -> None:
        with self._recording:
            if not expected.recorded:
                expected.recorded = True
                self._owner.requests.setdefault(expected.key, []).append(expected.call)

    def _choose(self, request: AiointerceptRequest) -> Record[AiointerceptRequest]:
        expected = _expected(request)
        if expected is None:
            return super()._choose(request)
        expected.arrive(request.captured_body or b"")
        return self._registry.choose(request, expected.response)

    async def _reply(self, record: Record[AiointerceptRequest]) -> Reply:
        request, response = record.request, record.response
        if response is None:
            return await self._answer_miss(record)
        try:
            return await self._reply_of(response, request)
        except CallbackCancelledError:
            return CloseConnection()
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            return _raise_at_caller(exc, request)

    async def _reply_of(self, response: MockResponse, request: AiointerceptRequest) -> Reply:
        result = None
        if response.callback is not None:
            result = await self._call_back(response.callback, request)
            if isinstance(result, _Raised):
                # It has not answered, so it is asked again, as it is by aioresponses.
                self._registry.release(response)
                return _raise_at_caller(result.error, request)
        exception = response.exception
        if exception is not None:
            # `add` of this package takes no bool for it.
            assert not isinstance(exception, bool)
            return _raise_at_caller(exception() if isinstance(exception, type) else exception, request)
        if result is None:
            manner = self.manners.get(response)
            result = manner.result if manner is not None else None
        if result is None:
            return await response.registered_reply()
        reply = await response.reply_from(result, request)
        if result.response_class is not None and isinstance(request.origin, Attempt):
            _change_class(request.origin, result.response_class)
        return reply

    async def _call_back(self, callback: Callable[..., Any], request: AiointerceptRequest) -> Any:
        """Call with the caller's own arguments, on the caller's loop, where aioresponses does."""
        attempt, expected = request.origin, _expected(request)
        if not isinstance(attempt, Attempt) or expected is None:
            return await self.home.bind(callback)(request.canonical_url, **request_details(request))
        call = _Contained(callback)
        url = normalize_url(request.url)
        return await self.home.run_at(attempt.loop, attempt.context, call, url, **expected.callback_options())

    def _miss_error(self, record: Record[AiointerceptRequest]) -> Exception:
        method, url = record.key
        return ClientConnectionError(f"Connection refused: {method} {normalize_url(url)}: {record.explanation}")


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


class _Contained:
    """A callback whose exception is a value, so that any kind comes through tasks and futures as it is."""

    def __init__(self, callback: Callable[..., Any]) -> None:
        self._callback = callback

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            result = self._callback(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result
        except BaseException as exc:
            return _Raised(exc)


def _expected(request: AiointerceptRequest) -> ExpectedCall | None:
    memo = request.origin.memo if isinstance(request.origin, Attempt) else None
    return memo if isinstance(memo, ExpectedCall) else None


def _raise_at_caller(error: BaseException, request: AiointerceptRequest) -> Reply:
    """Have the caller get `error` itself; a client that is not aiohttp is told of it."""
    if not isinstance(request.origin, Attempt):
        return error_response(error)
    request.origin.fail(error)
    return CloseConnection()


def _change_class(attempt: Attempt, response_class: type[ClientResponse]) -> None:
    """Have the caller get an instance of `response_class`, though its response was made when the request was sent."""
    request = attempt.request
    request.response_class = response_class
    if request.response is not None:
        request.response.__class__ = response_class
