"""How dns is used on its own, as a type checker sees it."""

from typing import assert_type

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver
from yarl import URL

from aiointercept_dns import (
    REAL_NETWORK,
    Address,
    Decider,
    Decision,
    OriginResolver,
    OutgoingRequest,
    Passthrough,
    Redirection,
    Upstream,
    UpstreamResponse,
    failures,
    is_ip_address,
    is_loopback,
)


def decide(request: OutgoingRequest) -> Decision:
    if request.url.host == "api.example.com":
        return Address("127.0.0.1", 5000)
    if request.method == "PUT":
        return ConnectionRefusedError("connection refused")
    return REAL_NETWORK if request.url.scheme == "https" else None


def decide_by_url(url: str) -> Decision:
    return None


def failing(request: OutgoingRequest) -> Decision:
    assert_type(failures.connection_refused(request).host, str)
    assert_type(failures.dns_failure(request).os_error, OSError)
    for failure in (
        failures.connect_timeout,
        failures.read_timeout,
        failures.total_timeout,
        failures.certificate_error,
        failures.tls_error,
    ):
        request.set_exception(failure(request))
    assert_type(failures.connection_reset(request).errno, int | None)
    return failures.connection_refused(request)


class Mock:
    def decide(self, request: OutgoingRequest) -> Address:
        return Address("127.0.0.1", 5000, fallback=request.is_initial)


async def redirecting() -> None:
    with Redirection({"api.example.com": "http://127.0.0.1:5000", "other": URL("http://127.0.0.1:1")}) as redirection:
        assert_type(redirection, Redirection)
    async with Redirection(decide, unwrap_os_errors=True) as redirection:
        assert_type(redirection, Redirection)
    decider: Decider = Mock().decide
    Redirection(decider)
    redirection.start()
    redirection.stop("the test is over")

    Redirection(decide_by_url)  # type: ignore[arg-type]
    Redirection(Mock())  # type: ignore[arg-type]
    Redirection({"api.example.com": 5000})  # type: ignore[dict-item]
    Redirection()  # type: ignore[call-arg]


class Client:
    """What `relay` needs of a client."""

    async def receive(self) -> bytes:
        return b""

    async def send(self, data: bytes) -> None: ...


async def sending(redirection: Redirection) -> None:
    request = redirection.pop_request(("127.0.0.1", 50000), ("127.0.0.1", 5000))
    assert_type(request, OutgoingRequest | None)
    assert request is not None
    request.set_exception(TimeoutError())
    assert_type(request.exception, BaseException | None)

    Upstream(refuse=lambda host, port: ConnectionError(host) if port == 5000 else None)
    Upstream(refuse=lambda host: None)  # type: ignore[misc, arg-type]
    upstream = Upstream()
    response = await upstream.send(request.method, request.url, request.headers, b"", as_sent_by=request)
    assert_type(response, UpstreamResponse)
    if response.is_upgrade:
        await response.relay(Client())
        await response.relay(upstream)  # type: ignore[arg-type]
    assert_type([chunk async for chunk in response.body], list[bytes])
    await upstream.close()


async def resolving() -> None:
    resolver: AbstractResolver = OriginResolver({"api.example.com": "http://127.0.0.1:5000"})
    TCPConnector(resolver=OriginResolver({}, fallback=resolver))
    OriginResolver({}, resolver="another")  # type: ignore[call-arg]
    assert_type(is_ip_address("::1") and is_loopback("localhost"), bool)
    assert_type(Passthrough(["api.example.com"]).matches(URL("https://api.example.com")), bool)
