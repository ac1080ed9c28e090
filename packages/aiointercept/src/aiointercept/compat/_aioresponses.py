"""`aioresponses`: the interface of that library, on a real server."""

import copy
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import ClientResponse
from multidict import CIMultiDict
from yarl import URL

from aiointercept_core import BodySource, CallbackResult, MockResponse, Registry, RequestLog
from aiointercept_server import AiointerceptRequest

from .._aiointercept import aiointercept
from .._decorator import decorate
from ._calls import RequestCall, build_call, merge_params, normalize_url
from ._interception import CompatInterception, Manner, Prefixes

__all__ = ["aioresponses"]

F = TypeVar("F", bound=Callable[..., Any])


class aioresponses:
    """A mock for aiohttp's clients with the interface of aioresponses.

    Every host is intercepted, bare IP addresses included, but for URLs that begin with an entry of `passthrough`.
    `passthrough_unmatched` lets out what nothing registered matches. `param` names the keyword argument that gets
    the mock when this is used as a decorator. `requests` holds the calls by `(METHOD, URL)`.
    """

    requests: dict[tuple[str, URL], list[RequestCall]]

    def __init__(
        self, *, passthrough: Iterable[str] = (), passthrough_unmatched: bool = False, param: str | None = None
    ) -> None:
        self.passthrough_unmatched = passthrough_unmatched
        self._passthrough = [passthrough] if isinstance(passthrough, str) else list(passthrough)
        self._param = param
        self._begin()

    def _begin(self) -> None:
        self.requests = RequestLog()
        self._mock = _Mock(self)
        self._stopped: Awaitable[None] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # Subclasses know `with` only: what they do there is done here as well.

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, traceback)
        if self._stopped is not None:
            await self._stopped

    def __call__(self, target: F) -> F:
        """Decorate a function or method, sync or async, which is called with this mock, and nothing recorded.

        Where this mock is in use, by a call within a call or a block, it gets one that was made like it.
        """
        return decorate(target, self._for_one_call, self._param)

    def start(self) -> None:
        """Start to intercept; `RuntimeError` if this mock does so already."""
        self._mock.start()

    def stop(self) -> None:
        """Stop to intercept and forget the registrations; the recorded calls stay."""
        self._stopped = self._mock.stop()

    def clear(self) -> None:
        """Forget the registrations; the recorded calls stay."""
        self._mock.clear()

    def add(
        self,
        url: str | URL | re.Pattern[str],
        method: str = "GET",
        status: int = 200,
        body: BodySource = "",
        exception: BaseException | type[BaseException] | None = None,
        content_type: str = "application/json",
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        response_class: type[ClientResponse] | None = None,
        repeat: bool | int = False,
        timeout: bool = False,
        reason: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> MockResponse:
        """Register the reply to requests for `url`.

        `exception` is raised at the caller as it is, as is `asyncio.TimeoutError` with `timeout`. `callback(url,
        **kwargs)` gets the caller's keyword arguments and returns a `CallbackResult`, or `None` for the reply
        registered here; what it raises the caller gets. Raises `TypeError` or `ValueError` for what could not be
        served.
        """
        if timeout:
            exception = TimeoutError("Connection timeout test")
        elif isinstance(exception, bool):
            raise TypeError(
                f"exception: expected an exception or an exception class, got {exception!r}; "
                "pass aiohttp.ServerDisconnectedError for a closed connection"
            )
        result = None
        if isinstance(payload, dict | list):
            # What the test changes in it later is in the replies after that.
            result = CallbackResult(
                status=status,
                payload=payload,
                headers=CIMultiDict(headers or {}),
                content_type=content_type,
                reason=reason,
            )
        return self._mock.register(
            Manner(response_class, result),
            url,
            method,
            status,
            body,
            payload=payload,
            headers=headers,
            repeat=repeat,
            content_type=content_type,
            callback=callback,
            reason=reason,
            exception=exception,
        )

    def head(self, url: str | URL | re.Pattern[str], **options: Any) -> None:
        """Register a reply to HEAD."""
        self.add(url, method="HEAD", **options)

    def get(self, url: str | URL | re.Pattern[str], **options: Any) -> None:
        """Register a reply to GET."""
        self.add(url, method="GET", **options)

    def post(self, url: str | URL | re.Pattern[str], **options: Any) -> None:
        """Register a reply to POST."""
        self.add(url, method="POST", **options)

    def put(self, url: str | URL | re.Pattern[str], **options: Any) -> None:
        """Register a reply to PUT."""
        self.add(url, method="PUT", **options)

    def patch(self, url: str | URL | re.Pattern[str], **options: Any) -> None:
        """Register a reply to PATCH."""
        self.add(url, method="PATCH", **options)

    def delete(self, url: str | URL | re.Pattern[str], **options: Any) -> None:
        """Register a reply to DELETE."""
        self.add(url, method="DELETE", **options)

    def options(self, url: str | URL | re.Pattern[str], **options: Any) -> None:
        """Register a reply to OPTIONS."""
        self.add(url, method="OPTIONS", **options)

    def assert_called(self) -> None:
        """Raise `AssertionError` if no call was made."""
        if not self.requests:
            raise AssertionError(f"Expected '{self._name}' to have been called.")

    def assert_not_called(self) -> None:
        """Raise `AssertionError` if a call was made."""
        if self.requests:
            raise AssertionError(f"Expected '{self._name}' to not have been called. Called {self._call_count()} times.")

    def assert_called_once(self) -> None:
        """Raise `AssertionError` unless exactly one call was made."""
        if self._call_count() != 1:
            raise AssertionError(
                f"Expected '{self._name}' to have been called once. Called {self._call_count()} times."
            )

    def assert_any_call(self, url: str | URL, method: str = "GET", *args: Any, **kwargs: Any) -> None:
        """Raise `AssertionError` unless `url` was called."""
        self._calls(url, method, args, kwargs)

    def assert_called_with(
        self,
        url: str | URL,
        method: str = "GET",
        args_to_match: Sequence[str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Raise `AssertionError` unless the last call of `url` was made with these arguments.

        With `args_to_match` only the keyword arguments of these names are compared.
        """
        actual = self._calls(url, method, args, kwargs)[-1]
        expected = build_call(method.upper(), args, kwargs)
        if args_to_match is None:
            differs = actual != expected
        else:
            differs = any(
                name not in actual.kwargs or actual.kwargs[name] != expected.kwargs[name] for name in args_to_match
            )
        if differs:
            raise AssertionError(f"{self._signature(*actual)} != {self._signature(*expected)}")

    def assert_called_once_with(self, *args: Any, **kwargs: Any) -> None:
        """Raise `AssertionError` unless exactly one call was made, and it was made with these arguments."""
        self.assert_called_once()
        self.assert_called_with(*args, **kwargs)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _for_one_call(self) -> "aioresponses":
        if not self._mock.running:
            self.requests = RequestLog()
            return self
        other = copy.copy(self)
        other._begin()
        return other

    def _call_count(self) -> int:
        return sum(len(calls) for calls in self.requests.values())

    def _calls(self, url: str | URL, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[RequestCall]:
        key = (method.upper(), normalize_url(merge_params(url, kwargs.get("params"))))
        calls = self.requests.get(key)
        if not calls:
            made = "; ".join(f"{other} {target}" for other, target in list(self.requests)[-5:]) or "none"
            raise AssertionError(
                f"{self._signature((key[1],), {'method': method, **kwargs}, *args)} call not found, calls made: {made}"
            )
        return list(calls)

    def _signature(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *more: Any) -> str:
        parts = [repr(arg) for arg in (*args, *more)] + [f"{name}={value!r}" for name, value in kwargs.items()]
        return f"{self._name}({', '.join(parts)})"


class _Mock(aiointercept):
    """The native mock underneath."""

    def __init__(self, owner: aioresponses) -> None:
        self._owner = owner
        # A project's settings for native mocks are not for tests that were written without them.
        super().__init__(
            mock_external_urls=True, raise_callback_errors=False, assert_all_called=False, assert_all_matched=False
        )

    @property
    def running(self) -> bool:
        """Whether it intercepts now."""
        return self._running is not None

    def register(self, manner: Manner, *args: Any, **options: Any) -> MockResponse:
        """Register without moving the callback: it runs where the caller is."""
        running = self._running
        if not isinstance(running, CompatInterception):
            raise RuntimeError("expected a started mock, this one is not; use `with` or start() before you register")
        response = self._registry.add(*args, **options)
        if manner != Manner():
            running.manners[response] = manner
            # Its manner has a say in each reply.
            response.ready = None
        return response

    def stop(self) -> Awaitable[None]:
        """Stop, and let go of what the test registered."""
        self._forget_manners()
        return super().stop()

    def clear(self) -> None:
        """Forget all registrations; the mock runs on."""
        super().clear()
        self._forget_manners()

    def _forget_manners(self) -> None:
        if isinstance(self._running, CompatInterception):
            self._running.manners.clear()

    def _make_registry(self) -> Registry[AiointerceptRequest]:
        return Registry(lenient=True)

    def _make_interception(self, registry: Registry[AiointerceptRequest]) -> CompatInterception:
        return CompatInterception(registry, self._owner, Prefixes(self._owner._passthrough))
