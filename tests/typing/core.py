"""How core is used under a transport of one's own, as a type checker sees it."""

from typing import Any, assert_type

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import (
    CallbackResult,
    CloseConnection,
    Route,
    PlainRequest,
    Registry,
    Reply,
    Request,
    Response,
    Stream,
    Upgrade,
    normalize_url,
)


class OwnRequest:
    """A request of a custom transport: it has the four attributes that core looks at."""

    method = "GET"
    url = URL("https://api.example.com/")
    headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
    body: bytes | None = None


class NoRequest:
    method = "GET"


async def answering() -> None:
    registry: Registry[PlainRequest] = Registry()
    assert_type(registry.get("https://api.example.com/", payload=[1]), Route)
    reply = await registry.answer(PlainRequest("GET", URL("https://api.example.com/")))
    assert_type(reply, Response | Stream | CloseConnection | Upgrade)
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
    assert_type(registry.last_request, PlainRequest | None)
    assert_type(registry.requests["GET", "https://api.example.com/"], list[PlainRequest])
    registry.assert_called_once_with("https://api.example.com/")
    assert_type(normalize_url("https://api.example.com"), URL)

    registry.add("https://api.example.com/", stauts=404)  # type: ignore[arg-type]
    await registry.answer(OwnRequest())  # type: ignore[arg-type]


async def with_a_request_of_ones_own() -> None:
    registry: Registry[OwnRequest] = Registry()
    await registry.answer(OwnRequest())
    assert_type(registry.last_request, OwnRequest | None)
    request: Request = OwnRequest()
    print(request)


def with_what_is_no_request(registry: Registry[NoRequest]) -> None:  # type: ignore[type-var]
    registry.clear()


def callback(url: URL, **kwargs: Any) -> CallbackResult:
    return CallbackResult(payload=kwargs)
