"""Replies: a small closed family of values, and what a user's callback returns.

A transport decides how each of them looks on its wire.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from multidict import CIMultiDictProxy

__all__ = ["Body", "BodySource", "CallbackResult", "ClosedConnection", "Reply", "Response", "Stream"]

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


class ClosedConnection(NamedTuple):
    """No reply: the connection is closed; `explanation` says why when nothing was registered for the request."""

    explanation: str | None = None


Reply: TypeAlias = Response | Stream | ClosedConnection


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
