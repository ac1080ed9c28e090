"""Wording: values, keys and counts in words, bounded in length and in cost however large they are."""

import reprlib

from ._url import Key

__all__ = ["count_of", "describe_key", "describe_value", "shorten"]

_LIMIT = 200
_VALUE_LIMIT = 120

_repr = reprlib.Repr()
_repr.maxstring = _VALUE_LIMIT
_repr.maxother = _LIMIT
_repr.maxlevel = 4
_repr.maxdict = 6


def shorten(text: str, limit: int = _LIMIT) -> str:
    """Return `text`, its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}...{text[-half:]}"


def describe_key(key: Key) -> str:
    """Return `METHOD URL`."""
    return f"{shorten(key[0], 40)} {shorten(str(key[1]))}"


def describe_value(value: object) -> str:
    """Return the repr of `value`."""
    # reprlib renders the whole of these before it cuts them.
    if isinstance(value, bytes | bytearray) and len(value) > _VALUE_LIMIT:
        return f"{value[:60]!r}...{value[-30:]!r} ({len(value)} bytes)"
    return shorten(_repr.repr(value))


def count_of(number: int, noun: str) -> str:
    """Return the number with its noun: `1 call`, `2 calls`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
