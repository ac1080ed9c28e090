"""Header fields of a reply: checked when they are registered, so that nothing breaks on the wire."""

import re
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from ._wording import describe_value

__all__ = ["TOKEN", "build_headers", "check_text"]

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
            f"headers: expected a mapping of str to str, got {describe_value(headers)}; "
            "use a dict, or a multidict for duplicates"
        )
    fields: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"headers: expected str names and values, got {describe_value(name)}: {describe_value(value)}; "
                "convert them with str()"
            )
        if not TOKEN.fullmatch(name):
            raise ValueError(
                f"headers: {describe_value(name)} is no HTTP header name; "
                "use letters, digits and !#$%&'*+-.^_`|~ (no CR, LF or NUL)"
            )
        check_text(f"headers: the value of {name!r}", value)
        fields.add(name, value)
    return fields


def check_text(what: str, text: object) -> str | None:
    """Return `text`, if it is `None` or a str that can stand in the head of a reply.

    Raises `TypeError` for another type, `ValueError` where it holds CR, LF or NUL, which would end the line early, or
    cannot be encoded.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{what}: expected a str, got {describe_value(text)}; convert it with str()")
    # Most texts, and found out faster than by what follows.
    if text.isascii() and text.isprintable():
        return text
    if _BREAKS.search(text):
        raise ValueError(f"{what} may not hold CR, LF or NUL, got {describe_value(text)}; remove them")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"{what}: expected a text that can be encoded as UTF-8, got {describe_value(text)}; remove lone surrogates"
        ) from exc
    return text
