"""Calls: what the caller passed to its session, as tests for aioresponses look at it."""

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from aiohttp import ClientSession
from multidict import CIMultiDict
from yarl import URL, Query

from aiointercept_dns import Call
from aiointercept_server import AiointerceptRequest

__all__ = ["RequestCall", "build_call", "call_options", "merge_params"]


class RequestCall(NamedTuple):
    """One call of a session: the arguments behind method and URL, as the caller passed them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class _SentStream:
    """The stream that was passed as `data`, as a fresh one over what was sent of it."""

    def __init__(self, request: AiointerceptRequest) -> None:
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._request.captured_body
        if body:
            yield body


def merge_params(url: str | URL, params: Query = None) -> URL:
    """Return `url` with `params` added to its query."""
    return URL(url).extend_query(params) if params else URL(url)


def call_options(call: Call, request: AiointerceptRequest) -> dict[str, Any]:
    """Return the keyword arguments of `call`, with the session's own headers among the headers."""
    options = dict(call.options)
    if hasattr(options.get("data"), "__aiter__"):
        options["data"] = _SentStream(request)
    if call.session is not None and call.session.headers:
        options["headers"] = _with_session_headers(call.session, options.get("headers"))
    return options


def build_call(method: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> RequestCall:
    """Return the record of a call, with the defaults that aioresponses fills in."""
    kwargs = {"allow_redirects": True, **options}
    if method == "POST":
        kwargs.setdefault("data", None)
    try:
        # What the caller changes later has no part in what it passed.
        return RequestCall(args, copy.deepcopy(kwargs))
    except (TypeError, ValueError):
        return RequestCall(args, kwargs)


def _with_session_headers(session: ClientSession, headers: Any) -> CIMultiDict[str]:
    merged = CIMultiDict(session.headers)
    given: CIMultiDict[str] = CIMultiDict(headers or {})
    for name in given:
        merged.popall(name, None)
    merged.extend(given)
    return merged
