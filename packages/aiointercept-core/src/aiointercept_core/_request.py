"""Requests: what the registry asks of one, and a plain value for transports that have none of their own."""

import json as json_module
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

__all__ = ["PlainRequest", "Request", "load_json", "request_details"]

_JSON = json_module.JSONDecoder()


class Request(Protocol):
    """A received request: all that matching, callbacks and assertions look at.

    `url` is absolute and as the client asked for it; `headers` are as sent, duplicates included; `body` is `None`
    where the request had none.
    """

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> URL: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request as a plain value, for a custom transport that has no request object of its own."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=lambda: CIMultiDictProxy(CIMultiDict()))
    body: bytes | None = None


def request_details(request: Request) -> dict[str, Any]:
    """Return the keyword arguments that a callback gets for `request`.

    `headers` as received, `query` as `dict[str, list[str]]`, `json` (the parsed body, `None` where it is not
    JSON) and `data` (the body as bytes, or `None`).
    """
    query: dict[str, list[str]] = {}
    for name, value in request.url.query.items():
        query.setdefault(name, []).append(value)
    body = request.body
    return {"headers": request.headers, "query": query, "json": _parse_json(body), "data": body}


def load_json(body: bytes) -> Any:
    """Return the value that `body` holds as JSON; raises `ValueError` or `RecursionError` where it holds none."""
    try:
        # Almost always. To find out how bytes are encoded, and to look for space, takes longer than a small body.
        text = body.decode()
        value, end = _JSON.raw_decode(text)
        if end == len(text):
            return value
    except ValueError:
        pass
    return json_module.loads(body)


def _parse_json(body: bytes | None) -> Any:
    """Return the value that `body` holds as JSON, or `None` where it holds none."""
    if not body:
        return None
    try:
        return load_json(body)
    except (ValueError, RecursionError):
        return None
