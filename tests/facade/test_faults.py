"""Each fault as its caller meets it, in each mode; one call is one recorded request and uses one reply."""

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import ClientSession
from support import raw_exchange

from aiointercept import Fault, aiointercept

BODY = b'{"name": "Ada"}'
WITH_BODY = [fault for fault in Fault if fault.has_body]
SHOWN = [Fault.DISCONNECT, Fault.RESET, Fault.MALFORMED]
CLIENT_ONLY = [fault for fault in Fault if not fault.is_sent_by_server]
DEFAULT_PORTS = {"http": 80, "https": 443}

# The class is exactly this one.
ERRORS = {
    Fault.DISCONNECT: aiohttp.ServerDisconnectedError,
    Fault.RESET: aiohttp.ClientOSError,
    Fault.MALFORMED: aiohttp.ClientResponseError,
    Fault.CONNECTION_REFUSED: aiohttp.ClientConnectorError,
    Fault.DNS_FAILURE: aiohttp.ClientConnectorDNSError,
    Fault.CONNECT_TIMEOUT: aiohttp.ConnectionTimeoutError,
    Fault.READ_TIMEOUT: aiohttp.SocketTimeoutError,
    Fault.TOTAL_TIMEOUT: TimeoutError,
    Fault.CERTIFICATE: aiohttp.ClientConnectorCertificateError,
    Fault.TLS: aiohttp.ClientConnectorSSLError,
}

Call = Callable[..., Awaitable[aiohttp.ClientResponse]]

METHODS = pytest.mark.parametrize("method", ["GET", "POST"])
WARM = pytest.mark.parametrize("warm", [False, True], ids=["new", "kept alive"])
BOTH_MODES = pytest.mark.parametrize("origin", ["server_url", "http://api.example", "https://api.example"])
REDIRECTED = pytest.mark.parametrize("origin", ["http://api.example", "https://api.example"])


@asynccontextmanager
async def failing(
    origin: str, method: str = "GET", warm: bool = False, **options
) -> AsyncIterator[tuple[aiointercept, Call]]:
    """Register a reply with `options`, then one with status 201, and give a function that asks for them.

    The connection is a new one, or one that was used before. At the end exactly one request is recorded, with its body,
    and one reply is used; the next call gets the next reply.
    """
    body = b"sent" if method == "POST" else None
    async with (
        asyncio.timeout(10),
        aiointercept(mock_external_urls=origin != "server_url") as m,
        ClientSession() as session,
    ):
        url = f"{m.server_url if origin == 'server_url' else origin}/thing"
        if warm:
            m.get(f"{url}/warm")
            await (await session.get(f"{url}/warm")).read()
            m.clear()
        route = m.add(url, method, **options)
        following = m.add(url, method, status=201)

        def call(**options) -> Awaitable[aiohttp.ClientResponse]:
            return session.request(method, url, data=body, **options)

        yield m, call
        assert [request.captured_body for _, request in m.ordered_requests] == [body]
        assert (route.call_count, following.call_count) == (1, 0)
        assert (await call()).status == 201
        assert (m.call_count, route.call_count, following.call_count) == (2, 1, 1)


# Every row of the table.


@BOTH_MODES
@METHODS
@WARM
@pytest.mark.parametrize("fault", SHOWN, ids=str)
async def test_a_fault_without_a_response(origin: str, fault: Fault, method: str, warm: bool):
    async with failing(origin, method, warm, fault=fault) as (_, call):
        with pytest.raises(ERRORS[fault]) as caught:
            await call()
    error = caught.value
    assert type(error) is ERRORS[fault]
    if fault is Fault.RESET:
        assert error.errno == errno.ECONNRESET
    elif fault is Fault.MALFORMED:
        assert error.status == 400
        assert error.request_info.real_url.path == "/thing"


@BOTH_MODES
@METHODS
@WARM
@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.RESET_IN_BODY], ids=str)
async def test_a_body_of_which_half_arrives(origin: str, fault: Fault, method: str, warm: bool):
    options = {"status": 203, "headers": {"X-Name": "value"}, "body": BODY}
    async with failing(origin, method, warm, fault=fault, **options) as (_, call):
        response = await call()
        assert (response.status, response.headers["X-Name"]) == (203, "value")
        assert response.headers["Content-Length"] == str(len(BODY))
        half = len(BODY) // 2
        assert await response.content.readexactly(half) == BODY[:half]
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@BOTH_MODES
@METHODS
@WARM
@pytest.mark.parametrize("body", [b"", BODY], ids=["no body", "body"])
async def test_a_corrupt_content_encoding(origin: str, body: bytes, method: str, warm: bool):
    async with failing(origin, method, warm, fault=Fault.CORRUPT_ENCODING, status=203, body=body) as (_, call):
        response = await call()
        assert (response.status, response.headers["Content-Encoding"]) == (203, "gzip")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@BOTH_MODES
@METHODS
@WARM
async def test_a_reply_that_never_comes_ends_with_the_timeout_of_the_caller(origin: str, method: str, warm: bool):
    async with failing(origin, method, warm, fault=Fault.HANG) as (m, call):
        asking = asyncio.ensure_future(call(timeout=aiohttp.ClientTimeout(total=None, sock_read=0.2)))
        await m.wait_for_requests(timeout=5)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await asking


@BOTH_MODES
async def test_a_reply_that_never_comes_ends_with_the_block(origin: str):
    async with ClientSession() as session:
        async with aiointercept(mock_external_urls=origin != "server_url") as m:
            url = m.server_url if origin == "server_url" else origin
            m.get(url, fault=Fault.HANG)
            asking = asyncio.ensure_future(session.get(url))
            await m.wait_for_requests(timeout=5)
        if origin == "server_url":
            # aiohttp's own retry finds the port closed.
            with pytest.raises(aiohttp.ClientConnectionError):
                await asking
        else:
            with pytest.raises(aiohttp.ClientConnectionError, match="stopped while the request waited"):
                await asking
        assert m.call_count == 1


@REDIRECTED
@METHODS
@WARM
@pytest.mark.parametrize("fault", CLIENT_ONLY, ids=str)
async def test_a_failure_that_only_the_client_meets(origin: str, fault: Fault, method: str, warm: bool):
    if fault.needs_https and not origin.startswith("https"):
        # Refused: see test_fault_refusals.py.
        return
    async with failing(origin, method, warm, fault=fault) as (_, call):
        with pytest.raises(ERRORS[fault]) as caught:
            await call()
    error = caught.value
    assert type(error) is ERRORS[fault]
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        port = DEFAULT_PORTS[origin.partition(":")[0]]
        assert (error.host, error.port, error.ssl) == ("api.example", port, True)
        assert f"api.example:{port} " in str(error)
    if fault is Fault.CONNECTION_REFUSED:
        assert error.os_error.errno == errno.ECONNREFUSED
    elif fault is Fault.CERTIFICATE:
        assert isinstance(error.certificate_error, ssl.SSLCertVerificationError)
    elif fault is Fault.TLS:
        assert isinstance(error.os_error, ssl.SSLError)
    # What the caller sees came from nowhere else.
    assert error.__context__ is None or error.__context__ is error.__cause__


@pytest.mark.parametrize("fault", [Fault.CONNECTION_REFUSED, Fault.DNS_FAILURE, Fault.CERTIFICATE, Fault.TLS], ids=str)
async def test_an_error_has_the_connection_key_of_the_requested_url(fault: Fault):
    context = ssl.create_default_context()
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get("https://api.example:8443/", fault=fault)
        with pytest.raises(ERRORS[fault]) as caught:
            await session.get("https://api.example:8443/", ssl=context)
    # That of aiohttp's certificate error is always a bool.
    given = True if fault is Fault.CERTIFICATE else context
    assert (caught.value.host, caught.value.port, caught.value.ssl) == ("api.example", 8443, given)


# Exceptions.


EXCEPTIONS = [
    TimeoutError("mine"),
    OSError(errno.ENETUNREACH, "mine"),
    ConnectionResetError("mine"),
    aiohttp.ClientError("mine"),
    aiohttp.ServerDisconnectedError("mine"),
    ValueError("mine"),
    AssertionError("mine"),
    StopAsyncIteration("mine"),
    BaseException("mine"),
    BaseExceptionGroup("mine", [KeyboardInterrupt()]),
    asyncio.CancelledError("mine"),
    GeneratorExit("mine"),
    KeyboardInterrupt("mine"),
    SystemExit("mine"),
]


@REDIRECTED
@METHODS
@WARM
@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda error: type(error).__name__)
async def test_an_exception_reaches_the_caller_as_that_very_object(
    origin: str, error: BaseException, method: str, warm: bool
):
    async with failing(origin, method, warm, fault=error) as (_, call):
        with pytest.raises(type(error)) as caught:
            await call()
        assert caught.value is error
        assert error.__context__ is None


@REDIRECTED
async def test_of_a_class_each_caller_gets_a_new_instance(origin: str):
    class Mine(Exception):
        pass

    found = set()
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get(origin, fault=Mine, repeat=True)
        for _ in range(3):
            with pytest.raises(Mine) as caught:
                await session.get(origin)
            found.add(caught.value)
    assert len(found) == 3


async def test_a_class_that_cannot_be_made_is_an_error_of_the_test():
    class Mine(Exception):
        def __init__(self, code):
            pass

    m = aiointercept(mock_external_urls=True)
    await m.start()
    m.get("http://api.example/", fault=Mine)
    async with ClientSession() as session:
        assert (await session.get("http://api.example/")).status == 500
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'code'"):
        await m.stop()


def depth(error: BaseException) -> int:
    count, traceback = 0, error.__traceback__
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count


@pytest.mark.parametrize("error", [ValueError("mine"), OSError("mine")], ids=repr)
async def test_the_traceback_of_an_exception_that_is_raised_many_times_does_not_grow(error: Exception):
    depths = set()
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get("https://api.example/", fault=error, repeat=True)
        for _ in range(20):
            with pytest.raises(type(error)) as caught:
                await session.get("https://api.example/")
            assert caught.value is error
            depths.add(depth(error))
    assert len(depths) == 1


# Queues, and what is around a fault.


@BOTH_MODES
@METHODS
async def test_fail_twice_and_then_work(origin: str, method: str):
    external = origin != "server_url"
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        url = origin if external else m.server_url
        m.add(url, method, fault=Fault.CONNECTION_REFUSED if external else Fault.RESET)
        m.add(url, method, fault=Fault.TRUNCATED, body="a body")
        m.add(url, method, status=503)
        m.add(url, method, payload="works", repeat=True)
        with pytest.raises(aiohttp.ClientOSError):
            await session.request(method, url)
        broken = await session.request(method, url)
        with pytest.raises(aiohttp.ClientPayloadError):
            await broken.read()
        assert (await session.request(method, url)).status == 503
        for _ in range(2):
            async with session.request(method, url) as response:
                assert await response.json() == "works"
        assert m.call_count == 5


@BOTH_MODES
async def test_a_fault_without_limit(origin: str):
    external = origin != "server_url"
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        url = origin if external else m.server_url
        route = m.get(url, fault=Fault.DISCONNECT, repeat=True)
        for count in range(1, 6):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.get(url)
            assert (route.call_count, m.call_count) == (count, count)


async def test_faults_are_chosen_by_conditions():
    url = "https://api.example/"
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.post(url, fault=Fault.READ_TIMEOUT, match_json={"size": "large"}, repeat=True)
        m.post(url, status=201, repeat=True)
        for _ in range(2):
            with pytest.raises(aiohttp.SocketTimeoutError):
                await session.post(url, json={"size": "large"})
            assert (await session.post(url, json={"size": "small"})).status == 201
        assert [request.kwargs["json"]["size"] for _, request in m.ordered_requests] == ["large", "small"] * 2


async def test_of_nested_mocks_the_one_that_answers_fails():
    url = "https://api.example/"
    async with (
        aiointercept(mock_external_urls=True) as outer,
        aiointercept(mock_external_urls=True) as inner,
        ClientSession() as session,
    ):
        outer.get(url, fault=Fault.DNS_FAILURE)
        inner.get(url, fault=Fault.READ_TIMEOUT)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await session.get(url)
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get(url)
        assert (outer.call_count, inner.call_count) == (1, 1)


async def test_a_fault_behind_an_http_redirect():
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get("https://api.example/", status=302, headers={"Location": "https://other.example/"})
        m.get("https://other.example/", fault=Fault.CERTIFICATE)
        with pytest.raises(aiohttp.ClientConnectorCertificateError) as caught:
            await session.get("https://api.example/")
        assert caught.value.host == "other.example"
        assert m.call_count == 2


@pytest.mark.parametrize("fault", [Fault.DISCONNECT, Fault.RESET, Fault.DNS_FAILURE, TimeoutError("mine")], ids=str)
async def test_a_failed_websocket_handshake(fault: Fault | BaseException):
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get("wss://api.example/", fault=fault)
        with pytest.raises(ERRORS[fault] if isinstance(fault, Fault) else TimeoutError):
            await session.ws_connect("wss://api.example/")
        assert m.call_count == 1


# Nothing that is no aiohttp client can ask for an https URL.
@pytest.mark.parametrize(
    "fault", [*(fault for fault in CLIENT_ONLY if not fault.needs_https), TimeoutError("mine")], ids=str
)
async def test_a_client_that_is_not_aiohttp_gets_a_closed_connection(fault: Fault | BaseException):
    async with aiointercept(mock_external_urls=True) as m:
        m.get(m.server_url, fault=fault)
        head = f"GET / HTTP/1.1\r\nHost: {m.server_host}:{m.server_port}\r\n\r\n"
        assert await raw_exchange(m.server_port, head.encode()) == b""
        assert m.call_count == 1


@pytest.mark.long
@pytest.mark.parametrize("external", [False, True])
async def test_many_faults_at_once(external: bool):
    async with aiointercept(mock_external_urls=external) as m, ClientSession() as session:
        url = "https://api.example" if external else m.server_url
        for number in range(500):
            m.post(f"{url}/{number}", fault=Fault.RESET if number % 2 else Fault.DISCONNECT)
        calls = (session.post(f"{url}/{number}", data=b"sent") for number in range(500))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [ERRORS[Fault.DISCONNECT], ERRORS[Fault.RESET]] * 250
        assert m.call_count == 500
        assert {request.captured_body for _, request in m.ordered_requests} == {b"sent"}
