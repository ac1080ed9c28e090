"""The exceptions for failures that only a client meets: equal to those of real failures, and raised as they are."""

import asyncio
import contextlib
import errno
import re
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver

from aiointercept_dns import Address, OutgoingRequest, Redirection
from aiointercept_dns.failures import (
    certificate_error,
    connect_timeout,
    connection_refused,
    connection_reset,
    dns_failure,
    read_timeout,
    tls_error,
    total_timeout,
)

SOON = 0.05


class Unknown(AbstractResolver):
    """A resolver for which no name exists, as the system's says it."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        """Nothing to close."""


@contextlib.asynccontextmanager
async def server(reply: bytes | None = None, **options) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Give the port of a server that reads a head, then closes the connection after `reply`; and what it has read."""
    received = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            received.append(await reader.readuntil(b"\r\n\r\n") if reply is None else await reader.read(10))
            writer.write(reply or b"")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, **options) as running:
        yield running.sockets[0].getsockname()[1], received


@contextlib.asynccontextmanager
async def hanging_server() -> AsyncIterator[int]:
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        await reader.read()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        yield running.sockets[0].getsockname()[1]
        for writer in connections:
            writer.close()


async def raised(url: str, method: str = "GET", connector: TCPConnector | None = None, **options) -> BaseException:
    async with asyncio.timeout(5), ClientSession(connector=connector) as session:
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            await session.request(method, url, **options)
    return caught.value


async def made(
    failure: Callable[[OutgoingRequest], BaseException], url: str, method: str = "GET", **options
) -> BaseException:
    """Return what the caller gets if `failure` is set for a request that reached a server and was disconnected."""

    def decide(request: OutgoingRequest) -> Address:
        set_errors.append(failure(request))
        request.set_exception(set_errors[-1])
        return Address("127.0.0.1", port)

    set_errors = []
    async with server() as (port, received):
        with Redirection(decide):
            error = await raised(url, method, **options)
    # One request, although aiohttp sends some a second time after a disconnect.
    assert [error] == set_errors
    assert len(received) == 1
    assert received[0].startswith(method.encode())
    return error


def described(error: BaseException) -> dict[str, str]:
    """Return all that a user can read from `error`, as text; the line of CPython's source that it names may differ."""
    names = ("host", "port", "ssl", "os_error", "certificate_error", "errno", "strerror", "args")
    found = {name: getattr(error, name) for name in names if hasattr(error, name)}
    cause = None if isinstance(error.__cause__, asyncio.CancelledError) else error.__cause__
    found |= {"type": type(error), "str": str(error), "repr": repr(error), "cause": cause}
    for name in ("library", "reason", "verify_code", "verify_message"):
        found[name] = getattr(error.__cause__, name, None)
    return {name: re.sub(r"_ssl\.c:\d+", "_ssl.c", repr(value)) for name, value in found.items()}


@pytest.fixture
def closed_port() -> int:
    # It stays bound, so that nothing else listens on it.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def certificate(folder: Path) -> ssl.SSLContext:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    authority.private_key_pem.write_to_path(folder / "pem")
    authority.cert_pem.write_to_path(folder / "pem", append=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem")
    return context


# As real ones.


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("scheme", "options"), [("http", {}), ("https", {}), ("https", {"ssl": False})])
async def test_a_refused_connection(closed_port: int, method: str, scheme: str, options: dict):
    url = f"{scheme}://127.0.0.1:{closed_port}/path"
    real = await raised(url, method, **options)
    error = await made(connection_refused, url, method, **options)
    assert described(error) == described(real)
    assert isinstance(error, aiohttp.ClientConnectorError)
    assert error.os_error.errno == errno.ECONNREFUSED


async def test_a_refused_connection_to_an_ipv6_address():
    error = await made(connection_refused, "http://[::1]:1/")
    assert str(error) == "Cannot connect to host ::1:1 ssl:default [Connect call failed ('::1', 1, 0, 0)]"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_cannot_be_resolved(method: str, scheme: str):
    url = f"{scheme}://api.example.test/path"
    real = await raised(url, method, TCPConnector(resolver=Unknown()))
    error = await made(dns_failure, url, method)
    assert described(error) == described(real)
    assert isinstance(error, aiohttp.ClientConnectorDNSError)
    assert (error.host, error.port) == ("api.example.test", 443 if scheme == "https" else 80)


@pytest.mark.parametrize("option", ["connect", "sock_connect"])
async def test_a_time_limit_for_connecting(option: str):
    async with hanging_server() as port:
        # The handshake is a part of connecting.
        url = f"https://user:secret@127.0.0.1:{port}/path?a=1#fragment"
        real = await raised(url, timeout=ClientTimeout(**{option: SOON}))
    error = await made(connect_timeout, url)
    assert described(error) == described(real)
    assert isinstance(error, aiohttp.ConnectionTimeoutError)


@pytest.mark.parametrize(("failure", "option"), [(read_timeout, "sock_read"), (total_timeout, "total")])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_time_limit_for_the_response(failure: Callable, option: str, method: str):
    async with hanging_server() as port:
        real = await raised(f"http://127.0.0.1:{port}/", method, timeout=ClientTimeout(**{option: SOON}))
    error = await made(failure, f"http://127.0.0.1:{port}/", method)
    assert described(error) == described(real)
    assert isinstance(error, TimeoutError)


async def test_a_certificate_that_cannot_be_verified(tmp_path: Path):
    async with server(b"", ssl=certificate(tmp_path)) as (port, _):
        url = f"https://127.0.0.1:{port}/"
        real = await raised(url)
    error = await made(certificate_error, url)
    assert described(error) == described(real)
    assert isinstance(error, aiohttp.ClientConnectorCertificateError)
    assert isinstance(error.certificate_error, ssl.SSLCertVerificationError)


async def test_a_tls_handshake_with_a_server_that_speaks_http():
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        url = f"https://127.0.0.1:{port}/"
        real = await raised(url)
    error = await made(tls_error, url)
    assert described(error) == described(real)
    assert isinstance(error, aiohttp.ClientConnectorSSLError)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_reset(method: str):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        linger = writer.get_extra_info("socket")
        linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        url = f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
        real = await raised(url, method)
    error = await made(connection_reset, url, method)
    assert described(error) == described(real)
    assert (type(error), error.errno) == (aiohttp.ClientOSError, errno.ECONNRESET)


async def test_a_failure_of_a_websocket_handshake():
    def decide(request: OutgoingRequest) -> Address:
        request.set_exception(dns_failure(request))
        return Address("127.0.0.1", port)

    async with server() as (port, _), ClientSession() as session:
        with Redirection(decide), pytest.raises(aiohttp.ClientConnectorDNSError, match=r"api\.example:443 ssl:default"):
            await session.ws_connect("wss://api.example/")


# As they are.


@pytest.mark.parametrize("unwrap", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("mine"),
        OSError("mine"),
        ConnectionResetError(errno.ECONNRESET, "mine"),
        aiohttp.ClientOSError(errno.EPIPE, "mine"),
        aiohttp.ServerDisconnectedError("mine"),
        ValueError("mine"),
        BaseExceptionGroup("mine", [ValueError()]),
        BaseException("mine"),
        asyncio.CancelledError("mine"),
        GeneratorExit("mine"),
        StopAsyncIteration("mine"),
        KeyboardInterrupt("mine"),
        SystemExit("mine"),
    ],
    ids=repr,
)
async def test_the_very_object_is_raised(error: BaseException, unwrap: bool):
    def decide(request: OutgoingRequest) -> Address:
        request.set_exception(error.with_traceback(None))
        return Address("127.0.0.1", port)

    # aiohttp makes a ClientOSError of any other error of the system, unless it is a timeout without a number.
    is_wrapped = not unwrap and isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError | TimeoutError)
    lengths = set()
    async with server() as (port, received):
        with Redirection(decide, unwrap_os_errors=unwrap):
            for number in (1, 2, 3):
                found = await raised("http://api.example/")
                assert (found.__cause__ if is_wrapped else found) is error
                lengths.add(len(list(traceback.walk_tb(found.__traceback__))))
                assert found.__context__ is (error if is_wrapped else None)
                assert len(received) == number
    # The traceback does not grow.
    assert len(lengths) == 1


async def test_a_stop_iteration_cannot_be_raised_by_a_coroutine():
    error = StopIteration("mine")
    with Redirection(lambda request: error):
        found = await raised("http://api.example/")
    assert type(found) is RuntimeError
    assert found.__cause__ is error


async def test_a_failure_may_be_the_decision():
    with Redirection(connection_refused):
        error = await raised("https://api.example/")
    assert str(error) == (
        "Cannot connect to host api.example:443 ssl:default [Connect call failed ('api.example', 443)]"
    )
