"""What mocks and the pytest plugin tell each other, without an import of the plugin."""

import sys
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from aiointercept_core import Journal, Route

__all__ = ["PytestRun", "ReportedMock", "notify_started", "option_or_ini"]

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


def option_or_ini(option: D | None, name: str, default: D) -> D:
    """Return `option`, or else the option `name` of pytest's configuration, or else `default`."""
    run = _pytest_run() if option is None else None
    if run is not None:
        option = run.ini_option(name)
    return default if option is None else option


def notify_started(mock: ReportedMock) -> None:
    """Tell the pytest plugin that `mock` was started."""
    run = _pytest_run()
    if run is not None:
        run.notify_started(mock)


def _pytest_run() -> PytestRun | None:
    return getattr(sys.modules.get(_PLUGIN), "PYTEST_RUN", None)
