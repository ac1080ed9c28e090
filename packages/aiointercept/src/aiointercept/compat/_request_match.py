"""`RequestMatch`: a response without a request, for tests that use this class of aioresponses by itself."""

import asyncio
import inspect
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import ClientResponse, RequestInfo, StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import CallbackResult

from ._calls import normalize_url

__all__ = ["RequestMatch"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


class RequestMatch:
    """The reply to requests for `url`, as `add` takes it; `repeat` has no effect. The mock does not use this class."""

    def __init__(
        self,
        url: str | URL | re.Pattern[str],
        method: str = "GET",
        *,
        exception: BaseException | type[BaseException] | None = None,
        timeout: bool = False,
        callback: Callable[..., Any] | None = None,
        repeat: bool | int = False,
        **reply: Any,
    ) -> None:
        self.url_or_pattern = url if isinstance(url, re.Pattern) else normalize_url(url)
        self.method = method.lower()
        self.exception = TimeoutError("Connection timeout test") if timeout else exception
        self.callback = callback
        self.repeat = repeat
        self._result = CallbackResult(method, **reply)

    def __repr__(self) -> str:
        return f"RequestMatch('{self.url_or_pattern}')"

    def match(self, method: str, url: URL) -> bool:
        """Return whether the reply is for `method` and `url`."""
        if method.lower() != self.method:
            return False
        if isinstance(self.url_or_pattern, re.Pattern):
            return self.url_or_pattern.match(str(url)) is not None
        return self.url_or_pattern == url

    async def build_response(self, url: URL, **kwargs: Any) -> ClientResponse | BaseException | type[BaseException]:
        """Return a response that was never sent, or the exception; `kwargs` are the arguments of the callback."""
        result = self.callback(url, **kwargs) if self.callback is not None else None
        if inspect.isawaitable(result):
            result = await result
        if self.exception is not None:
            return self.exception
        return _build_response(url, self._result if result is None else result, kwargs.get("headers"))


def _build_response(url: URL, result: CallbackResult, request_headers: Any) -> ClientResponse:
    loop = asyncio.get_running_loop()
    kind: Any = result.response_class or ClientResponse
    sent = CIMultiDict(request_headers or {})
    given: dict[str, Any] = {
        "request_info": RequestInfo(url, result.method, CIMultiDictProxy(sent), url),
        "request_headers": sent,
        "original_url": url,
        "loop": loop,
        "traces": [],
        "stream_writer": SimpleNamespace(output_size=0),
    }
    # Releases of aiohttp differ in the arguments.
    parameters = inspect.signature(ClientResponse).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    response = kind(result.method, url, **{name: given.get(name) for name in names})
    headers = CIMultiDict({"Content-Type": result.content_type})
    headers.update(result.headers or {})
    response._headers = CIMultiDictProxy(headers)
    response._raw_headers = tuple((name.encode(), value.encode()) for name, value in headers.items())
    phrases = {status.value: status.phrase for status in HTTPStatus}
    response.status, response.reason = result.status, result.reason or phrases.get(result.status, "")
    body: Any = result.body if result.payload is None else json.dumps(result.payload)
    response.content = StreamReader(aiohttp.base_protocol.BaseProtocol(loop), 2**16, loop=loop)
    response.content.feed_data(body.encode() if isinstance(body, str) else body)
    response.content.feed_eof()
    return response  # type: ignore[no-any-return]
