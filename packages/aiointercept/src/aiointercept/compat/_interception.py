"""A running mock with the manners of aioresponses: it knows the caller's arguments and raises at the caller."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import ClientConnectionError, ClientResponse
from yarl import URL

from aiointercept_core import (
    ClosedConnection,
    MockResponse,
    Record,
    Registry,
    Reply,
    RequestLog,
    normalize_url,
    request_details,
)
from aiointercept_dns import REAL_NETWORK, Address, Attempt, Location, OutgoingRequest
from aiointercept_server import AiointerceptRequest, Takeover, error_reply

from .._interception import Interception
from .._place import CallbackCancelledError
from ._calls import RequestCall, build_call, call_options

__all__ = ["CompatInterception", "Prefixes"]


class Prefixes:
    """Passthrough by the beginnings of URLs."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._prefixes = tuple(prefixes)

    def covers(self, url: URL) -> bool:
        """Tell whether a request for `url` is let out."""
        return str(normalize_url(url)).startswith(self._prefixes) or str(url).startswith(self._prefixes)


class CompatInterception(Interception):
    """An interception that takes every host, records calls, and lets exceptions out where the call was made."""

    plain_errors = True

    def __init__(
        self,
        registry: Registry[AiointerceptRequest],
        *,
        prefixes: Prefixes,
        passthrough_unmatched: bool,
        calls: RequestLog[RequestCall],
        response_classes: dict[MockResponse, type[ClientResponse]],
    ) -> None:
        self._calls = calls
        self._response_classes = response_classes
        super().__init__(
            registry,
            external=True,
            passthrough=prefixes,
            passthrough_unmatched=passthrough_unmatched,
            mock_ip_addresses=True,
        )

    def locate(self, request: OutgoingRequest) -> Location:
        """Say where a request is to go: here, unless it is let out. No address is an exception."""
        url = request.url
        if (url.raw_host, url.port) == self.address:
            return Address(*self.address)
        if self._passthrough.covers(url):
            return REAL_NETWORK
        response = self._registry.peek(request.method, url)
        if response is not None and response in self._response_classes:
            request.attempt.request.response_class = self._response_classes[response]
        return self._address(request, fallback=not self._registry.claims(url))

    def screen(self, request: AiointerceptRequest) -> Takeover | None:
        """Record the call behind `request`, once: what follows a redirect belongs to the same call."""
        takeover = super().screen(request)
        attempt = request.origin
        if isinstance(attempt, Attempt) and attempt.first:
            key = (request.method.upper(), request.canonical_url)
            call = build_call(request.method, attempt.call.args[2:], call_options(attempt.call, request))
            self._calls.setdefault(key, []).append(call)
        return takeover

    async def _reply(self, record: Record[AiointerceptRequest]) -> Reply:
        request, response = record.request, record.response
        if response is None:
            return await self._answer_miss(record)
        try:
            return await self._reply_of(response, request)
        except CallbackCancelledError:
            return ClosedConnection()
        except BaseException as exc:
            attempt = request.origin
            if not isinstance(attempt, Attempt):
                if isinstance(exc, asyncio.CancelledError):
                    raise
                return error_reply(exc)
            attempt.fail(exc)
            return ClosedConnection()

    async def _reply_of(self, response: MockResponse, request: AiointerceptRequest) -> Reply:
        result = None
        if response.callback is not None:
            result = await self._call_back(response.callback, request)
        exception = response.exception
        if exception is not None:
            # `add` of this package takes no bool for it.
            assert not isinstance(exception, bool)
            raise exception
        if result is None:
            return await response.registered_reply()
        return await response.reply_from(result, request)

    async def _call_back(self, callback: Callable[..., Any], request: AiointerceptRequest) -> Any:
        """Call with the caller's own arguments, on the caller's loop, where aioresponses does."""
        attempt = request.origin
        if not isinstance(attempt, Attempt):
            return await self.home.bind(callback)(request.canonical_url, **request_details(request))
        options = {"allow_redirects": True, **call_options(attempt.call, request)}
        return await self.home.run_at(attempt.loop, callback, request.canonical_url, **options)

    def _miss_error(self, record: Record[AiointerceptRequest]) -> Exception:
        method, url = record.key
        return ClientConnectionError(f"Connection refused: {method} {url}: {record.explanation}")
