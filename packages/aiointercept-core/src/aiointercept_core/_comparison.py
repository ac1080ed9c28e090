"""Comparison of a recorded request with what a test expects of it.

Each function returns two values to compare: what is expected, and what came in the same shape.
"""

from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from ._form import parse_form
from ._request import Request, load_json
from ._wording import describe_value

__all__ = ["Absent", "comparable_data", "comparable_headers", "comparable_json"]


class Absent:
    """What came instead of a value of the kind that is expected: equal to nothing, not even to `ANY`."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


def comparable_json(expected: Any, request: Request) -> tuple[Any, Any]:
    """Return the JSON value in the body of `request` beside the one expected."""
    body = request.body
    if not body:
        return expected, Absent("no body")
    try:
        return expected, load_json(body)
    except (ValueError, RecursionError):
        return expected, Absent(f"a body that is no JSON: {describe_value(body)}")


def comparable_data(expected: Any, request: Request) -> tuple[Any, Any]:
    """Return the body of `request` as bytes, text or the fields of a form, as is expected."""
    if request.body is None and (isinstance(expected, Mapping) or expected):
        return expected, Absent("no body")
    body = request.body or b""
    if isinstance(expected, str):
        return expected, _as_text(body)
    if not isinstance(expected, Mapping):
        return expected, body
    headers = CIMultiDict(request.headers.items())
    content_type = headers.get("Content-Type", "")
    form = parse_form(body, content_type)
    if form is None:
        kind = f"of content type {describe_value(content_type)}" if content_type else "without a content type"
        return expected, Absent(f"a body {kind}, which is no form")
    wanted: dict[str, list[Any]] = {}
    for name, value in expected.items():
        values = value if isinstance(value, list | tuple) else [value]
        wanted.setdefault(name, []).extend(map(_as_sent, values))
    for name, values in wanted.items():
        sent = form.get(name, [])
        sent[:] = [_in_type_of(*pair) for pair in zip(values, sent, strict=False)] + sent[len(values) :]
    return _singles(wanted), _singles(form)


def comparable_headers(expected: Mapping[str, Any], request: Request, *, strict: bool) -> tuple[Any, Any]:
    """Return the headers of `request` that are expected, all of them if `strict`."""
    wanted = CIMultiDict(expected.items())
    received = CIMultiDict(request.headers.items())
    expect: dict[str, list[Any]] = {name: wanted.getall(name) for name in dict.fromkeys(wanted)}
    got: dict[str, list[Any]] = {}
    for name, values in expect.items():
        sent = received.popall(name, [])
        if not strict and len(values) == 1:
            # Of several values sent under one name, one that fits is enough.
            sent = [value for value in sent if values[0] == value][:1] or sent
        if sent:
            got[name] = sent
    if strict:
        for name in dict.fromkeys(received):
            got[name] = received.getall(name)
    return _singles(expect), _singles(got)


def _as_text(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _as_sent(value: Any) -> Any:
    """Return a form value as a form holds it: numbers as text."""
    return str(value) if isinstance(value, int | float) else value


def _in_type_of(expected: Any, sent: str | bytes) -> str | bytes:
    """Return a form value as text or as bytes, whichever is expected."""
    if isinstance(expected, bytes) and isinstance(sent, str):
        return sent.encode()
    return _as_text(sent) if isinstance(expected, str) and isinstance(sent, bytes) else sent


def _singles(fields: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
