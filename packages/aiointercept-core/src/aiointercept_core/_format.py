"""Text for messages: values, functions, requests and counts, bounded in length and cost however large they are."""

import functools
import reprlib
from typing import Any

from ._urls import Key

__all__ = [
    "count_of",
    "describe_error",
    "describe_function",
    "describe_key",
    "describe_value",
    "list_of",
    "shorten",
    "unwrap_partials",
]

_LIMIT = 200
_VALUE_LIMIT = 120

_repr = reprlib.Repr()
_repr.maxstring = _VALUE_LIMIT
_repr.maxother = _LIMIT
_repr.maxlevel = 4
_repr.maxdict = 6


def shorten(text: str, limit: int = _LIMIT) -> str:
    """Return `text` with its middle left out if it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}...{text[-half:]}"


def describe_key(key: Key) -> str:
    """Return `METHOD URL`."""
    return f"{shorten(key[0], 40)} {shorten(str(key[1]))}"


def describe_value(value: object) -> str:
    """Return the repr of `value`, shortened."""
    # reprlib builds the whole repr of these before it cuts it.
    if isinstance(value, bytes | bytearray) and len(value) > _VALUE_LIMIT:
        return f"{value[:60]!r}...{value[-30:]!r} ({len(value)} bytes)"
    return shorten(_repr.repr(value))


def describe_function(function: object) -> str:
    """Return the name of a user's function, or of the class of a callable object, with parentheses."""
    function = unwrap_partials(function)
    name = getattr(function, "__qualname__", None)
    name = name if isinstance(name, str) else type(function).__qualname__
    return f"{shorten(name.replace('<locals>.', ''))}()"


def unwrap_partials(function: Any) -> Any:
    """Return the function that a `functools.partial` calls; any other function is returned as it is."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def describe_error(error: BaseException) -> str:
    """Return the type and the message of an exception, shortened."""
    message = shorten(str(error))
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def count_of(number: int, noun: str) -> str:
    """Return the number with its noun: `1 call`, `2 calls`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def list_of(named: list[str], total: int) -> str:
    """Return the texts as a list that ends with how many of `total` are not named."""
    return "; ".join([*named, f"and {total - len(named)} more"] if total > len(named) else named)
