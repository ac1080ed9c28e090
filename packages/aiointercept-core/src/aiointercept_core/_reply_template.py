"""Replies as `add` and callbacks describe them, checked and encoded once.

All rules about the content of a reply are here, so that a mistake is reported where it is made.
"""

import inspect
import json as json_module
import os
from collections.abc import AsyncIterable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from ._callback_context import CallbackContext
from ._format import describe_function, describe_value
from ._framing import check_framing, drop_contradictions
from ._headers import build_headers, check_text
from ._replies import BodySource, CallbackResult, Response, Stream
from ._server_sent_events import Events, EventStream, sse_stream

__all__ = ["ReplyTemplate", "build_reply", "choose_body", "stream_events"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_BODY_TYPES = "str, bytes or an async iterable of bytes"


@dataclass(slots=True)
class ReplyTemplate:
    """A checked reply whose body is an async iterable, or a function that returns the body of each reply."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: AsyncIterable[bytes] | Callable[[], object]
    bodiless: bool

    async def make(self, context: CallbackContext) -> Response | Stream:
        """Return a reply with a new body; errors of the user's body function are raised."""
        body: object = self.body
        if not isinstance(body, AsyncIterable) and callable(body):
            body = await context.call(body)
        if isinstance(body, str | bytes):
            encoded = _encode(body)
            check_framing(self.headers, encoded, bodiless=self.bodiless, is_text=isinstance(body, str))
            return Response(self.status, self.reason, self.headers, encoded)
        if isinstance(body, AsyncIterable):
            chunks = body.iterate_in(context) if isinstance(body, EventStream) else context.iterate(body)
            return Stream(self.status, self.reason, self.headers, chunks)
        raise TypeError(f"body: {describe_function(self.body)} must return {_BODY_TYPES}, got {describe_value(body)}")


def build_reply(result: CallbackResult, method: str, *, drop_contradicting_headers: bool) -> Response | ReplyTemplate:
    """Return the checked reply to requests with `method`; raise `TypeError` or `ValueError` if it cannot be sent."""
    status = _check_status(result.status)
    reason = check_text("reason", result.reason)
    content_type = check_text("content_type", result.content_type)
    body: object = choose_body(result.body, None, result.payload)
    is_text = isinstance(body, str)
    if isinstance(body, str | bytes):
        body = _encode(body)
    elif not isinstance(body, AsyncIterable) and not callable(body):
        raise TypeError(
            f"body must be {_BODY_TYPES}, or a function that returns one of these, got {describe_value(body)}; "
            f"{_body_advice(body)}"
        )
    elif inspect.isgeneratorfunction(body):
        raise TypeError(
            f"body: {describe_function(body)} is a sync generator function, which cannot be sent; "
            "write `async def`, or return the joined parts"
        )
    bodiless = method.upper() == "HEAD" or status in (204, 304)
    fields = build_headers(result.headers)
    if fields:
        if drop_contradicting_headers:
            drop_contradictions(fields, body, bodiless=bodiless)
        check_framing(fields, body, bodiless=bodiless, is_text=is_text)
        # The transport decides whether the body is sent in chunks; a length together with chunks is a contradiction.
        if not bodiless and "Transfer-Encoding" in fields:
            fields.popall("Transfer-Encoding")
            fields.popall("Content-Length", None)
    fields.setdefault("Content-Type", content_type or "application/json")
    if isinstance(body, bytes):
        return Response(status, reason, CIMultiDictProxy(fields), body)
    return ReplyTemplate(status, reason, CIMultiDictProxy(fields), body, bodiless)


def stream_events(
    sse: Events,
    body: BodySource | None,
    json: Any,
    payload: Any,
    content_type: str | None,
    headers: Mapping[str, str] | None,
) -> tuple[BodySource, str, CIMultiDict[str]]:
    """Return the body, content type and headers of a reply that is a stream of events."""
    if body or json is not None or payload is not None:
        other = "body" if body else "json" if json is not None else "payload"
        raise ValueError(f"sse and {other} contradict each other: pass one of them")
    fields = build_headers(headers)
    fields.setdefault("Cache-Control", "no-store")
    return sse_stream(sse), content_type or "text/event-stream", fields


def choose_body(body: BodySource | None, json: Any, payload: Any) -> BodySource:
    """Return `json` or `payload`, two names of the same argument, serialised if given, otherwise `body`."""
    if json is None and payload is None:
        return b"" if body is None else body
    if json is not None and payload is not None:
        raise ValueError("json and payload are two names of the same argument; pass one of them")
    name, value = ("payload", payload) if json is None else ("json", json)
    try:
        return json_module.dumps(value)
    except (TypeError, ValueError, RecursionError) as exc:
        kind = TypeError if isinstance(exc, TypeError) else ValueError
        raise kind(
            f"{name} must be a value that json.dumps can serialise, got {describe_value(value)}: {exc}; "
            "convert it, or pass text with body="
        ) from exc


def _body_advice(body: object) -> str:
    """Return the advice for a value that cannot be a body."""
    if isinstance(body, os.PathLike):
        return "write body=path.read_bytes()"
    if hasattr(body, "read"):
        return "write body=file.read()"
    if isinstance(body, bytearray | memoryview):
        return "write body=bytes(...)"
    if isinstance(body, Generator):
        return "write `async def`, or join the parts: body=b''.join(...)"
    return "use payload= to send a value as JSON"


def _check_status(status: object) -> int:
    if status is None:
        return 200
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 999:
        raise ValueError(
            f"status must be an int from 200 to 999 or an http.HTTPStatus, got {describe_value(status)}; "
            "for example status=404"
        )
    return int(status)


def _encode(body: str | bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    try:
        return body.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"body must be a str that can be encoded as UTF-8, got {describe_value(body)}; pass bytes"
        ) from exc
