"""Reply templates: what a registration or a callback gives, checked and encoded once, made into a reply per request.

All rules on what a reply may hold stand here, so that a mistake is told where it is made and not on the wire.
"""

import inspect
import json as json_module
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping

from ._content_coding import decode_body
from ._headers import build_headers, reject_line_breaks
from ._reply import BodySource, CallbackResult, Response, Stream

__all__ = ["ReplyTemplate", "build_template", "template_from_result"]

_BODY_TYPES = "str, bytes, an async iterable of bytes, or a function that returns a fresh one for each reply"


@dataclass(frozen=True, slots=True)
class ReplyTemplate:
    """A checked reply; its body is bytes, an async iterable, or a function that makes one for each reply."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes | AsyncIterable[bytes] | Callable[[], Any]
    bodiless: bool

    @property
    def one_shot(self) -> bool:
        """Whether the body can be sent only once: an iterator is used up by its first reply."""
        return isinstance(self.body, AsyncIterator)

    def fixed(self) -> Response | None:
        """Return the one reply that serves every request, or `None` where each needs its own."""
        if isinstance(self.body, bytes):
            return Response(self.status, self.reason, self.headers, self.body)
        return None

    async def make(self) -> Response | Stream:
        """Return a reply with a fresh body; what the user's body function raises is raised."""
        body: Any = self.body
        if callable(body):
            body = body()
            if inspect.isawaitable(body):
                body = await body
        if isinstance(body, str | bytes):
            body = _encode(body)
            if not self.bodiless:
                _check_framing(self.headers, body)
            return Response(self.status, self.reason, self.headers, body)
        if isinstance(body, AsyncIterable):
            return Stream(self.status, self.reason, self.headers, body)
        raise TypeError(f"body: expected the function to return str, bytes or an async iterable of bytes, got {body!r}")


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
) -> ReplyTemplate:
    """Check and encode one reply to a request with `method`.

    `lenient` drops headers that contradict the body instead of refusing them. Raises `TypeError` or `ValueError`
    saying what was expected, what came and how to fix it.
    """
    status = _check_status(status)
    if payload is not None:
        body = _serialise(payload)
    elif body is None:
        body = b""
    elif isinstance(body, str | bytes):
        body = _encode(body)
    elif not isinstance(body, AsyncIterable) and not callable(body):
        raise TypeError(
            f"body: expected {_BODY_TYPES}, got {body!r}; use payload= for a value that is to be sent as JSON"
        )
    fields = build_headers(headers)
    if "Content-Type" not in fields:
        fields["Content-Type"] = _check_text("content_type", content_type) or "application/json"
    # To HEAD, 204 and 304 the headers describe a body that is not sent, so that any value may be true.
    bodiless = method == "HEAD" or status in (204, 304)
    if lenient and not bodiless:
        _drop_contradictions(fields, body)
    if not bodiless:
        codings = fields.popall("Transfer-Encoding", [])
        for coding in codings:
            if coding.strip().lower() != "chunked":
                raise ValueError(
                    f"headers: expected Transfer-Encoding 'chunked' or none, got {coding!r}; leave the header out"
                )
        if isinstance(body, bytes):
            _check_framing(fields, body)
        elif codings:
            # Both headers at once contradict each other; a stream is sent chunked.
            fields.popall("Content-Length", None)
    return ReplyTemplate(status, _check_text("reason", reason), CIMultiDictProxy(fields), body, bodiless)


def template_from_result(result: object, method: str, callback: object, *, lenient: bool = False) -> ReplyTemplate:
    """Check and encode what `callback` returned for a request with `method`."""
    if not isinstance(result, CallbackResult):
        raise TypeError(f"callback {callback!r}: expected it to return a CallbackResult, got {result!r}")
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


def _check_status(status: object) -> int:
    if status is None:
        return 200
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 999:
        raise ValueError(f"status: expected an int from 200 to 999 or an http.HTTPStatus, got {status!r}")
    return int(status)


def _check_text(name: str, text: object) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected a str, got {text!r}")
    reject_line_breaks(text, name)
    return text


def _encode(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body


def _serialise(payload: object) -> bytes:
    try:
        return json_module.dumps(payload).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise type(exc)(
            f"payload: expected a value that json.dumps can serialise, got {payload!r:.200}; "
            "convert it, or pass text with body="
        ) from exc


def _check_framing(fields: MultiMapping[str], body: bytes) -> None:
    """Refuse headers that would make a reply with this `body` unreadable."""
    for length in fields.getall("Content-Length", []):
        if length.strip() != str(len(body)):
            raise ValueError(
                f"headers: expected Content-Length {len(body)}, the length of the body, got {length!r}; "
                "leave the header out, it is set by itself"
            )
    coding = ",".join(fields.getall("Content-Encoding", []))
    if coding and body:
        try:
            decode_body(body, coding)
        except ValueError as exc:
            raise ValueError(
                f"headers: expected a body encoded as Content-Encoding {coding!r} says, got {body[:40]!r}; "
                "leave the header out, or encode the body"
            ) from exc


def _drop_contradictions(fields: CIMultiDict[str], body: object) -> None:
    """Drop the headers about a body that are not true of `body`."""
    fields.popall("Transfer-Encoding", None)
    if not isinstance(body, bytes):
        fields.popall("Content-Length", None)
        return
    for name in ("Content-Length", "Content-Encoding"):
        try:
            _check_framing(CIMultiDict((name, value) for value in fields.getall(name, [])), body)
        except ValueError:
            fields.popall(name)
