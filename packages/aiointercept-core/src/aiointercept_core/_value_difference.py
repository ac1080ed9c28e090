"""What differs between two values: the places, not the whole, so that the text is bounded."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ._nearness import common_prefix
from ._wording import count_of, describe_value, shorten

__all__ = ["value_differences"]

_MISSING = object()
_CONTEXT = 30
_DEPTH = 20


def value_differences(where: str, expected: Any, actual: Any, depth: int = _DEPTH) -> Iterator[str]:
    """Yield one line for each place in which `actual` differs from `expected`, at least one."""
    found = False
    if depth and isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            one, other = expected.get(key, _MISSING), actual.get(key, _MISSING)
            if one is _MISSING or other is _MISSING or one != other:
                found = True
                yield from value_differences(f"{where}[{describe_value(key)}]", one, other, depth - 1)
    elif depth and _is_list(expected) and _is_list(actual):
        if len(expected) != len(actual):
            found = True
            yield f"{shorten(where)}: expected {count_of(len(expected), 'item')}, got {len(actual)}"
        for index, (one, other) in enumerate(zip_longest(expected, actual, fillvalue=_MISSING)):
            if one is _MISSING or other is _MISSING or one != other:
                found = True
                yield from value_differences(f"{where}[{index}]", one, other, depth - 1)
    if found:
        return
    where = shorten(where)
    if type(expected) is type(actual) and isinstance(expected, str | bytes):
        yield _text_difference(where, expected, actual)
    else:
        yield f"{where}: expected {_describe(expected)}, got {_describe(actual)}"


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _text_difference(where: str, expected: Any, actual: Any) -> str:
    """Say where two texts begin to differ, with what stands around it."""
    if len(expected) <= 2 * _CONTEXT and len(actual) <= 2 * _CONTEXT:
        return f"{where}: expected {expected!r}, got {actual!r}"
    at = common_prefix(expected, actual)
    start, end = max(0, at - _CONTEXT), at + _CONTEXT
    lengths = "" if len(expected) == len(actual) else f", expected length {len(expected)}, got {len(actual)}"
    return (
        f"{where}: differs at index {at}, expected {_excerpt(expected, start, end)}, "
        f"got {_excerpt(actual, start, end)}{lengths}"
    )


def _excerpt(text: Any, start: int, end: int) -> str:
    return f"{'...' if start else ''}{text[start:end]!r}{'...' if end < len(text) else ''}"


def _describe(value: Any) -> str:
    return "nothing" if value is _MISSING else describe_value(value)
