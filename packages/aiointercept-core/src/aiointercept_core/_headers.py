"""Header fields of a reply: checked when they are registered, so that nothing breaks on the wire."""

import re
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

__all__ = ["TOKEN", "build_headers", "reject_line_breaks"]

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BREAKS = re.compile(r"[\r\n\0]")


def build_headers(headers: Mapping[Any, Any] | None) -> CIMultiDict[str]:
    """Return a copy of `headers` that keeps order, case and, of a multidict, duplicates.

    Raises `TypeError` where `headers` is no mapping of `str` to `str`, `ValueError` where a name is no HTTP token
    or a value holds CR, LF or NUL.
    """
    if headers is None:
        return CIMultiDict()
    if not isinstance(headers, Mapping):
        raise TypeError(
            f"headers: expected a mapping of str to str, got {headers!r}; use a dict, or a multidict for duplicates"
        )
    fields: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"headers: expected str names and values, got {name!r}: {value!r}; convert them with str()")
        if not TOKEN.fullmatch(name):
            raise ValueError(
                f"headers: {name!r} is no HTTP header name; use letters, digits and !#$%&'*+-.^_`|~ (no CR, LF or NUL)"
            )
        reject_line_breaks(value, f"headers: the value of {name!r}")
        fields.add(name, value)
    return fields


def reject_line_breaks(text: str, what: str) -> None:
    """Raise `ValueError` where `text` holds CR, LF or NUL, which would end the header line early."""
    if _BREAKS.search(text):
        raise ValueError(f"{what} may not hold CR, LF or NUL, got {text!r}; remove them")
