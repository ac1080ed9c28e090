"""Calls: what the caller passed to its session, as tests for aioresponses look at it."""

import copy
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from aiohttp import ClientSession, FormData
from multidict import CIMultiDict
from yarl import URL, Query

import aiointercept_core
from aiointercept_core import MockResponse
from aiointercept_dns import Attempt, Call

__all__ = ["ExpectedCall", "RequestCall", "build_call", "merge_params", "normalize_url"]


class RequestCall(NamedTuple):
    """One call of a session: the arguments behind method and URL, as the caller passed them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class SentData(bytes):
    """What was sent of a stream that was passed as `data`: bytes, and a fresh stream over them for each loop."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self:
            yield bytes(self)


def merge_params(url: str | URL, params: Query = None) -> URL:
    """Return `url` with `params` added to its query."""
    return URL(url).extend_query(params) if params else URL(url)


def normalize_url(url: str | URL) -> URL:
    """Return the URL that stands for all that are the same as `url`, in the spelling of aioresponses."""
    normalised = aiointercept_core.normalize_url(url)
    url = URL(url)
    # An empty path stays empty, which only shows in the text.
    spelt = url.with_query(sorted(url.query.items()))
    return spelt if spelt == normalised else normalised


def build_call(method: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> RequestCall:
    """Return the record of a call, with the defaults that aioresponses fills in."""
    kwargs = {"allow_redirects": True, **options}
    if method == "POST":
        kwargs.setdefault("data", None)
    # What the caller changes later has no part in what it passed.
    return RequestCall(args, {name: _copied(value) for name, value in kwargs.items()})


class ExpectedCall:
    """A call, from when it is made until its request has come: its record, and the reply reserved for it."""

    __slots__ = ("call", "key", "options", "owner", "recorded", "response", "sent")

    def __init__(self, owner: object, attempt: Attempt) -> None:
        self.owner = owner
        self.key = (attempt.request.method.upper(), normalize_url(attempt.url))
        self.options = _options(attempt.call)
        self.call = build_call(self.key[0], attempt.call.args[2:], self.options)
        self.response: MockResponse | None = None
        # What follows a redirect belongs to the same call.
        self.recorded = not attempt.first
        self.sent: Any = self.options.get("data")

    def arrive(self, body: bytes) -> None:
        """Take `body`, as far as it was received, for a stream or file that can be read only once."""
        data = self.options.get("data")
        if _holds_files(data):
            # The copy was made before anything was read.
            self.sent = _copied(self.call.kwargs["data"])
        elif (fresh := _fresh(data, body)) is not None:
            self.sent = fresh
            # The record's own, whatever a callback reads of it.
            self.call.kwargs["data"] = _fresh(data, body)

    def callback_options(self) -> dict[str, Any]:
        """Return the keyword arguments of the call, with `data` as it can be read now."""
        options = {"allow_redirects": True, **self.options}
        if "data" in options:
            options["data"] = self.sent
        return options


def _options(call: Call) -> dict[str, Any]:
    """Return the keyword arguments of `call`, with the session's own headers among the headers."""
    options = {name: value for name, value in call.options.items() if name not in ("method", "str_or_url")}
    if call.session is not None and call.session.headers:
        options["headers"] = _with_session_headers(call.session, options.get("headers"))
    return options


def _with_session_headers(session: ClientSession, headers: Any) -> CIMultiDict[str]:
    merged = CIMultiDict(session.headers)
    given: CIMultiDict[str] = CIMultiDict(headers or {})
    for name in given:
        merged.popall(name, None)
    merged.extend(given)
    return merged


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        # Files, streams, TLS contexts: it stays what it is.
        return value


def _fresh(data: Any, body: bytes) -> Any:
    """Return a stream or file like `data` over `body`; `None` where `data` can be read more than once."""
    if hasattr(data, "__aiter__"):
        return SentData(body)
    if isinstance(data, io.TextIOBase):
        return io.StringIO(body.decode("utf-8", "replace"))
    return io.BytesIO(body) if isinstance(data, io.IOBase) else None


def _holds_files(data: Any) -> bool:
    if isinstance(data, FormData):
        return True
    if isinstance(data, Mapping):
        return any(isinstance(value, io.IOBase) for value in data.values())
    return isinstance(data, list | tuple) and any(
        isinstance(value, io.IOBase) for pair in data if isinstance(pair, list | tuple) for value in pair
    )
