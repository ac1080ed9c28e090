"""The interface between mocks and the pytest plugin, without an import of the plugin."""

import sys
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from aiointercept_core import Journal, Route

__all__ = [
    "PytestRun",
    "ReportedMock",
    "check_unmatched_status",
    "has_failed",
    "notify_started",
    "option_or_ini",
    "unreported_exception",
]

D = TypeVar("D")

_PLUGIN = "aiointercept_pytest"


class ReportedMock(Protocol):
    """A mock as the report of a failed test shows it, named by its `repr`."""

    @property
    def journal(self) -> Journal[Any]: ...
    @property
    def routes(self) -> Sequence[Route]: ...
    def _note_callback_errors(self, exc: BaseException, raises: bool | None = None) -> None:
        """Add the errors that the end of the mock would raise as notes to `exc`, with which the test ends.

        `raises` says whether it would; `None` is for the option of the mock.
        """


class PytestRun(Protocol):
    """The object `PYTEST_RUN` of the plugin, if pytest has imported the plugin."""

    def ini_option(self, name: str) -> Any:
        """Return the option `name` of pytest's configuration, `None` outside of a pytest run."""

    def notify_started(self, mock: ReportedMock) -> None:
        """Remember `mock` for the report of the running test."""

    def has_failed(self, mock: ReportedMock) -> bool:
        """Return whether the running test has started `mock` and was reported with an exception."""

    def unreported_exception(self, mock: ReportedMock) -> BaseException | None:
        """Return the exception with which the running test, which has started `mock`, ended, if it will be reported."""


def has_failed(mock: ReportedMock) -> bool:
    """Return whether the test that has started `mock` has failed, and is being torn down: it is reported already."""
    run = _pytest_run()
    return run is not None and run.has_failed(mock)


def unreported_exception(mock: ReportedMock) -> BaseException | None:
    """Return the exception of the test that has started `mock`, if it is still to be reported."""
    run = _pytest_run()
    return run.unreported_exception(mock) if run is not None else None


def option_or_ini(option: D | None, name: str, default: D) -> D:
    """Return `option`, or else the option `name` of pytest's configuration, or else `default`."""
    run = _pytest_run() if option is None else None
    if run is not None:
        option = run.ini_option(name)
    return default if option is None else option


def check_unmatched_status(status: object, name: str = "unmatched_status") -> int | None:
    """Return `status`, `None` for `False`; raise `ValueError` for what is no status of a response with a body."""
    if status is None or status is False:
        return None
    if isinstance(status, int) and status in range(200, 600) and status not in (204, 304):
        return status
    raise ValueError(f"{name} must be a status from 200 to 599 that allows a body, got {status!r}; for example 501")


def notify_started(mock: ReportedMock) -> None:
    """Notify the pytest plugin that `mock` was started."""
    run = _pytest_run()
    if run is not None:
        run.notify_started(mock)


def _pytest_run() -> PytestRun | None:
    return getattr(sys.modules.get(_PLUGIN), "PYTEST_RUN", None)
