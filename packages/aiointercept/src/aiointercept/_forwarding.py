"""Passthrough of unmatched requests: they are forwarded to the real network, and never to a mock of this process."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeAlias

from aiointercept_core import CloseConnection, Reply, Stream, Upgrade
from aiointercept_dns import OutgoingRequest, Upstream, is_loopback
from aiointercept_server import AiointerceptRequest, is_served_here

from ._sending import close_body

__all__ = ["Body", "Forwarder", "OwnPortError"]

# The body of a request, while it arrives or in one piece; `None` if there is none.
Body: TypeAlias = AsyncGenerator[bytes, None] | bytes | None


class OwnPortError(Exception):
    """A request that would be forwarded to a port of a mock of this process."""


class Forwarder:
    """Forward the unmatched requests of one mock that clients of its process have sent.

    Requests of other clients are not forwarded: otherwise any program on this machine could use this process's network.
    """

    def __init__(self) -> None:
        self._upstream = Upstream(refuse=_refuse_own_port)

    def takes(self, request: AiointerceptRequest) -> bool:
        """Return whether `request` does not lead to a mock of this process, as far as its URL shows."""
        url = request.url
        return _refuse_own_port(url.raw_host or "", url.port or 0) is None

    async def forward(self, request: AiointerceptRequest, client_request: OutgoingRequest | None, body: Body) -> Reply:
        """Send `request` to the real network and return the reply from there.

        Raises `OwnPortError` if the name of its host leads to a mock of this process. The caller gets other errors.
        """
        try:
            response = await self._upstream.send(
                request.method, request.url, request.headers, body, as_sent_by=client_request
            )
        except Exception as exc:
            await close_body(body)
            if isinstance(exc, OwnPortError):
                raise OwnPortError(
                    f"{request.method} {request.url} is not forwarded, because it leads to a port of a mock of this "
                    "process: register a reply to it"
                ) from None
            if client_request is not None:
                client_request.set_exception(exc)
            return CloseConnection()
        if response.is_upgrade:
            return Upgrade(response.status, response.reason, response.headers, response.relay)
        return Stream(response.status, response.reason, response.headers, _relayed(response.body, body))

    async def close(self) -> None:
        """Close the connections to the real network."""
        await self._upstream.close()


async def _relayed(response_body: AsyncIterator[bytes], request_body: Body) -> AsyncIterator[bytes]:
    """Yield the body of a forwarded response, then keep as much of the request's body as has arrived."""
    try:
        async for chunk in response_body:
            yield chunk
    finally:
        await close_body(response_body)
        await close_body(request_body)


def _refuse_own_port(host: str, port: int) -> OwnPortError | None:
    """Return an error if `host` is this machine and `port` belongs to a mock of this process."""
    return OwnPortError() if is_loopback(host) and is_served_here(port) else None
