"""Forwarding a request to the real network, unchanged both ways."""

import io
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    hdrs,
    web,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ._call import Attempt
from ._direct import NetworkSettings
from ._upgrade import relay_upgrade

__all__ = ["Forwarded", "Forwarder"]

_SET_BY_THE_CLIENT = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
_LIMITS: dict[str, Any] = {"max_line_size": 2**24, "max_field_size": 2**24}


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The real network's reply; `body` comes as it arrives, in the content coding in which it was sent."""

    status: int
    reason: str
    headers: CIMultiDictProxy[str]
    body: AsyncIterator[bytes]
    _response: ClientResponse

    @property
    def upgraded(self) -> bool:
        """Whether the real server changed the protocol, as for a WebSocket: then `relay` takes the place of `body`."""
        return self.status == 101

    async def relay(self, request: web.BaseRequest) -> web.StreamResponse:
        """Join the client of `request` with the real server until either side ends, and return what was sent."""
        return await relay_upgrade(request, self._response)


class Forwarder:
    """A client to the real network, which no redirection concerns. It lives on the loop that first uses it."""

    def __init__(self) -> None:
        self._sessions: dict[NetworkSettings, ClientSession] = {}

    async def forward(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterable[bytes] | bytes | io.BytesIO | None,
        *,
        like: Attempt | None = None,
    ) -> Forwarded:
        """Send a request on and return the reply as soon as its head is there.

        It is sent as the attempt `like` would have been: with its resolver, TLS settings, proxy, family and local
        address, and its time to connect. Redirects are not followed, bodies not decoded, cookies not kept. Raises what
        a client without a mock would get.
        """
        fields = CIMultiDict(headers)
        chunked = hdrs.TRANSFER_ENCODING in fields or None
        # Who forwards has asked for the body already. Nothing else is left out, as a proxy would: what concerns one
        # connection is meant for the one that a direct client would have.
        fields.popall(hdrs.EXPECT, None)
        if isinstance(body, bytes):
            # aiohttp warns of large bytes, because it cannot know that they are here to stay.
            body = io.BytesIO(body)
        settings = NetworkSettings.of(like.connector if like is not None else None)
        response = await self._session(settings).request(
            method,
            url,
            headers=[(name, value) for name, value in fields.items() if name != hdrs.TRANSFER_ENCODING],
            data=body,
            chunked=chunked,
            allow_redirects=False,
            auto_decompress=False,
            skip_auto_headers=_SET_BY_THE_CLIENT,
            middlewares=(_exactly(fields, once=body is not None),),
            **_like(like, fields),
        )
        relayed = CIMultiDict((_text(name), _text(value)) for name, value in response.raw_headers)
        # The body comes without it, and is framed anew.
        relayed.popall(hdrs.TRANSFER_ENCODING, None)
        reason = _text((response.reason or "").encode("utf-8", "surrogateescape"))
        return Forwarded(response.status, reason, CIMultiDictProxy(relayed), _chunks(response), response)

    async def close(self) -> None:
        """Close all connections. Called on the loop on which it was used."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _session(self, settings: NetworkSettings) -> ClientSession:
        session = self._sessions.get(settings)
        if session is None:
            session = self._sessions[settings] = ClientSession(
                connector=settings.connector(), cookie_jar=DummyCookieJar(), **_LIMITS
            )
        return session


def _exactly(headers: CIMultiDict[str], *, once: bool) -> ClientMiddlewareType:
    """Return a middleware that sends `headers` in their order, case and number, and then what aiohttp has to add.

    With `once` nothing is sent again after a disconnect: aiohttp would send what is left of a body that is a stream.
    """
    error: ClientError | None = None

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        nonlocal error
        if error is not None:
            raise error
        added = [(name, value) for name, value in request.headers.items() if name not in headers]
        request.headers.clear()
        request.headers.extend(headers)
        request.headers.extend(added)
        try:
            return await handler(request)
        except ClientError as exc:
            error = exc if once else None
            raise

    return middleware


def _like(attempt: Attempt | None, headers: CIMultiDict[str]) -> dict[str, Any]:
    """Return the options that send a request with `headers` as `attempt` would have been sent."""
    # Whoever waits has timeouts of its own: only what it cannot see, a connection that is not made, is timed here.
    options: dict[str, Any] = {"timeout": ClientTimeout()}
    if attempt is None:
        return options
    request = attempt.request
    if attempt.timeout is not None:
        options["timeout"] = ClientTimeout(connect=attempt.timeout.connect, sock_connect=attempt.timeout.sock_connect)
    options["ssl"] = request.ssl
    options["server_hostname"] = request.server_hostname
    if request.proxy is not None:
        proxy_headers = CIMultiDict(request.proxy_headers or {})
        if request.proxy_auth is not None:
            # In the headers, because the argument is deprecated: of the tunnel, or of the request where there is none.
            (proxy_headers if request.is_ssl() else headers)[hdrs.PROXY_AUTHORIZATION] = request.proxy_auth.encode()
        options |= {"proxy": request.proxy, "proxy_headers": proxy_headers}
    return options


def _text(raw: bytes) -> str:
    """Return what a head says; bytes that are no UTF-8 are sent on as the UTF-8 of what they say in Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


async def _chunks(response: ClientResponse) -> AsyncIterator[bytes]:
    try:
        # An empty chunk first: whoever relays it need not wait for a body to relay the head.
        yield b""
        async for chunk in response.content.iter_any():
            yield chunk
    finally:
        response.close()
