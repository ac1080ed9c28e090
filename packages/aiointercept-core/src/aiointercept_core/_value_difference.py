"""What differs between two values: the places, not the whole, so that the text is bounded."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._nearness import common_prefix
from ._wording import describe_value

__all__ = ["value_differences"]

_MISSING = object()
_CONTEXT = 30


def value_differences(where: str, expected: Any, actual: Any) -> Iterator[str]:
    """Yield one line for each place in which `actual` differs from `expected`."""
    if expected is not _MISSING and actual is not _MISSING and expected == actual:
        return
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            yield from value_differences(f"{where}[{key!r}]", expected.get(key, _MISSING), actual.get(key, _MISSING))
    elif _is_list(expected) and _is_list(actual):
        for index in range(max(len(expected), len(actual))):
            yield from value_differences(
                f"{where}[{index}]",
                expected[index] if index < len(expected) else _MISSING,
                actual[index] if index < len(actual) else _MISSING,
            )
    elif actual is _MISSING:
        yield f"{where}: expected {describe_value(expected)}, got nothing"
    elif expected is _MISSING:
        yield f"{where}: expected nothing, got {describe_value(actual)}"
    elif type(expected) is type(actual) and isinstance(expected, str | bytes):
        yield _text_difference(where, expected, actual)
    else:
        yield f"{where}: expected {describe_value(expected)}, got {describe_value(actual)}"


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _text_difference(where: str, expected: Any, actual: Any) -> str:
    """Say at which index two texts begin to differ, with what stands around it."""
    low = common_prefix(expected, actual)
    start, end = max(0, low - _CONTEXT), low + _CONTEXT
    return f"{where}: differs at index {low}: expected {expected[start:end]!r}, got {actual[start:end]!r}"
