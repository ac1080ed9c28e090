"""`aioresponses`: the interface of that library, on a real server."""

import copy
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import ClientResponse
from multidict import CIMultiDict
from yarl import URL

from aiointercept_core import BodySource, CallbackResult, Registry, RegistryRules, Route
from aiointercept_server import AiointerceptRequest

from .._parts import (
    CallbackErrors,
    CallbackRunner,
    RunningMock,
    StartedAt,
    StopResult,
    decorate,
    is_exception,
    notify_started,
    running_loop,
)
from ._calls import CallLog, RequestCall, build_call, describe_call, merge_params, normalize_url
from ._replies import AioresponsesReplies, ReplyOverrides
from ._routing import AioresponsesRouting

__all__ = ["aioresponses"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

F = TypeVar("F", bound=Callable[..., Any])

_RULES = RegistryRules(
    exact_urls_first=False, allow_unreachable=True, drop_contradicting_headers=True, check_callbacks=False
)


class aioresponses:
    """A mock for aiohttp's clients with the interface of aioresponses.

    Requests to every host are redirected, bare IP addresses included, except for URLs that begin with an entry of
    `passthrough`. With `passthrough_unmatched`, unmatched requests reach the real network. `param` is the name of the
    keyword argument that receives the mock when this is used as a decorator. `requests` holds the calls by
    `(METHOD, URL)`, with the method as the caller spelt it; look-ups find any spelling.
    """

    requests: dict[tuple[str, URL], list[RequestCall]]

    _running: RunningMock | None = None
    _started_at: StartedAt | None = None

    def __init__(
        self, *, passthrough: Iterable[str] = (), passthrough_unmatched: bool = False, param: str | None = None
    ) -> None:
        self.passthrough_unmatched = passthrough_unmatched
        self._passthrough = [passthrough] if isinstance(passthrough, str) else list(passthrough)
        self._param = param
        self._begin()

    def _begin(self) -> None:
        self.requests = CallLog()
        self._running = None
        self._overrides: dict[Route, ReplyOverrides] = {}
        self._stopped: Awaitable[None] | None = None

    def __del__(self) -> None:
        if self._running is not None:
            self._running.close_collected(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # Subclasses override the methods of `with`: `async with` calls these too.

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, traceback)
        if self._stopped is not None:
            await self._stopped

    def __call__(self, target: F) -> F:
        """Decorate a function or method, sync or async: it is called with this mock, with no calls recorded.

        If this mock is running, because of a call within a call or of a block, the function gets a new one like it.
        """
        return decorate(target, self._for_one_call, self._param)

    def start(self) -> None:
        """Start redirecting requests; `RuntimeError` if this mock is running."""
        if self._running is not None:
            raise RuntimeError("the mock is already running: call stop() first, or create a second mock")
        errors = CallbackErrors(are_raised=False)
        callbacks = CallbackRunner(running_loop(), errors)
        registry: Registry[AiointerceptRequest] = Registry(_RULES, callback_context=callbacks.context)
        routing = AioresponsesRouting(registry, self, self._passthrough, self._overrides)
        # Known before it is started, so that `stop()` closes what an interrupt has left.
        self._running = RunningMock(
            registry,
            callbacks,
            errors,
            routing=routing,
            replies=AioresponsesReplies(registry, callbacks, self._overrides, routing.pending_call),
            redirect=True,
        )
        try:
            self._running.start(self._started_at)
        except BaseException:
            self.stop()
            raise
        notify_started(self._running)

    def stop(self) -> None:
        """Stop redirecting requests and forget the routes; the recorded calls stay."""
        running = self._running
        if running is not None:
            running.close()
            self._running = None
            self._overrides.clear()
            self._stopped = StopResult(running.closing)

    def clear(self) -> None:
        """Forget the routes; the recorded calls stay."""
        if self._running is not None:
            with self._running.registry.lock:
                self._running.registry.clear()
                self._overrides.clear()

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
    ) -> Route:
        """Register a reply to requests for `url`.

        `exception` is raised at the caller as it is, and so is `asyncio.TimeoutError` with `timeout`. `callback(url,
        **kwargs)` gets the caller's keyword arguments and returns a `CallbackResult`, or `None` for the reply that is
        registered here; an exception that it raises is raised at the caller. Raises `TypeError` or `ValueError` for
        what cannot be served.
        """
        if timeout:
            exception = TimeoutError("Connection timeout test")
        elif exception is not None and not is_exception(exception):
            raise TypeError(
                f"exception must be an exception or an exception class, got {exception!r}: "
                "pass aiohttp.ServerDisconnectedError for a closed connection"
            )
        if self._running is None:
            raise RuntimeError("the mock is not running: use `with` or call start() before you register")
        result = None
        if isinstance(payload, dict | list):
            # Later replies show the changes that the test makes to the payload.
            result = CallbackResult(
                status=status,
                payload=payload,
                headers=CIMultiDict(headers or {}),
                content_type=content_type,
                reason=reason,
            )
        overrides = ReplyOverrides(callback, exception, response_class, result)
        registry = self._running.registry
        # A request that arrives in between must not get the reply without the overrides.
        with registry.lock:
            route = registry.add(
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
            )
            if overrides != ReplyOverrides():
                self._overrides[route] = overrides
        return route

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
        self, url: str | URL, method: str = "GET", args_to_match: Sequence[str] | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Raise `AssertionError` unless the last call of `url` was made with these arguments.

        With `args_to_match` only the keyword arguments of these names are compared.
        """
        actual = self._calls(url, method, args, kwargs)[-1]
        # Only a POST that the caller spelt in upper case has the default for `data`.
        expected = build_call(method.upper() if "data" in actual.kwargs else "", args, kwargs)
        if args_to_match is None:
            differs = actual != expected
        else:
            differs = any(
                name not in actual.kwargs or actual.kwargs[name] != expected.kwargs[name] for name in args_to_match
            )
        if differs:
            raise AssertionError(f"{describe_call(self._name, *actual)} != {describe_call(self._name, *expected)}")

    def assert_called_once_with(self, *args: Any, **kwargs: Any) -> None:
        """Raise `AssertionError` unless exactly one call was made, and it was made with these arguments."""
        self.assert_called_once()
        self.assert_called_with(*args, **kwargs)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _for_one_call(self) -> "aioresponses":
        if self._running is None:
            self.requests = CallLog()
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
            missing = describe_call(self._name, (key[1], *args), {"method": method, **kwargs})
            raise AssertionError(f"{missing} call not found, calls made: {made}")
        return list(calls)
