"""Requests: the protocol that core uses, and a plain class for transports that have no request class of their own."""

import json as json_module
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

__all__ = ["PlainRequest", "Request", "request_details"]


class Request(Protocol):
    """A received request, as far as matching, callbacks and assertions need it.

    `url` is absolute and spelt as the client sent it; `headers` are as sent, including duplicates; `body` is `None` if
    the request has no body.
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
    """A request as a plain value, for a transport that has no request class of its own."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=lambda: CIMultiDictProxy(CIMultiDict()))
    body: bytes | None = None


def request_details(request: Request) -> dict[str, Any]:
    """Return the keyword arguments that a callback gets for `request`.

    `headers` as sent, `query` as `dict[str, list[str]]`, `json` (the parsed body, `None` if it is not JSON) and `data`
    (the body as bytes, or `None`).
    """
    query: dict[str, list[str]] = {}
    for name, value in request.url.query.items():
        query.setdefault(name, []).append(value)
    body = request.body
    try:
        json = json_module.loads(body) if body else None
    except (ValueError, RecursionError):
        json = None
    return {"headers": request.headers, "query": query, "json": json, "data": body}
