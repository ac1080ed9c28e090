"""Header fields of a reply, checked when they are registered, so that the reply can be sent later."""

import re
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from ._format import describe_value

__all__ = ["TOKEN", "build_headers", "check_text"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# All that a head cannot contain: clients and servers refuse it, or take it for the end of a line.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def build_headers(headers: Mapping[Any, Any] | None) -> CIMultiDict[str]:
    """Return a copy of `headers` in their order; raise `TypeError` or `ValueError` if they cannot be sent."""
    if headers is None:
        return CIMultiDict()
    if not isinstance(headers, Mapping):
        raise TypeError(
            f"headers must be a mapping of str to str, got {describe_value(headers)}; "
            "pass a dict, or a multidict for duplicates"
        )
    fields: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            message = f"headers must have str names and values, got {describe_value(name)}: {describe_value(value)}"
            if isinstance(value, list | tuple):
                pair = f"({describe_value(name)}, ...)"
                message += f"; pass a multidict for several headers of one name: CIMultiDict([{pair}, {pair}])"
            else:
                message += "; write both as str"
            raise TypeError(message)
        if not TOKEN.fullmatch(name):
            raise ValueError(
                f"headers: {describe_value(name)} is not a valid header name; use letters, digits and !#$%&'*+-.^_`|~"
            )
        check_text(f"headers: the value of {name!r}", value)
        fields.add(name, value)
    return fields


def check_text(what: str, text: object) -> str | None:
    """Return `text`; raise `TypeError` or `ValueError` if it cannot be sent in the head of a reply."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, got {describe_value(text)}; convert it with str()")
    if _CONTROL.search(text):
        raise ValueError(f"{what} must not contain control characters other than TAB, got {describe_value(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"{what} must be text that can be encoded as UTF-8, got {describe_value(text)}; remove the lone surrogates"
        ) from exc
    return text
