"""What a registration or a callback gives, checked and encoded once: a reply, or a template for one per request.

All rules on what a reply may hold stand here, so that a mistake is told where it is made and not on the wire.
"""

import functools
import inspect
import json as json_module
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from ._framing import check_framing, drop_contradictions
from ._headers import build_headers, check_text
from ._reply import BodySource, CallbackResult, Response, Stream
from ._wording import describe_value

__all__ = ["ReplyTemplate", "build_template", "template_from_result"]

# How many replies are shared, and up to which size of their bodies in bytes.
_SHARED = 256
_SHARED_BODY = 4096

_BODY_TYPES = "str, bytes, an async iterable of bytes, or a function that returns a fresh one for each reply"


@dataclass(slots=True)
class ReplyTemplate:
    """A checked reply but for its body, which is an async iterable or comes from a function for each reply."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: AsyncIterable[bytes] | Callable[[], Any]
    bodiless: bool

    @property
    def one_shot(self) -> bool:
        """Whether the body can be sent only once: an iterator is used up by its first reply."""
        return isinstance(self.body, AsyncIterator)

    async def make(self) -> Response | Stream:
        """Return a reply with a fresh body; what the user's body function raises is raised."""
        body: Any = self.body
        if not isinstance(body, AsyncIterable) and callable(body):
            body = body()
            if inspect.isawaitable(body):
                body = await body
        if isinstance(body, str | bytes):
            body = _encode(body)
            check_framing(self.headers, body, bodiless=self.bodiless)
            return Response(self.status, self.reason, self.headers, body)
        if isinstance(body, AsyncIterable):
            return Stream(self.status, self.reason, self.headers, body)
        raise TypeError(
            "body: expected the function to return str, bytes or an async iterable of bytes, "
            f"got {describe_value(body)}; return one of these"
        )


def build_template(
    *,
    method: str,
    status: int | None,
    body: BodySource | None,
    payload: Any,
    headers: Mapping[str, str] | None,
    content_type: str | None,
    reason: str | None,
    lenient: bool = False,
) -> Response | ReplyTemplate:
    """Check and encode one reply to a request with `method`: the reply itself where one serves every request.

    `lenient` drops headers that contradict the body instead of refusing them. Raises `TypeError` or `ValueError`
    saying what was expected, what came and how to fix it.
    """
    status = _check_status(status)
    reason = check_text("reason", reason)
    content_type = check_text("content_type", content_type)
    if payload is not None:
        body = _serialise(payload)
    elif body is None:
        body = b""
    elif isinstance(body, str | bytes):
        body = _encode(body)
    elif not isinstance(body, AsyncIterable) and not callable(body):
        raise TypeError(
            f"body: expected {_BODY_TYPES}, got {describe_value(body)}; use payload= for a value to be sent as JSON"
        )
    bodiless = method.upper() == "HEAD" or status in (204, 304)
    fields = build_headers(headers)
    if fields:
        if lenient:
            drop_contradictions(fields, body, bodiless=bodiless)
        check_framing(fields, body, bodiless=bodiless)
        # Whoever sends the reply decides whether it is sent chunked; a length beside chunks contradicts them.
        if not bodiless and "Transfer-Encoding" in fields:
            fields.popall("Transfer-Encoding")
            fields.popall("Content-Length", None)
    if "Content-Type" not in fields:
        fields["Content-Type"] = content_type or "application/json"
    if not isinstance(body, bytes):
        return ReplyTemplate(status, reason, CIMultiDictProxy(fields), body, bodiless)
    make = _shared_response if len(body) <= _SHARED_BODY else _response
    return make(status, reason, tuple(fields.items()), body)


def template_from_result(
    result: object, method: str, callback: object, *, lenient: bool = False
) -> Response | ReplyTemplate:
    """Check and encode what `callback` returned for a request with `method`."""
    if not isinstance(result, CallbackResult):
        raise TypeError(f"callback {callback!r}: expected it to return a CallbackResult, got {describe_value(result)}")
    return build_template(
        method=method,
        status=result.status,
        body=result.body,
        payload=result.payload,
        headers=result.headers,
        content_type=result.content_type,
        reason=result.reason,
        lenient=lenient,
    )


def _response(status: int, reason: str | None, fields: tuple[tuple[str, str], ...], body: bytes) -> Response:
    return Response(status, reason, CIMultiDictProxy(CIMultiDict(fields)), body)


# A suite registers the same replies in each of its tests. One object for all that are equal lets a transport find out
# that it has sent this one before.
_shared_response = functools.lru_cache(maxsize=_SHARED)(_response)


def _check_status(status: object) -> int:
    if status is None:
        return 200
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 999:
        raise ValueError(
            f"status: expected an int from 200 to 999 or an http.HTTPStatus, got {describe_value(status)}; "
            "pass a number such as 404"
        )
    return int(status)


def _encode(body: str | bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    try:
        return body.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"body: expected a str that can be encoded as UTF-8, got {describe_value(body)}; pass bytes"
        ) from exc


def _serialise(payload: object) -> bytes:
    try:
        return json_module.dumps(payload).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        kind = TypeError if isinstance(exc, TypeError) else ValueError
        raise kind(
            f"payload: expected a value that json.dumps can serialise, got {describe_value(payload)}: {exc}; "
            "convert it, or pass text with body="
        ) from exc
