"""Replies: a small closed family of values, and what a user's callback returns.

A transport decides how each of them looks on its wire.
"""

import traceback
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from multidict import CIMultiDict, CIMultiDictProxy

__all__ = [
    "Body",
    "BodySource",
    "CallbackResult",
    "CloseConnection",
    "Reply",
    "Response",
    "Stream",
    "Upgrade",
    "UpgradedConnection",
    "error_response",
    "format_error",
]

Body: TypeAlias = str | bytes | AsyncIterable[bytes]
BodySource: TypeAlias = Body | Callable[[], Body | Awaitable[Body]]


class Response(NamedTuple):
    """A reply whose body is known; `reason` is `None` for the standard phrase of `status`."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes


class Stream(NamedTuple):
    """A reply whose body is produced while it is sent."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: AsyncIterable[bytes]


class CloseConnection(NamedTuple):
    """No reply: the connection is closed; `explanation` says why when nothing was registered for the request."""

    explanation: str | None = None


class UpgradedConnection(Protocol):
    """The client's connection after it has left HTTP."""

    async def receive(self) -> bytes:
        """Return the next bytes from the client, `b""` at the end."""

    async def send(self, data: bytes) -> None:
        """Send `data` to the client."""


class Upgrade(NamedTuple):
    """A reply after which the connection leaves HTTP: `run` uses it, and it is closed when `run` returns."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    run: Callable[[UpgradedConnection], Awaitable[None]]


Reply: TypeAlias = Response | Stream | CloseConnection | Upgrade


@dataclass(slots=True)
class CallbackResult:
    """What a callback returns: the reply to one request.

    `body` is a str (sent as UTF-8), bytes, an async iterable of bytes or a function that returns one of them;
    `payload`, serialised to JSON, overrides it. A Content-Type among `headers` wins over `content_type`.
    `method` and `response_class` are accepted for callbacks written for aioresponses and have no effect.
    """

    method: str = "GET"
    status: int = 200
    body: BodySource = ""
    content_type: str = "application/json"
    payload: Any = None
    headers: Mapping[str, str] | None = None
    response_class: Any = None
    reason: str | None = None


def error_response(error: BaseException) -> Response:
    """Return the reply that reports `error` to the client: status 500 with the traceback as text."""
    headers = CIMultiDict({"Content-Type": "text/plain; charset=utf-8"})
    return Response(500, None, CIMultiDictProxy(headers), format_error(error).encode())


def format_error(error: BaseException) -> str:
    """Return the traceback of `error`, with characters that cannot be encoded escaped."""
    text = "".join(traceback.format_exception(error))
    return text.encode("utf-8", "backslashreplace").decode()
