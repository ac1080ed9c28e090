"""Forms: the fields of an urlencoded or multipart body."""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["parse_form"]


def parse_form(body: bytes, content_type: str) -> dict[str, list[str | bytes]] | None:
    """Return the fields of a form, `None` where `content_type` names none.

    A multipart field is text, or bytes where it is a file or not UTF-8.
    """
    kind = content_type.partition(";")[0].strip().lower()
    fields: dict[str, list[str | bytes]] = {}
    if kind == "application/x-www-form-urlencoded":
        for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
            fields.setdefault(name, []).append(value)
        return fields
    if kind != "multipart/form-data":
        return None
    head = f"Content-Type: {content_type}\r\n\r\n".encode("utf-8", "surrogateescape")
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        field = part.get_param("name", header="Content-Disposition")
        content: Any = part.get_payload(decode=True)
        if isinstance(field, str):
            fields.setdefault(field, []).append(content if part.get_filename() else _text(content))
    return fields


def _text(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
