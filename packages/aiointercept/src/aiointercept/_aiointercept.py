"""The facade: `aiointercept`, its life cycle and what tests call on it."""

import copy
import re
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from yarl import URL

from aiointercept_core import CallAssertions, Journal, Registry
from aiointercept_dns import Passthrough
from aiointercept_server import AiointerceptRequest

from ._callbacks import CallbackRunner
from ._checks import Checks
from ._closing import StartResult, StopResult
from ._cross_loop import running_loop
from ._decorator import decorate
from ._errors import CallbackErrors, note_errors
from ._faults import check_fault
from ._policies import DefaultReplies, DefaultRouting
from ._pytest_bridge import check_unmatched_status, notify_started, option_or_ini
from ._registration import Registration
from ._running import RunningMock
from ._started_at import StartedAt
from ._waiting import wait_for_requests
from ._warnings import warn_if_unreachable

__all__ = ["aiointercept"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

F = TypeVar("F", bound=Callable[..., Any])


class aiointercept(Registration, CallAssertions[AiointerceptRequest]):
    """A mock HTTP server on loopback that receives the requests which are meant for other services.

    By default no global state changes: send requests to `server_url`. With `mock_external_urls`, every aiohttp client
    in the process is redirected to the mock, except for requests to loopback, to bare IP addresses and to hosts in
    `passthrough`. With `passthrough_unmatched`, unmatched requests of these clients are forwarded to the real network.
    With `mock_ip_addresses`, bare IP addresses and loopback are redirected too if URLs with them are registered. If
    mocks are nested, the innermost one that has a reply left answers. `param` is the name of the keyword argument that
    receives the mock when this is used as a decorator. An unmatched request gets a closed connection, or a reply with
    `unmatched_status` and the explanation as text; `unmatched_status=False` closes it whatever pytest's configuration
    says.

    When the block is left without an exception, the errors of callbacks are raised, unless `raise_callback_errors` is
    false; with `assert_all_called`, an unused route is an `AssertionError`; with `assert_all_matched`, so is an
    unmatched request. Options left at `None` take their value from pytest's configuration
    (`aiointercept_raise_callback_errors` and so on). Without configuration, only `raise_callback_errors` is on.

    Raises `ValueError` or `TypeError` for invalid hosts, and for options that have no effect without
    `mock_external_urls`.
    """

    # An attribute of the object only while it runs: see `start`.
    _running: RunningMock | None = None
    # Until the first start, in which each mock gets one of its own. Nothing is registered or recorded in this one.
    _registry: Registry[AiointerceptRequest] = Registry()
    _last_address: tuple[str, int] | None = None
    _last_repr = "<aiointercept not started>"
    _started_at: StartedAt | None = None

    def __init__(
        self,
        mock_external_urls: bool = False,
        passthrough: Iterable[str] | None = None,
        passthrough_unmatched: bool = False,
        param: str | None = None,
        *,
        mock_ip_addresses: bool = False,
        unmatched_status: int | None = None,
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
        self._unmatched_status = check_unmatched_status(option_or_ini(unmatched_status, "unmatched_status", None))
        self._checks = Checks.or_ini(raise_callback_errors, assert_all_called, assert_all_matched)

    def __repr__(self) -> str:
        return repr(self._running) if self._running is not None else self._last_repr

    def __del__(self) -> None:
        if self._running is not None:
            self._running.close_collected(self)

    # Life cycle.

    def start(self) -> StartResult[Self]:
        """Start the mock at once, with no routes and no recorded requests.

        The result is a coroutine that returns the mock; it need not be awaited.
        Raises `RuntimeError` if the mock is running, or if this release of aiohttp cannot be redirected.
        """
        errors = CallbackErrors(are_raised=self._checks.raise_callback_errors)
        callbacks = CallbackRunner(running_loop(), errors)
        registry: Registry[AiointerceptRequest] = Registry(
            callback_context=callbacks.context, on_error=errors.keep_of_condition
        )
        running = RunningMock(
            registry,
            callbacks,
            errors,
            routing=DefaultRouting(registry, self._passthrough, mock_ip_addresses=self._mock_ip_addresses),
            replies=DefaultReplies(registry, errors, unmatched_status=self._unmatched_status),
            redirect=self._mock_external_urls,
            forward_unmatched=self._passthrough_unmatched,
        )
        # One step, so that one of several threads starts it: an interrupt or a fork could leave a lock locked. It comes
        # first, so that `stop()` closes it after an interrupt.
        if vars(self).setdefault("_running", running) is not running:
            raise RuntimeError("the mock is already running: call stop() first, or create a second mock")
        try:
            running.start(self._started_at)
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
        checks, errors = self._checks, running.errors
        return StopResult(running.closing, lambda exc: checks.run_last(self, errors, exc), on_unawaited=errors.log)

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
            checks = self._checks.replaced_by(raise_callback_errors, assert_all_called, assert_all_matched)
            checks.run(self, self._running.errors)

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
        self._checks.run_last(self, running.errors, exc)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = self._begin_stop()
        if running is None:
            return
        await StopResult(running.closing, lambda other: self._checks.run_last(self, running.errors, exc or other))

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
        return "http://{}:{}".format(*self._address())

    async def wait_for_requests(
        self,
        count: int = 1,
        url: str | URL | re.Pattern[str] | None = None,
        method: str | None = None,
        timeout: float | None = 1.0,
    ) -> list[AiointerceptRequest]:
        """Wait until `count` requests were received, those before this call included, and return all of them.

        With `url` or `method`, only requests for these count. Raises `AssertionError` after `timeout` seconds, `None`
        for no limit, and at the end of the block; `RuntimeError` before the first start.
        """
        # Raises before the first start, when no request can come.
        self._address()
        running = self._running
        return await wait_for_requests(
            self.journal, count, url, method, timeout, lambda: running is None or running.is_closed
        )

    @property
    def journal(self) -> Journal[AiointerceptRequest]:
        """The recorded requests."""
        return self._registry.journal

    def _copy(self) -> "aiointercept":
        """Return a mock with the same options for one call of a decorated function."""
        mock = copy.copy(self)
        for name in ("_running", "_registry", "_last_address", "_last_repr"):
            vars(mock).pop(name, None)
        return mock

    def _begin_stop(self) -> RunningMock | None:
        """Begin to close the running mock, and return it."""
        running = self._running
        if running is not None:
            running.close()
            self._last_address = running.address or self._last_address
            self._last_repr = repr(running)
            # Last of all, so that an interrupted `stop` can be called again. Absent, not `None`, for `setdefault`.
            vars(self).pop("_running", None)
        return running

    def _address(self) -> tuple[str, int]:
        running = self._running
        address = (running.address if running is not None else None) or self._last_address
        if address is None:
            raise RuntimeError("the mock is not started yet: use `async with`, `with` or start()")
        return address

    def _check_registration(self, fault: object) -> None:
        if self._running is None:
            if self._last_address is not None:
                raise RuntimeError(
                    "the mock was stopped: register inside its `with` / `async with` block, or call start() again"
                )
            raise RuntimeError(
                "the mock is not running: register inside its `with` / `async with` block, or call start() first"
            )
        if fault is not None:
            check_fault(fault, is_redirecting=self._mock_external_urls)

    def _warn_if_unreachable(self, given: str | URL | re.Pattern[str], url: URL | None) -> None:
        """Warn of a registration for `given` whose requests cannot reach the mock; `url` is `None` for a pattern."""
        passthrough = self._passthrough if self._mock_external_urls else None
        warn_if_unreachable(given, url, self._address(), passthrough, mock_ip_addresses=self._mock_ip_addresses)

    def _note_callback_errors(self, exc: BaseException, raises: bool | None = None) -> None:
        """Add the errors of callbacks as notes to `exc`; they are not raised any more."""
        if self._running is not None and (self._checks.raise_callback_errors if raises is None else raises):
            note_errors(exc, self._running.errors.take())
