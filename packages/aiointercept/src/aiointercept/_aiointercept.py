"""The facade: `aiointercept`, its life cycle and what tests call on it."""

import copy
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from yarl import URL

from aiointercept_core import BodySource, CallAssertions, Journal, MethodShortcuts, Registry, Route, format_error
from aiointercept_dns import Passthrough, is_ip_address
from aiointercept_server import AiointerceptRequest

from ._callbacks import CallbackRunner
from ._closing import StartResult, StopResult
from ._cross_loop import running_loop
from ._decorator import decorate
from ._policies import DefaultReplies, DefaultRouting
from ._pytest_bridge import ini_option, notify_started
from ._running import RunningMock

if TYPE_CHECKING:
    from typing import Never

__all__ = ["aiointercept"]

logger = logging.getLogger("aiointercept")

F = TypeVar("F", bound=Callable[..., Any])


class aiointercept(MethodShortcuts, CallAssertions[AiointerceptRequest]):
    """A mock HTTP server on loopback that receives the requests which are meant for other services.

    By default no global state changes: send requests to `server_url`. With `mock_external_urls`, every aiohttp client
    in the process is redirected to the mock, except for requests to loopback, to bare IP addresses and to hosts in
    `passthrough`. With `passthrough_unmatched`, unmatched requests of these clients are forwarded to the real network.
    With `mock_ip_addresses`, bare IP addresses and loopback are redirected too if URLs with them are registered. Of
    nested mocks, the innermost one that has a reply left answers. `param` is the name of the keyword argument that
    receives the mock when this is used as a decorator.

    When the block is left without an exception, the errors of callbacks are raised, unless `raise_callback_errors` is
    false; with `assert_all_called`, an unused route is an `AssertionError`; with `assert_all_matched`, so is an
    unmatched request. Options left at `None` take their value from pytest's configuration
    (`aiointercept_raise_callback_errors` and so on). Without configuration, only `raise_callback_errors` is on.

    Raises `ValueError` or `TypeError` for invalid hosts, and for options that have no effect without
    `mock_external_urls`.
    """

    _running: RunningMock | None = None
    _last_address: tuple[str, int] | None = None

    def __init__(
        self,
        mock_external_urls: bool = False,
        passthrough: Iterable[str] | None = None,
        passthrough_unmatched: bool = False,
        param: str | None = None,
        *,
        mock_ip_addresses: bool = False,
        raise_callback_errors: bool | None = None,
        assert_all_called: bool | None = None,
        assert_all_matched: bool | None = None,
    ) -> None:
        if callable(mock_external_urls):
            raise TypeError(
                f"mock_external_urls must be True or False, got {mock_external_urls!r}; "
                "as a decorator write @aiointercept(), with its parentheses"
            )
        if not mock_external_urls:
            for name, value in (
                ("passthrough", passthrough),
                ("passthrough_unmatched", passthrough_unmatched),
                ("mock_ip_addresses", mock_ip_addresses),
            ):
                if value:
                    raise ValueError(
                        f"{name} has no effect without mock_external_urls=True: by default nothing is redirected"
                    )
        self._passthrough = Passthrough(passthrough)
        self._mock_external_urls = mock_external_urls
        self._passthrough_unmatched = passthrough_unmatched
        self._mock_ip_addresses = mock_ip_addresses
        self._param = param
        self._raise_callback_errors = _or_default(raise_callback_errors, ini_option("raise_callback_errors", True))
        self._assert_all_called = _or_default(assert_all_called, ini_option("assert_all_called", False))
        self._assert_all_matched = _or_default(assert_all_matched, ini_option("assert_all_matched", False))
        self._registry: Registry[AiointerceptRequest] = Registry()

    def __repr__(self) -> str:
        running = self._running
        if running is not None:
            return repr(running)
        return (
            "<aiointercept not started>"
            if self._last_address is None
            else f"<aiointercept {self.server_url} (stopped)>"
        )

    def __del__(self) -> None:
        if self._running is not None:
            self._running.close_collected(self)

    # Life cycle.

    def start(self) -> StartResult[Self]:
        """Start the mock at once, with no routes and no recorded requests.

        The result is a coroutine that returns the mock; it need not be awaited.
        Raises `RuntimeError` if the mock is running, or if this release of aiohttp cannot be redirected.
        """
        errors: list[BaseException] = []
        callbacks = CallbackRunner(running_loop(), errors)
        registry: Registry[AiointerceptRequest] = Registry(callback_context=callbacks.context)
        running = RunningMock(
            registry,
            callbacks,
            errors,
            routing=DefaultRouting(registry, self._passthrough, mock_ip_addresses=self._mock_ip_addresses),
            replies=DefaultReplies(registry, errors),
            redirect=self._mock_external_urls,
            forward_unmatched=self._passthrough_unmatched,
        )
        # One step, so that of several threads one starts the mock. It comes first, so that `stop()` closes what an
        # interrupt has left.
        if vars(self).setdefault("_running", running) is not running:
            raise RuntimeError("the mock is already running: call stop() first, or create a second mock")
        try:
            running.start()
            self._registry = registry
        except BaseException:
            running.close()
            vars(self).pop("_running", None)
            raise
        notify_started(self)
        return StartResult(self)

    def stop(self) -> StopResult:
        """Stop the mock; without effect when it is not running.

        Redirecting has ended when this returns. The result is a coroutine. In async code await it: then everything is
        closed, and the errors of callbacks are raised. In sync code both has happened when this returns.
        """
        running = self._begin_stop()
        if running is None:
            return StopResult()
        return StopResult(running.closing, lambda: self._raise_failures(running), must_be_awaited=True)

    def clear(self) -> None:
        """Forget all routes and recorded requests; the mock keeps running."""
        self._registry.clear()

    def check(
        self,
        *,
        raise_callback_errors: bool | None = None,
        assert_all_called: bool | None = None,
        assert_all_matched: bool | None = None,
    ) -> None:
        """Run the checks that leaving the block would run. Options you omit keep the values given to the constructor.

        Errors of callbacks are raised once: a single one as itself, several as a group.
        """
        if self._running is not None:
            self._raise_failures(
                self._running,
                raise_callback_errors=raise_callback_errors,
                assert_all_called=assert_all_called,
                assert_all_matched=assert_all_matched,
            )

    def assert_all_called(self) -> None:
        """Raise `AssertionError` if a route that is not optional was never used."""
        self._registry.assert_all_called()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = self._begin_stop()
        if running is None:
            return
        if running_loop() is None:
            running.closing.wait()
        self._raise_failures(running, exc)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = self._begin_stop()
        if running is None:
            return
        await running.closing
        self._raise_failures(running, exc)

    def __call__(self, target: F) -> F:
        """Decorate a function, method, generator or class: each call gets a mock of its own.

        The mock is the last positional argument, or the keyword argument `param`. In a class, the methods named `test*`
        are decorated. Raises `TypeError` if there is no parameter for the mock.
        """
        return decorate(target, self._copy, self._param)

    # The server.

    @property
    def server_host(self) -> str:
        """The address on which the mock listens, or listened last; `RuntimeError` before the first start."""
        return self._address()[0]

    @property
    def server_port(self) -> int:
        """The port on which the mock listens, or listened last; `RuntimeError` before the first start."""
        return self._address()[1]

    @property
    def server_url(self) -> str:
        """The base URL of the mock, without a slash at its end; `RuntimeError` before the first start."""
        host, port = self._address()
        return f"http://{host}:{port}"

    # Registering. The shortcuts `get`, `post` and the others call `add`.

    def add(
        self,
        url: str | URL | re.Pattern[str],
        method: str = "GET",
        status: int | None = 200,
        body: BodySource | None = b"",
        json: Any = None,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool | int = False,
        content_type: str | None = None,
        callback: Callable[..., Any] | None = None,
        reason: str | None = None,
        exception: BaseException | type[BaseException] | bool | None = None,
        *,
        optional: bool = False,
        **unknown: "Never",
    ) -> Route:
        """Register a reply to requests for `url` and return a route; its `call_count` says how many it has answered.

        `url` is a str, `yarl.URL` or compiled pattern, `method` any HTTP method. `body` is a str (sent as UTF-8),
        bytes, an async iterable of bytes or a function that returns one of them; `json` or `payload`, serialised at
        once, overrides it. `repeat` is `False` for one request, a number of requests, or `True` for all. `callback(url,
        *, headers, query, json, data, **future)` returns a `CallbackResult`. With `exception` the connection is closed.
        An `optional` route may stay unused under `assert_all_called`.

        Raises `RuntimeError` when the mock is not running, `TypeError` or `ValueError` for what cannot be served.
        """
        if self._running is None:
            raise RuntimeError(
                "the mock is not running: register inside its `with` / `async with` block, or call start() first"
            )
        route = self._registry.add(
            url,
            method,
            status,
            body,
            json,
            payload,
            headers,
            repeat,
            content_type,
            callback,
            reason,
            exception,
            optional=optional,
            **unknown,
        )
        if route.url is not None:
            self._warn_of_ip_address(route.url)
        return route

    @property
    def routes(self) -> Sequence[Route]:
        """All routes that may answer or have answered, in order of registration."""
        return self._registry.routes

    # Assertions and recorded requests: see `CallAssertions`.

    @property
    def journal(self) -> Journal[AiointerceptRequest]:
        """The recorded requests."""
        return self._registry.journal

    def _copy(self) -> "aiointercept":
        """Return a mock with the same options that was not started yet."""
        mock = copy.copy(self)
        mock._registry = Registry()
        vars(mock).pop("_running", None)
        mock._last_address = None
        return mock

    def _begin_stop(self) -> RunningMock | None:
        """Begin to close the running mock, and return it."""
        running = self._running
        if running is not None:
            running.close()
            self._last_address = running.address or self._last_address
            # Last of all, so that an interrupted `stop` can be called again.
            vars(self).pop("_running", None)
        return running

    def _address(self) -> tuple[str, int]:
        running = self._running
        address = (running.address if running is not None else None) or self._last_address
        if address is None:
            raise RuntimeError("the mock is not started yet: use `async with`, `with` or start()")
        return address

    def _warn_of_ip_address(self, url: URL) -> None:
        if self._mock_ip_addresses or not is_ip_address(url.raw_host or ""):
            return
        if (url.host, url.port) != self._address():
            logger.warning(
                "requests for %s will not reach the mock: bare IP addresses are not redirected; "
                "use a host name, server_url or mock_ip_addresses=True",
                url,
            )

    def _raise_failures(self, running: RunningMock, exc: BaseException | None = None, **options: bool | None) -> None:
        """Raise what went wrong in a block, or note it on `exc`, the exception with which the block is left."""
        errors = running.errors[:]
        del running.errors[: len(errors)]
        if not _or_default(options.get("raise_callback_errors"), self._raise_callback_errors):
            errors = []
        if exc is not None:
            for error in errors:
                exc.add_note(f"the mock answered with status 500, because your callback raised:\n{format_error(error)}")
            return
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("several callbacks raised errors", errors)
        if _or_default(options.get("assert_all_matched"), self._assert_all_matched):
            self.assert_all_matched()
        if _or_default(options.get("assert_all_called"), self._assert_all_called):
            self.assert_all_called()


def _or_default(option: bool | None, default: bool) -> bool:
    return default if option is None else option
