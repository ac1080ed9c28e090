"""The types of core under a custom transport."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, assert_type

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import (
    CallbackContext,
    CallbackResult,
    CloseConnection,
    Difference,
    ExactURL,
    Fault,
    FaultReply,
    Matcher,
    PlainRequest,
    Record,
    Registry,
    RegistryRules,
    Reply,
    Request,
    Response,
    Route,
    Stream,
    Upgrade,
    UpgradedConnection,
    URLPattern,
    WebSocket,
    WebSocketConnection,
    normalize_url,
)


class OwnRequest:
    """A request of a custom transport, with the four attributes that core needs."""

    method = "GET"
    url = URL("https://api.example.com/")
    headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
    body: bytes | None = None


class IncompleteRequest:
    method = "GET"


async def answering() -> None:
    registry: Registry[PlainRequest] = Registry()
    assert_type(registry.get("https://api.example.com/", payload=[1]), Route[PlainRequest])
    reply = await registry.answer(PlainRequest("GET", URL("https://api.example.com/")))
    assert_type(reply, Response | Stream | CloseConnection | FaultReply | Upgrade | WebSocket)
    same: Reply = reply
    print(same)
    match reply:
        case Response(status, reason, headers, body):
            assert_type(status, int)
            assert_type(reason, str | None)
            assert_type(headers, CIMultiDictProxy[str])
            assert_type(body, bytes)
        case Stream():
            async for chunk in reply.body:
                assert_type(chunk, bytes)
        case CloseConnection(explanation):
            assert_type(explanation, str | None)
        case FaultReply(fault, response):
            assert_type(fault, Fault | BaseException)
            assert_type(response, Response | None)
            assert_type(reply.status, int | None)
    assert_type(reply.delay, float)
    assert_type(registry.last_request, PlainRequest | Any)
    with registry.lock:
        registry.renew_lock()
    assert_type(registry.requests["GET", "https://api.example.com/"], list[PlainRequest])
    registry.assert_called_once_with("https://api.example.com/")
    assert_type(normalize_url("https://api.example.com"), URL)

    registry.add("https://api.example.com/", stauts=404)  # type: ignore[arg-type]
    registry.get("https://api.example.com/", stauts=404)  # type: ignore[call-arg]
    registry.get("https://api.example.com/", status="404")  # type: ignore[arg-type]
    await registry.answer(OwnRequest())  # type: ignore[arg-type]


async def with_a_custom_request() -> None:
    registry: Registry[OwnRequest] = Registry()
    await registry.answer(OwnRequest())
    assert_type(registry.last_request, OwnRequest | Any)
    request: Request = OwnRequest()
    print(request)


def with_an_incomplete_request(registry: Registry[IncompleteRequest]) -> None:  # type: ignore[type-var]
    registry.clear()


def callback(url: URL, **kwargs: Any) -> CallbackResult:
    return CallbackResult(payload=kwargs)


def using_a_route(registry: Registry[PlainRequest], request: PlainRequest) -> None:
    route = registry.get("https://api.example.com/")
    assert_type(route.method, str)
    assert_type(route.url, URL | None)
    assert_type(route.call_count, int)
    assert_type(route.remaining, int | None)
    assert_type(route.optional, bool)
    assert_type(registry.routes, list[Route[PlainRequest]])
    record = registry.match(request, registry.reserve(request))
    assert_type(record, Record[PlainRequest])
    assert_type(record.route, Route | None)
    assert_type(record.unmatched, bool)


async def replying(registry: Registry[PlainRequest], record: Record[PlainRequest], route: Route) -> None:
    assert_type(await registry.reply(record), Response | Stream | CloseConnection | FaultReply | Upgrade | WebSocket)
    reply = await registry.reply_from(CallbackResult(), record.request, route)
    assert_type(reply, Response | Stream | CloseConnection | FaultReply | Upgrade | WebSocket)


class HeaderIs:
    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def differences(self, request: Request) -> Iterator[Difference]:
        if request.headers.get(self.name) != self.value:
            yield Difference(self.name, "differs")


def registering_routes(registry: Registry[PlainRequest], pattern: URLPattern, connection: UpgradedConnection) -> None:
    matchers: list[Matcher] = [HeaderIs("X-Shard", "7"), ExactURL(URL("https://api.example.com/")), pattern]
    registry.register(Route("GET", matchers[1], CloseConnection(), conditions=matchers[:1]))
    registry.register(Route("GET", matchers[1], FaultReply(Fault.RESET, delay=1)))
    registry.register(Route("GET", matchers[1], FaultReply(TimeoutError("mine"))))
    FaultReply("reset")  # type: ignore[arg-type]
    FaultReply(TimeoutError)  # type: ignore[arg-type]
    assert_type(Fault.TLS.needs_https, bool)


class Context:
    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def iterate(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        return aiter(body)

    async def run_handler(self, handler: Callable[[Any], Awaitable[None]], connection: WebSocketConnection) -> None:
        await handler(connection)


def with_a_callback_context() -> CallbackContext:
    Registry[PlainRequest](RegistryRules(exact_urls_first=False), callback_context=Context)
    Registry[PlainRequest](callback_context=HeaderIs)  # type: ignore[arg-type]
    return Context()
