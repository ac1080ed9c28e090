"""The facade: `aiointercept`, its life cycle and what tests call on it."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from yarl import URL

from aiointercept_core import (
    BodySource,
    CallAssertions,
    Journal,
    MethodShortcuts,
    MockResponse,
    Registry,
    format_error,
)
from aiointercept_dns import Passthrough, is_ip_address
from aiointercept_server import AiointerceptRequest

from ._decorator import decorate
from ._home import running_loop
from ._interception import Interception
from ._life_cycle import Started, Stopped
from ._test_run import project_setting, tell_started

if TYPE_CHECKING:
    from typing import Never

__all__ = ["aiointercept"]

logger = logging.getLogger("aiointercept")

F = TypeVar("F", bound=Callable[..., Any])


class aiointercept(MethodShortcuts, CallAssertions[AiointerceptRequest]):
    """A mock HTTP server on loopback, to which requests are sent instead of to the services they are meant for.

    By default nothing global changes: point the client at `server_url`. With `mock_external_urls` every aiohttp
    client of the process is redirected, but to hosts in `passthrough` and to loopback and bare IP addresses.
    `passthrough_unmatched` forwards what nothing registered matches to the real network. `param` names the keyword
    argument that gets the mock when this is used as a decorator. With `mock_ip_addresses` bare IP addresses, loopback
    included, are intercepted where they are registered.

    When the block is left without an exception: errors in callbacks are raised, unless `raise_callback_errors` is
    false; with `assert_all_called` a registration that was never used is an `AssertionError`; with
    `assert_all_matched` so is a request that nothing registered matched. What is not given here is as pytest's
    configuration says, the options `aiointercept_raise_callback_errors` and so on: by default only the first holds.

    Raises `ValueError` or `TypeError` for hosts that are none, and for what needs `mock_external_urls` without it.
    """

    _running: Interception | None = None
    _address: tuple[str, int] | None = None

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
                f"mock_external_urls: expected True or False, got {mock_external_urls!r}; "
                "as a decorator write @aiointercept(), with its parentheses"
            )
        needing = {
            "passthrough": passthrough,
            "passthrough_unmatched": passthrough_unmatched,
            "mock_ip_addresses": mock_ip_addresses,
        }
        for name, value in needing.items():
            if value and not mock_external_urls:
                raise ValueError(
                    f"{name}: expected it together with mock_external_urls=True, got {value!r} alone; "
                    "without that nothing is redirected and everything else reaches the real network already"
                )
        self._passthrough = Passthrough(passthrough)
        self._external = mock_external_urls
        self._passthrough_unmatched = passthrough_unmatched
        self._mock_ip_addresses = mock_ip_addresses
        self._param = param
        self._raise_callback_errors = _given(raise_callback_errors, project_setting("raise_callback_errors", True))
        self._assert_all_called = _given(assert_all_called, project_setting("assert_all_called", False))
        self._assert_all_matched = _given(assert_all_matched, project_setting("assert_all_matched", False))
        self._registry = self._make_registry()

    def __repr__(self) -> str:
        if self._running is None and self._address is None:
            return "<aiointercept not started>"
        return f"<aiointercept {self.server_url}{' (stopped)' if self._running is None else ''}>"

    # Life cycle.

    def start(self) -> "Awaitable[Self]":
        """Start the mock, at once, with nothing registered or recorded; the result may be awaited and is the mock.

        Raises `RuntimeError` if it runs already, or if this release of aiohttp cannot be redirected.
        """
        if self._running is not None:
            raise RuntimeError("expected a mock that is not running, this one is; stop() it first, or make another one")
        # Nothing can be registered or recorded before the first start.
        registry = self._registry if self._address is None else self._make_registry()
        self._running = self._make_interception(registry)
        self._registry = registry
        tell_started(self)
        return Started(self)

    def stop(self) -> Awaitable[None]:
        """Stop the mock; without effect when it does not run.

        Patches are out when this returns. In async code await the result: then everything is closed, and what
        callbacks raised is raised. In sync code both is so when this returns.
        """
        running = self._end()
        if running is None:
            return Stopped(None, lambda: None)
        stopped = Stopped(running.closing, lambda: self._judge(running))
        if running_loop() is not None:
            return stopped
        stopped.wait()
        return Stopped(None, lambda: None)

    def clear(self) -> None:
        """Forget all registrations and recorded requests; the mock runs on."""
        self._registry.clear()

    def check(
        self,
        *,
        raise_callback_errors: bool | None = None,
        assert_all_called: bool | None = None,
        assert_all_matched: bool | None = None,
    ) -> None:
        """Raise what leaving the block would raise now; what is not given is as the mock was made.

        Errors in callbacks are raised once: one as itself, several as a group.
        """
        if self._running is not None:
            self._judge(
                self._running,
                raise_callback_errors=raise_callback_errors,
                assert_all_called=assert_all_called,
                assert_all_matched=assert_all_matched,
            )

    def assert_all_called(self) -> None:
        """Raise `AssertionError` if a registration that is not optional was never used."""
        self._registry.assert_all_called()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = self._end()
        if running is None:
            return
        if running_loop() is None:
            running.closing.wait()
        self._judge(running, exc)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = self._end()
        if running is None:
            return
        await running.closing
        self._judge(running, exc)

    def __call__(self, target: F) -> F:
        """Decorate a function, method, generator or class: each call gets a mock of its own.

        The mock is the last positional argument, or the keyword argument `param`. Of a class, the methods named
        `test*` are decorated. Raises `TypeError` where there is no parameter for the mock.
        """
        return decorate(target, self._fresh, self._param)

    # The server.

    @property
    def server_host(self) -> str:
        """The address on which the mock listens, or did last; `RuntimeError` before the first start."""
        return self._last_address()[0]

    @property
    def server_port(self) -> int:
        """The port on which the mock listens, or did last; `RuntimeError` before the first start."""
        return self._last_address()[1]

    @property
    def server_url(self) -> str:
        """The base URL of the mock, without a slash at its end; `RuntimeError` before the first start."""
        host, port = self._last_address()
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
    ) -> MockResponse:
        """Register the reply to requests for `url` and return its handle, whose `call_count` tells its use.

        `url` is a str, `yarl.URL` or compiled pattern, `method` any HTTP method. `body` is a str (sent as UTF-8),
        bytes, an async iterable of bytes or a function that returns one of them; `json` or `payload`, serialised at
        once, override it. `repeat` is `False` for once, a number of times, or `True` for ever. `callback(url, *,
        headers, query, json, data, **future)` returns a `CallbackResult`. With `exception` the connection is closed. An
        `optional` registration may stay unused under `assert_all_called`.

        Raises `RuntimeError` when the mock does not run, `TypeError` or `ValueError` for what could not be served.
        """
        if self._running is None:
            raise RuntimeError(
                "expected a running mock, this one is not; use `async with`, `with` or start() before you register"
            )
        home = self._running.home
        response = self._registry.add(
            url,
            method,
            status,
            home.bind_body(body),
            json,
            payload,
            headers,
            repeat,
            content_type,
            home.bind(callback),
            reason,
            exception,
            optional=optional,
            **unknown,
        )
        if response.url is not None:
            self._warn_of_address(response.url)
        return response

    @property
    def registrations(self) -> list[MockResponse]:
        """All registrations that may answer or have answered, in order."""
        return self._registry.registrations

    # Assertions and recorded requests: see `CallAssertions`.

    @property
    def journal(self) -> Journal[AiointerceptRequest]:
        """The recorded requests."""
        return self._registry.journal

    def _fresh(self) -> "aiointercept":
        """Return a mock made like this one."""
        mock = type(self).__new__(type(self))
        vars(mock).update(vars(self), _registry=self._make_registry(), _running=None, _address=None)
        return mock

    def _end(self) -> Interception | None:
        """Begin to close what runs, and return it."""
        running = self._running
        if running is not None:
            running.close()
            self._address = running.address
            self._running = None
        return running

    def _last_address(self) -> tuple[str, int]:
        if self._running is not None:
            return self._running.address
        if self._address is None:
            raise RuntimeError(
                "expected a mock that was started, this one was not; use `async with`, `with` or start()"
            )
        return self._address

    def _warn_of_address(self, url: URL) -> None:
        if self._mock_ip_addresses or not is_ip_address(url.raw_host or ""):
            return
        if (url.host, url.port) != self._last_address():
            logger.warning(
                "%s will not be intercepted: bare IP addresses reach their own server; "
                "use a host name, server_url or mock_ip_addresses=True",
                url,
            )

    def _make_registry(self) -> Registry[AiointerceptRequest]:
        return Registry()

    def _make_interception(self, registry: Registry[AiointerceptRequest]) -> Interception:
        return Interception(
            registry,
            external=self._external,
            passthrough=self._passthrough,
            passthrough_unmatched=self._passthrough_unmatched,
            mock_ip_addresses=self._mock_ip_addresses,
        )

    def _judge(self, running: Interception, exc: BaseException | None = None, **options: bool | None) -> None:
        """Raise what went wrong in a block, or note it on `exc`, the exception with which the block is left."""
        errors = running.errors[:]
        del running.errors[: len(errors)]
        if not _given(options.get("raise_callback_errors"), self._raise_callback_errors):
            errors = []
        if exc is not None:
            for error in errors:
                exc.add_note("a callback raised as well:\n" + format_error(error))
            return
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("several callbacks raised", errors)
        if _given(options.get("assert_all_matched"), self._assert_all_matched):
            self.assert_all_matched()
        if _given(options.get("assert_all_called"), self._assert_all_called):
            self.assert_all_called()


def _given(option: bool | None, default: bool) -> bool:
    return default if option is None else option
