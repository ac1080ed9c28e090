"""Requests: the protocol that core uses, and a plain class for transports that have no request class of their own."""

import json as json_module
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ._forms import parse_form

__all__ = ["DETAILS", "PlainRequest", "Request", "RequestT", "header", "request_details"]


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


# Without a type argument, the type of the requests is not checked.
if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    RequestT = TypeVarWithDefault("RequestT", bound=Request, default=Any)
else:
    RequestT = TypeVar("RequestT")

DETAILS = ("headers", "query", "json", "data", "method", "form", "request")


def request_details(request: Request, names: Collection[str] = DETAILS) -> dict[str, Any]:
    """Return the keyword arguments that a callback gets for `request`, as far as they are among `names`.

    `headers` as sent, `query` as `dict[str, list[str]]`, `json` (the parsed body, `None` if it is not JSON), `data`
    (the body as bytes, or `None`), `method`, `form` as `dict[str, list]` (`None` if the body is not a form), `request`.
    """
    details: dict[str, Callable[[], Any]] = {
        "headers": lambda: request.headers,
        "query": lambda: _query(request.url),
        "json": lambda: _json(request.body),
        "data": lambda: request.body,
        "method": lambda: request.method,
        "form": lambda: parse_form(request.body or b"", header(request, "Content-Type")),
        "request": lambda: request,
    }
    return {name: detail() for name, detail in details.items() if name in names}


def header(request: Request, name: str) -> str:
    """Return the first value of a header of `request`, an empty text if it has none."""
    return CIMultiDict(request.headers.items()).get(name, "")


def _query(url: URL) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for name, value in url.query.items():
        query.setdefault(name, []).append(value)
    return query


def _json(body: bytes | None) -> Any:
    try:
        return json_module.loads(body) if body else None
    except (ValueError, RecursionError):
        return None
