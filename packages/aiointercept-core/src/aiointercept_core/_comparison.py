"""Value matchers: a request's JSON, data, headers or query compared with the expected value.

The expected value is compared by `expected == actual`, so that `unittest.mock.ANY` and similar objects work.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from enum import Enum
from numbers import Number
from typing import Any, ClassVar

from multidict import CIMultiDict, MultiDict

from ._format import describe_value
from ._forms import as_text, parse_form
from ._matchers import Difference
from ._request import Request, header
from ._value_difference import ValueDifferences

__all__ = [
    "JSON",
    "Body",
    "Data",
    "Form",
    "Headers",
    "Missing",
    "NoBody",
    "Query",
    "TextPattern",
    "ValueMatcher",
    "json_value",
]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


class NoBody:
    """Stands for the value of a request without a body; equal to `ANY` and the like only."""

    def __repr__(self) -> str:
        return "no body"


class Missing:
    """Stands for the value of a body of another kind; `repr()` says which it is. Equal to `ANY` and the like only."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class TextPattern:
    """Stands for the texts that a compiled pattern matches from the start; equal to each of them."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.pattern = pattern

    def __repr__(self) -> str:
        return f"pattern {self.pattern.pattern!r}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TextPattern):
            return self.pattern == other.pattern
        text = _in_type_of(self.pattern.pattern, other) if isinstance(other, str | bytes) else None
        return isinstance(text, type(self.pattern.pattern)) and self.pattern.match(text) is not None

    def __hash__(self) -> int:
        return hash(self.pattern)


class ValueMatcher:
    """Matches requests in which the value called `what` is as expected.

    Two are equal if they expect the same plain data of the same types, or the very same objects.
    """

    what: ClassVar[str]
    needs_body: ClassVar[bool] = True

    def __init__(self, expected: Any) -> None:
        self.expected = expected

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValueMatcher) and type(self) is type(other) and _same(self._wanted, other._wanted)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return f"{self.what} {describe_value(self.expected)}"

    @property
    def _wanted(self) -> Any:
        """The expected value in one of the spellings that mean the same."""
        return self.expected

    @abstractmethod
    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected value and that of `request`, in a form in which they can be compared.

        The latter is `NoBody` or `Missing` if the request has no such value.
        """

    def differences(self, request: Request) -> Iterable[Difference]:
        """Return the places in which the values differ; they are looked for when they are listed."""
        return self.compare(*self.values(request))

    def compare(self, expected: Any, actual: Any) -> Iterable[Difference]:
        """Return the places in which two values differ, given as `values` returns them."""
        return ValueDifferences(self.what, expected, actual) if expected != actual else ()


class JSON(ValueMatcher):
    """Matches the JSON value in the body."""

    what = "json"

    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected value and the JSON value in the body."""
        return self.expected, json_value(request.body)


def json_value(body: bytes | None) -> Any:
    """Return the JSON value in a body, `NoBody` or `Missing` if there is none."""
    if not body:
        return NoBody()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return Missing(f"a body that is not JSON: {describe_value(body)}")


class Data(ValueMatcher):
    """Matches the body as bytes, as text, or as a form if a mapping is expected."""

    what = "data"

    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected value, and the body as a value of the same type."""
        expected, body = self.expected, request.body or b""
        if isinstance(expected, Mapping) and request.body is not None:
            return _form_values(expected, body, header(request, "Content-Type"))
        actual = as_text(body) if isinstance(expected, str | TextPattern) else body
        return expected, NoBody() if request.body is None and expected != actual else actual


class Form(Data):
    """Matches the body as a form."""

    what = "form"

    @property
    def _wanted(self) -> dict[str, list[Any]]:
        return _lists(self.expected)


class Body(Data):
    """Matches the body as bytes or as text."""

    what = "body"


class Headers(ValueMatcher):
    """Matches the expected headers, and no others if `strict`; names are compared without regard to case."""

    what = "headers"
    needs_body = False

    def __init__(self, expected: Mapping[str, Any], *, strict: bool = False) -> None:
        super().__init__(expected)
        self.strict = strict

    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected headers and those of the same names; all headers if `strict` or for `ANY`."""
        received = CIMultiDict(request.headers.items())
        if not isinstance(self.expected, Mapping):
            return self.expected, _singles({name: received.getall(name) for name in _names(received)})
        wanted = CIMultiDict(self.expected.items())
        expected = {name: _listed(wanted.getall(name)) for name in _names(wanted)}
        actual: dict[str, list[Any]] = {}
        for name, values in expected.items():
            sent = received.popall(name, [])
            if not self.strict:
                sent = _equal_values(values, sent)
            if sent:
                actual[name] = sent
        if self.strict:
            for name in _names(received):
                actual[name] = received.getall(name)
        return _singles(expected), _singles(actual)

    @property
    def _wanted(self) -> dict[str, list[Any]]:
        wanted = CIMultiDict(self.expected.items())
        return {name.lower(): wanted.getall(name) for name in _names(wanted)}


def _names(headers: CIMultiDict[Any]) -> Iterable[str]:
    """Return each name once, in one of its spellings."""
    return {name.lower(): name for name in headers}.values()


class Query(ValueMatcher):
    """Matches queries that hold the expected pairs, whatever else they hold."""

    what = "query"
    needs_body = False

    def __str__(self) -> str:
        return super().__str__() if self.expected else "any query"

    def values(self, request: Request) -> tuple[Any, Any]:
        """Return the expected pairs and those of the same names."""
        received, wanted = MultiDict(request.url.query), self._wanted
        actual = {
            name: _equal_values(values, received.getall(name)) for name, values in wanted.items() if name in received
        }
        return _singles(wanted), _singles(actual)

    @property
    def _wanted(self) -> dict[str, list[Any]]:
        return _lists(self.expected)


def _same(expected: Any, other: Any) -> bool:
    """Return whether two expected values are equal plain data of equal types, or the same object."""
    if expected is other:
        return True
    if type(expected) is not type(other):
        return False
    if isinstance(expected, str | bytes | int | float | TextPattern):
        return bool(expected == other)
    if type(expected) is dict:
        return expected.keys() == other.keys() and all(_same(value, other[name]) for name, value in expected.items())
    if type(expected) in (list, tuple):
        return len(expected) == len(other) and all(map(_same, expected, other))
    return False


def _equal_values(values: list[Any], sent: list[Any]) -> list[Any]:
    """Return those of `sent` that equal `values`, one for each; all of `sent` if some are missing."""
    equal = [[index for index, other in enumerate(sent) if value == other] for value in values]
    chosen: dict[int, int] = {}
    # The value that equals the fewest comes first, so that `ANY` leaves it what it needs.
    for place in sorted(range(len(values)), key=lambda place: len(equal[place])):
        left = [index for index in equal[place] if index not in chosen.values()]
        if not left:
            return sent
        chosen[place] = left[0]
    return [sent[chosen[place]] for place in range(len(values))]


def _listed(values: Iterable[Any]) -> list[Any]:
    """Return the values with lists of values in place of which their items stand."""
    return [each for value in values for each in (value if isinstance(value, list | tuple) else [value])]


def _lists(expected: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each name as a list, numbers as text: fields of a form or pairs of a query."""
    wanted: dict[str, list[Any]] = {}
    for name, value in expected.items():
        wanted.setdefault(name, []).extend(map(_as_sent, _listed([value])))
    return wanted


def _form_values(expected: Mapping[str, Any], body: bytes, kind: str) -> tuple[Any, Any]:
    form = parse_form(body, kind)
    if form is None:
        described = f"with content type {describe_value(kind)}" if kind else "without a content type"
        return expected, Missing(f"a body {described}, which is not a form")
    wanted = _lists(expected)
    for name, values in wanted.items():
        sent = form.get(name, [])
        sent[:] = [_in_type_of(*pair) for pair in zip(values, sent, strict=False)] + sent[len(values) :]
    return _singles(wanted), _singles(form)


def _as_sent(value: Any) -> Any:
    """Return an expected value as a form or a query contains it: numbers as text."""
    value = value.value if isinstance(value, Enum) else value
    return str(value) if isinstance(value, Number) else value


def _in_type_of(expected: Any, sent: str | bytes) -> str | bytes:
    """Return a form value as str or bytes, whichever is expected."""
    if isinstance(expected, bytes) and isinstance(sent, str):
        return sent.encode()
    return as_text(sent) if isinstance(expected, str) and isinstance(sent, bytes) else sent


def _singles(fields: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
