"""Calls: what the caller passed to its session, in the form in which aioresponses records it."""

import copy
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from aiohttp import ClientSession, FormData
from multidict import CIMultiDict
from yarl import URL, Query

import aiointercept_core
from aiointercept_core import RequestLog, Route
from aiointercept_dns import OutgoingRequest

__all__ = ["CallLog", "PendingCall", "RequestCall", "build_call", "describe_call", "merge_params", "normalize_url"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


class RequestCall(NamedTuple):
    """One call of a session: the arguments after method and URL, as the caller passed them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class CallLog(RequestLog[RequestCall]):
    """Recorded calls by `(METHOD, URL)`. The method is spelt as the caller spelt it, and is found in any spelling."""

    def find_key(self, key: Any) -> tuple[str, URL]:
        """Return the key of `key` with the method in the spelling in which it was recorded."""
        normalised = super().find_key(key)
        spelt = (key[0], normalised[1])
        if dict.__contains__(self, spelt):
            return spelt
        return next((other for other in self if (other[0].upper(), other[1]) == normalised), normalised)


class SentData(bytes):
    """The bytes that were sent of a stream passed as `data`, and a new stream over them for each loop."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self:
            yield bytes(self)


def merge_params(url: str | URL, params: Query = None) -> URL:
    """Return `url` with `params` added to its query."""
    return URL(url).extend_query(params) if params else URL(url)


def normalize_url(url: str | URL) -> URL:
    """Return `url` in normalised form, in the spelling of aioresponses."""
    normalised = aiointercept_core.normalize_url(url)
    url = URL(url)
    # An empty path stays empty, which only shows in the text.
    spelt = url.with_query(sorted(url.query.items()))
    return spelt if spelt == normalised else normalised


def build_call(method: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> RequestCall:
    """Return the record of a call, with the defaults that aioresponses fills in, in its order."""
    kwargs = {name: value for name, value in options.items() if name != "allow_redirects"}
    kwargs["allow_redirects"] = options.get("allow_redirects", True)
    if method == "POST":
        kwargs.setdefault("data", None)
    # Copied, because the caller may change its objects later.
    return RequestCall(args, {name: _copied(value) for name, value in kwargs.items()})


class PendingCall:
    """A call whose request has not been answered yet: its record, and the route reserved for it."""

    def __init__(self, request: OutgoingRequest) -> None:
        # As the caller spelt it; after an HTTP redirect it may be another method.
        method = request.args[0] if request.args else request.options.get("method")
        if not isinstance(method, str) or method.upper() != request.method.upper():
            method = request.method
        self.key = (method, normalize_url(request.url))
        self.route: Route | None = None
        # An HTTP redirect that is followed belongs to the same call.
        self.is_recorded = not request.is_initial
        self._options = _options(request)
        self.call = build_call(self.key[0], request.args[2:], self._options)
        self._sent: Any = self._options.get("data")

    def attach_body(self, body: bytes) -> None:
        """Put the received `body` in the place of a stream or file that can be read only once."""
        data = self._options.get("data")
        if _holds_files(data):
            # The copy was made before anything was read.
            self._sent = _copied(self.call.kwargs["data"])
        elif (replayed := _replayed(data, body)) is not None:
            self._sent = replayed
            # Another object, so that the record is complete whatever a callback reads.
            self.call.kwargs["data"] = _replayed(data, body)

    def callback_options(self) -> dict[str, Any]:
        """Return the keyword arguments of the call, with `data` in a form that can be read now."""
        options = {"allow_redirects": True, **self._options}
        if "data" in options:
            options["data"] = self._sent
        return options


def _options(request: OutgoingRequest) -> dict[str, Any]:
    """Return the keyword arguments of the call, with the session's own headers among its headers."""
    options = {name: value for name, value in request.options.items() if name not in ("method", "str_or_url")}
    if request.session is not None and request.session.headers:
        options["headers"] = _with_session_headers(request.session, options.get("headers"))
    return options


def _with_session_headers(session: ClientSession, headers: Any) -> CIMultiDict[str]:
    merged = CIMultiDict(session.headers)
    given: CIMultiDict[str] = CIMultiDict(headers or {})
    for name in given:
        merged.popall(name, None)
    merged.extend(given)
    return merged


def describe_call(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a call as it is written, of a function called `name`."""
    parts = [repr(arg) for arg in args] + [f"{keyword}={value!r}" for keyword, value in kwargs.items()]
    return f"{name}({', '.join(parts)})"


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        # Files, streams and TLS contexts cannot be copied.
        return value


def _replayed(data: Any, body: bytes) -> Any:
    """Return a stream or file like `data` over `body`; `None` if `data` can be read more than once."""
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
