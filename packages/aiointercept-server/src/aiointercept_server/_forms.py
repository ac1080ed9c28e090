"""The fields of a multipart form."""

import io
from collections.abc import AsyncIterator
from typing import TypeAlias

from aiohttp import BodyPartReader, MultipartReader, hdrs, web

__all__ = ["read_fields"]


_Value: TypeAlias = str | bytes | bytearray | web.FileField


async def read_fields(reader: MultipartReader) -> AsyncIterator[tuple[str, _Value]]:
    """Yield the names and the values of the fields; raises `ValueError` for a part that is no field."""
    async for part in reader:
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise ValueError("the form cannot be read: each part of its body must have a name and one value")
        yield part.name, await _read_value(part)


async def _read_value(part: BodyPartReader) -> _Value:
    """Return the value of one part of a multipart form."""
    data = await part.read(decode=True)
    content_type = part.headers.get(hdrs.CONTENT_TYPE)
    if part.filename:
        content_type = content_type or "application/octet-stream"
        return web.FileField(part.name or "", part.filename, io.BytesIO(data), content_type, part.headers)
    if content_type is None or content_type.startswith("text/"):
        return data.decode(part.get_charset(default="utf-8"))
    return data
