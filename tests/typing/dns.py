"""How dns is used on its own, as a type checker sees it."""

from typing import assert_type

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver
from yarl import URL

from aiointercept_dns import (
    REAL_NETWORK,
    Address,
    Location,
    OriginResolver,
    OutgoingRequest,
    Redirection,
    is_ip_address,
    is_loopback,
)


class OwnOrigins:
    """Who knows where origins live has one method."""

    def locate(self, request: OutgoingRequest) -> Location:
        if request.url.host == "api.example.com":
            return Address("127.0.0.1", 5000)
        if request.method == "PUT":
            return ConnectionRefusedError("nobody there")
        return REAL_NETWORK if request.url.scheme == "https" else None


class NoOrigins:
    def locate(self, request: str) -> Location:
        return None


async def redirecting() -> None:
    with Redirection({"api.example.com": "http://127.0.0.1:5000", "other": URL("http://127.0.0.1:1")}) as redirection:
        assert_type(redirection, Redirection)
    async with Redirection(OwnOrigins()) as redirection:
        assert_type(redirection, Redirection)
    redirection.start()
    redirection.stop("the test is over")

    Redirection(NoOrigins())  # type: ignore[arg-type]
    Redirection({"api.example.com": 5000})  # type: ignore[dict-item]
    Redirection()  # type: ignore[call-arg]


async def resolving() -> None:
    resolver: AbstractResolver = OriginResolver({"api.example.com": "http://127.0.0.1:5000"})
    TCPConnector(resolver=OriginResolver({}, fallback=resolver))
    OriginResolver({}, resolver="another")  # type: ignore[call-arg]
    assert_type(is_ip_address("::1") and is_loopback("localhost"), bool)
