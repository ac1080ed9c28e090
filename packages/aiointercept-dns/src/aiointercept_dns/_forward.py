"""Forwarding a request to the real network, unchanged both ways."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import ClientRequest, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ._patch import DirectConnector

__all__ = ["Forwarded", "Forwarder", "is_websocket"]

# These concern one connection, not the exchange. The length of a body belongs to the exchange.
_HOP_BY_HOP = (
    hdrs.CONNECTION,
    hdrs.KEEP_ALIVE,
    hdrs.PROXY_AUTHENTICATE,
    hdrs.PROXY_AUTHORIZATION,
    hdrs.TE,
    hdrs.TRAILER,
    hdrs.TRANSFER_ENCODING,
    hdrs.UPGRADE,
)
_SET_BY_THE_CLIENT = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
_LIMITS: dict[str, Any] = {"max_line_size": 2**24, "max_field_size": 2**24}


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The real network's reply; `body` comes as it arrives, in the content coding in which it was sent."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: AsyncIterator[bytes]


class Forwarder:
    """A client to the real network, which no redirection concerns. It lives on the loop that first uses it."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    async def forward(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterable[bytes] | bytes | None,
        *,
        like: ClientRequest | None = None,
    ) -> Forwarded:
        """Send a request on and return the reply as soon as its head is there.

        TLS is verified, and a proxy used, as by the request `like`. Redirects are not followed, bodies not decoded,
        cookies not kept. Raises what a client without a mock would get.
        """
        fields = CIMultiDict(headers)
        chunked = hdrs.TRANSFER_ENCODING in fields or None
        for name in (*_HOP_BY_HOP, hdrs.EXPECT):
            fields.popall(name, None)
        response = await self._client().request(
            method,
            url,
            headers=fields,
            data=body,
            chunked=chunked,
            allow_redirects=False,
            auto_decompress=False,
            skip_auto_headers=_SET_BY_THE_CLIENT,
            **_connection_options(like),
        )
        relayed = CIMultiDict(
            (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
            for name, value in response.raw_headers
        )
        for name in _HOP_BY_HOP:
            relayed.popall(name, None)
        return Forwarded(response.status, response.reason, CIMultiDictProxy(relayed), _chunks(response))

    async def forward_websocket(
        self, request: web.BaseRequest, url: URL, *, like: ClientRequest | None = None
    ) -> web.StreamResponse:
        """Connect a client that asks for a WebSocket with the one at `url`, until either side ends.

        Raises `aiohttp.WSServerHandshakeError` where the real server refuses, and what a client without a mock gets.
        """
        fields = CIMultiDict(request.headers)
        offered = [name.strip() for name in fields.popall(hdrs.SEC_WEBSOCKET_PROTOCOL, []) for name in name.split(",")]
        for name in (*_HOP_BY_HOP, hdrs.SEC_WEBSOCKET_KEY, hdrs.SEC_WEBSOCKET_VERSION, hdrs.SEC_WEBSOCKET_EXTENSIONS):
            fields.popall(name, None)
        async with self._client().ws_connect(
            url.with_scheme("wss" if url.scheme == "https" else "ws"),
            headers=fields,
            protocols=offered,
            autoclose=False,
            autoping=False,
            max_msg_size=0,
            **_connection_options(like),
        ) as upstream:
            downstream = web.WebSocketResponse(
                protocols=[upstream.protocol] if upstream.protocol else [],
                autoclose=False,
                autoping=False,
                compress=False,
                max_msg_size=0,
            )
            await downstream.prepare(request)
            pumps = {
                asyncio.ensure_future(_pump(upstream, downstream)),
                asyncio.ensure_future(_pump(downstream, upstream)),
            }
            try:
                await asyncio.wait(pumps)
            finally:
                for pump in pumps:
                    pump.cancel()
        return downstream

    async def close(self) -> None:
        """Close all connections. Called on the loop on which it was used."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=DirectConnector(limit=0), cookie_jar=DummyCookieJar(), timeout=ClientTimeout(), **_LIMITS
            )
        return self._session


def is_websocket(headers: Mapping[str, str]) -> bool:
    """Tell whether a request with `headers` asks for a WebSocket."""
    return headers.get(hdrs.UPGRADE, "").lower() == "websocket"


def _connection_options(like: ClientRequest | None) -> dict[str, Any]:
    if like is None:
        return {}
    options: dict[str, Any] = {"ssl": like.ssl}
    if like.server_hostname is not None:
        options["server_hostname"] = like.server_hostname
    if like.proxy is not None:
        options |= {"proxy": like.proxy, "proxy_auth": like.proxy_auth, "proxy_headers": like.proxy_headers}
    return options


async def _chunks(response: ClientResponse) -> AsyncIterator[bytes]:
    try:
        # An empty chunk first: whoever relays it need not wait for a body to relay the head.
        yield b""
        async for chunk in response.content.iter_any():
            yield chunk
    finally:
        response.close()


async def _pump(
    source: "aiohttp.ClientWebSocketResponse | web.WebSocketResponse",
    sink: "aiohttp.ClientWebSocketResponse | web.WebSocketResponse",
) -> None:
    """Relay messages from one WebSocket to the other, the closing one included."""
    async for message in source:
        with contextlib.suppress(ConnectionError):
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    await sink.send_str(message.data)
                case aiohttp.WSMsgType.BINARY:
                    await sink.send_bytes(message.data)
                case aiohttp.WSMsgType.PING:
                    await sink.ping(message.data)
                case aiohttp.WSMsgType.PONG:
                    await sink.pong(message.data)
    with contextlib.suppress(ConnectionError):
        await sink.close(code=source.close_code or aiohttp.WSCloseCode.OK)
