"""Send a request to the real network, unchanged both ways."""

import io
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
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
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ._connector import NetworkSettings
from ._outgoing import OutgoingRequest
from ._relay import ByteStream, relay_upgrade

__all__ = ["Upstream", "UpstreamResponse"]

_SET_BY_AIOHTTP = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
_LIMITS: dict[str, Any] = {"max_line_size": 2**24, "max_field_size": 2**24}


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A response of the real network; `body` yields bytes as they arrive, in the content coding of the server."""

    status: int
    reason: str
    headers: CIMultiDictProxy[str]
    body: AsyncIterator[bytes]
    _response: ClientResponse

    @property
    def is_upgrade(self) -> bool:
        """Whether the server changed the protocol, as for a WebSocket: then use `relay` and not `body`."""
        return self.status == 101

    async def relay(self, client: ByteStream) -> None:
        """Relay bytes between `client` and the server until either side ends.

        `client` has two coroutine methods: `receive()`, which returns bytes (`b""` at the end), and `send(data)`.
        """
        await relay_upgrade(client, self._response)


class Upstream:
    """A client for the real network that is never redirected. Use it on one event loop.

    `refuse` is called with the IP address and port of each connection before anything is sent. If it returns an
    exception, the connection is closed and `send` raises it: so a server never sends to itself, by whatever name.
    """

    def __init__(self, *, refuse: Callable[[str, int], Exception | None] | None = None) -> None:
        self._refuse = refuse
        self._sessions: dict[NetworkSettings, ClientSession] = {}

    async def send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterable[bytes] | bytes | io.BytesIO | None,
        *,
        as_sent_by: OutgoingRequest | None = None,
    ) -> UpstreamResponse:
        """Send a request and return the response as soon as its head has arrived.

        It is sent as the client would have sent `as_sent_by`: with its resolver, TLS settings, proxy, address family,
        local address and connection timeouts. HTTP redirects are not followed, bodies not decoded, cookies not kept.
        Raises what a client without a mock would get.
        """
        fields = CIMultiDict(headers)
        chunked = hdrs.TRANSFER_ENCODING in fields or None
        # The mock has sent `100 Continue` already. Other hop-by-hop headers stay, unlike in a proxy: they are meant for
        # the connection that the client would have made itself.
        fields.popall(hdrs.EXPECT, None)
        if isinstance(body, bytes):
            # aiohttp warns of large bytes objects, because they might block the event loop.
            body = io.BytesIO(body)
        settings = NetworkSettings.of(as_sent_by.connector if as_sent_by is not None else None)
        response = await self._session(settings).request(
            method,
            url,
            headers=[(name, value) for name, value in fields.items() if name != hdrs.TRANSFER_ENCODING],
            data=body,
            chunked=chunked,
            allow_redirects=False,
            auto_decompress=False,
            skip_auto_headers=_SET_BY_AIOHTTP,
            middlewares=(_verbatim_headers(fields, retry=body is None),),
            **_options(as_sent_by, fields),
        )
        received = CIMultiDict((_text(name), _text(value)) for name, value in response.raw_headers)
        # aiohttp has removed the transfer coding from the body.
        received.popall(hdrs.TRANSFER_ENCODING, None)
        reason = _text((response.reason or "").encode("utf-8", "surrogateescape"))
        return UpstreamResponse(response.status, reason, CIMultiDictProxy(received), _chunks(response), response)

    async def close(self) -> None:
        """Close all connections. Call it on the event loop that `send` was used on."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _session(self, settings: NetworkSettings) -> ClientSession:
        if settings not in self._sessions:
            connector = settings.connector()
            connector.refuse = self._refuse
            self._sessions[settings] = ClientSession(connector=connector, cookie_jar=DummyCookieJar(), **_LIMITS)
        return self._sessions[settings]


def _verbatim_headers(headers: CIMultiDict[str], *, retry: bool) -> ClientMiddlewareType:
    """Return a middleware that sends `headers` in their order, case and number, then those that aiohttp adds.

    Without `retry` it suppresses aiohttp's retry after a disconnect, which would send the rest of a body that is a
    stream.
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
            error = None if retry else exc
            raise

    return middleware


def _options(request: OutgoingRequest | None, headers: CIMultiDict[str]) -> dict[str, Any]:
    """Return aiohttp's options to send a request as `request` would have been sent; may add to `headers`."""
    # The client has timeouts of its own. Only the connection to the real server is invisible to it.
    options: dict[str, Any] = {"timeout": ClientTimeout()}
    if request is None:
        return options
    client_request, timeout = request.client_request, request.timeout
    if timeout is not None:
        options["timeout"] = ClientTimeout(connect=timeout.connect, sock_connect=timeout.sock_connect)
    options["ssl"] = client_request.ssl
    options["server_hostname"] = client_request.server_hostname
    if client_request.proxy is not None:
        proxy_headers = CIMultiDict(client_request.proxy_headers or {})
        # aiohttp 4 has it among the proxy headers, and deprecates the argument.
        proxy_auth = getattr(client_request, "proxy_auth", None)
        if proxy_auth is not None:
            # A request that is not tunnelled carries it itself.
            (proxy_headers if client_request.is_ssl() else headers)[hdrs.PROXY_AUTHORIZATION] = proxy_auth.encode()
        options |= {"proxy": client_request.proxy, "proxy_headers": proxy_headers}
    return options


def _text(raw: bytes) -> str:
    """Decode bytes of a response head; text that is not UTF-8 is decoded as Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


async def _chunks(response: ClientResponse) -> AsyncIterator[bytes]:
    try:
        # An empty chunk first, so that the head can be relayed before the body arrives.
        yield b""
        async for chunk in response.content.iter_any():
            yield chunk
    finally:
        response.close()
