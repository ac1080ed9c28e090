"""The places in which two values differ, so that the text is short even if the values are large."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ._format import count_of, describe_value, shorten
from ._matchers import Difference
from ._similarity import common_prefix

__all__ = ["ValueDifferences", "value_differences"]

_MISSING = object()
_CONTEXT = 30
_DEPTH = 20


class ValueDifferences:
    """The places in which two values that are not equal differ, as an iterable: most are never asked for."""

    def __init__(self, where: str, expected: Any, actual: Any) -> None:
        self._values = where, expected, actual

    def __iter__(self) -> Iterator[Difference]:
        return value_differences(*self._values)


def value_differences(where: str, expected: Any, actual: Any, depth: int = _DEPTH) -> Iterator[Difference]:
    """Yield each place in which `actual` differs from `expected`, at least one."""
    found = False
    if depth and isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            a, b = expected.get(key, _MISSING), actual.get(key, _MISSING)
            if a is _MISSING or b is _MISSING or a != b:
                found = True
                yield from value_differences(f"{where}[{describe_value(key)}]", a, b, depth - 1)
    elif depth and _is_list(expected) and _is_list(actual):
        if len(expected) != len(actual):
            found = True
            yield Difference(shorten(where), f"expected {count_of(len(expected), 'item')}, got {len(actual)}")
        for index, (a, b) in enumerate(zip_longest(expected, actual, fillvalue=_MISSING)):
            if a is _MISSING or b is _MISSING or a != b:
                found = True
                yield from value_differences(f"{where}[{index}]", a, b, depth - 1)
    if not found:
        yield Difference(shorten(where), _describe(expected, actual))


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _describe(expected: Any, actual: Any) -> str:
    if actual is _MISSING:
        return f"{describe_value(expected)} is missing"
    if expected is _MISSING:
        return f"{describe_value(actual)} is unexpected"
    if type(expected) is type(actual) and isinstance(expected, str | bytes):
        return _describe_texts(expected, actual)
    return f"expected {describe_value(expected)}, got {describe_value(actual)}"


def _describe_texts(expected: Any, actual: Any) -> str:
    """Return where two texts begin to differ, with the text around it."""
    if len(expected) <= 2 * _CONTEXT and len(actual) <= 2 * _CONTEXT:
        return f"expected {expected!r}, got {actual!r}"
    at = common_prefix(expected, actual)
    start, end = max(0, at - _CONTEXT), at + _CONTEXT
    lengths = "" if len(expected) == len(actual) else f", expected length {len(expected)}, got {len(actual)}"
    return (
        f"differs at index {at}, expected {_excerpt(expected, start, end)}, got {_excerpt(actual, start, end)}{lengths}"
    )


def _excerpt(text: Any, start: int, end: int) -> str:
    return f"{'...' if start else ''}{text[start:end]!r}{'...' if end < len(text) else ''}"
