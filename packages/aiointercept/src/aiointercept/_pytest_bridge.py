"""What mocks and the pytest plugin tell each other, without an import of the plugin."""

import sys
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from aiointercept_core import Journal, Route

__all__ = ["PytestRun", "ReportedMock", "has_failed", "ini_option", "notify_started"]

D = TypeVar("D")

_PLUGIN = "aiointercept_pytest"


class ReportedMock(Protocol):
    """A mock as the report of a failed test shows it, named by its `repr`."""

    @property
    def journal(self) -> Journal[Any]: ...
    @property
    def routes(self) -> Sequence[Route]: ...


class PytestRun(Protocol):
    """What the plugin offers as `PYTEST_RUN`, where pytest has imported it."""

    def ini_option(self, name: str) -> Any:
        """Return the option `name` of pytest's configuration, `None` outside of a pytest run."""

    def notify_started(self, mock: ReportedMock) -> None:
        """Remember `mock` for the report of the running test."""

    def has_failed(self, mock: ReportedMock) -> bool:
        """Return whether the running test has started `mock` and has ended with an exception."""


def has_failed(mock: ReportedMock) -> bool:
    """Return whether the test that has started `mock` has failed, and is being torn down: its reason is told."""
    run = _pytest_run()
    return run is not None and run.has_failed(mock)


def ini_option(name: str, default: D) -> D:
    """Return the option `name` of pytest's configuration."""
    run = _pytest_run()
    option = run.ini_option(name) if run is not None else None
    return default if option is None else option


def notify_started(mock: ReportedMock) -> None:
    """Tell the pytest plugin that `mock` was started."""
    run = _pytest_run()
    if run is not None:
        run.notify_started(mock)


def _pytest_run() -> PytestRun | None:
    return getattr(sys.modules.get(_PLUGIN), "PYTEST_RUN", None)
