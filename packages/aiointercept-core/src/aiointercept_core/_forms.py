"""The fields of an urlencoded or multipart form."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote

__all__ = ["as_text", "parse_form"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_CRLF = b"\r\n"
# White space after the boundary; then the headers, an empty line and the content.
_PART = re.compile(rb"[ \t]*\r\n(?:(?P<head>.*?)\r\n)?\r\n(?P<content>.*)", re.DOTALL)
_HEADER_END = re.compile(rb"\r\n(?![ \t])")
_PARAMETER = re.compile(r';\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))')
_ESCAPED = re.compile(r"\\(.)")


def parse_form(body: bytes, content_type: str) -> dict[str, list[str | bytes]] | None:
    """Return the fields of a form with their values, `None` if `content_type` is not that of a form.

    A multipart value is a str, or bytes if it is a file or not UTF-8.
    """
    fields: dict[str, list[str | bytes]] = {}
    match content_type.partition(";")[0].strip().lower():
        case "application/x-www-form-urlencoded":
            for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
                fields.setdefault(name, []).append(value)
        case "multipart/form-data":
            for name, content in _parts(body, _parameters(content_type).get("boundary", "")):
                fields.setdefault(name, []).append(content)
        case _:
            return None
    return fields


def _parts(body: bytes, boundary: str) -> Iterator[tuple[str, str | bytes]]:
    delimiter = _CRLF + b"--" + boundary.encode("utf-8", "surrogateescape")
    for part in (_CRLF + body).split(delimiter)[1:]:
        match = _PART.fullmatch(part)
        # The last boundary is followed by two dashes.
        if match is None:
            return
        for header in _HEADER_END.split(match["head"] or b""):
            field, _, value = header.decode("utf-8", "surrogateescape").partition(":")
            parameters = _parameters(value)
            if field.strip().lower() == "content-disposition" and "name" in parameters:
                content = match["content"]
                yield parameters["name"], content if "filename" in parameters else as_text(content)


def _parameters(header: str) -> dict[str, str]:
    """Return the parameters of a header value, including those written as `name*=utf-8''%C3%BC`."""
    parameters = {}
    for name, quoted, plain in _PARAMETER.findall(header):
        if name.endswith("*"):
            value = unquote(plain.rpartition("'")[2], errors="replace")
        else:
            value = _ESCAPED.sub(r"\1", quoted) or plain.strip()
        parameters[name.lower().rstrip("*")] = value
    return parameters


def as_text(content: bytes) -> str | bytes:
    """Return `content` as a str, or as bytes if it is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
