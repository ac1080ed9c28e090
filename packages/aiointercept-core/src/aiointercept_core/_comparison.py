"""Value matchers: a request's JSON, data or headers compared with the expected value.

The expected value is compared by `expected == actual`, so that `unittest.mock.ANY` and similar objects work.
"""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from multidict import CIMultiDict

from ._format import describe_value
from ._forms import parse_form
from ._matchers import Difference
from ._request import Request
from ._value_difference import value_differences

__all__ = ["JSON", "Data", "Headers", "Missing", "NoBody", "ValueMatcher"]


class NoBody:
    """Stands for the value of a request without a body; equal to `ANY` and the like only."""

    def __repr__(self) -> str:
        return "no body"


class Missing:
    """Stands for the value of a body of another kind; `repr()` says which it is. Not even equal to `ANY`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class ValueMatcher:
    """Matches requests in which the value called `what` is as expected."""

    what: ClassVar[str]

    def __init__(self, expected: Any) -> None:
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.what} {describe_value(self.expected)}"

    @abstractmethod
    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected value and that of `request`, in a form in which they can be compared.

        The latter is `NoBody` or `Missing` if the request has no such value.
        """

    def differences(self, request: Request) -> Iterator[Difference]:
        """Yield the places in which the values differ."""
        expected, actual = self.values(request)
        if isinstance(actual, Missing) or expected != actual:
            yield from value_differences(self.what, expected, actual)


class JSON(ValueMatcher):
    """Matches the JSON value in the body."""

    what = "json"

    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected value and the JSON value in the body."""
        body = request.body
        if not body:
            return self.expected, NoBody()
        try:
            return self.expected, json.loads(body)
        except (ValueError, RecursionError):
            return self.expected, Missing(f"a body that is not JSON: {describe_value(body)}")


class Data(ValueMatcher):
    """Matches the body as bytes, as text, or as a form if a mapping is expected."""

    what = "data"

    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected value, and the body as a value of the same type."""
        expected, body = self.expected, request.body or b""
        if request.body is None and (isinstance(expected, Mapping) or expected):
            return expected, NoBody()
        if isinstance(expected, Mapping):
            return _form_values(expected, body, CIMultiDict(request.headers.items()).get("Content-Type", ""))
        return expected, _as_text(body) if isinstance(expected, str) else body


class Headers(ValueMatcher):
    """Matches the expected headers, and no others if `strict`; names are compared without regard to case."""

    what = "headers"

    def __init__(self, expected: Mapping[str, Any], *, strict: bool) -> None:
        super().__init__(expected)
        self.strict = strict

    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected headers and those of the same names; all headers if `strict` or for `ANY`."""
        received = CIMultiDict(request.headers.items())
        if not isinstance(self.expected, Mapping):
            return self.expected, _singles({name: received.getall(name) for name in dict.fromkeys(received)})
        wanted = CIMultiDict(self.expected.items())
        expected: dict[str, list[Any]] = {name: wanted.getall(name) for name in dict.fromkeys(wanted)}
        actual: dict[str, list[Any]] = {}
        for name, values in expected.items():
            sent = received.popall(name, [])
            if not self.strict and len(values) == 1:
                # If a header was sent several times, one matching value is enough.
                sent = [value for value in sent if values[0] == value][:1] or sent
            if sent:
                actual[name] = sent
        if self.strict:
            for name in dict.fromkeys(received):
                actual[name] = received.getall(name)
        return _singles(expected), _singles(actual)


def _form_values(expected: Mapping[str, Any], body: bytes, content_type: str) -> tuple[Any, Any]:
    form = parse_form(body, content_type)
    if form is None:
        kind = f"with content type {describe_value(content_type)}" if content_type else "without a content type"
        return expected, Missing(f"a body {kind}, which is not a form")
    wanted: dict[str, list[Any]] = {}
    for name, value in expected.items():
        values = value if isinstance(value, list | tuple) else [value]
        wanted.setdefault(name, []).extend(map(_as_sent, values))
    for name, values in wanted.items():
        sent = form.get(name, [])
        sent[:] = [_in_type_of(*pair) for pair in zip(values, sent, strict=False)] + sent[len(values) :]
    return _singles(wanted), _singles(form)


def _as_text(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _as_sent(value: Any) -> Any:
    """Return an expected form value as a form contains it: numbers as text."""
    return str(value) if isinstance(value, int | float) else value


def _in_type_of(expected: Any, sent: str | bytes) -> str | bytes:
    """Return a form value as str or bytes, whichever is expected."""
    if isinstance(expected, bytes) and isinstance(sent, str):
        return sent.encode()
    return _as_text(sent) if isinstance(expected, str) and isinstance(sent, bytes) else sent


def _singles(fields: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
