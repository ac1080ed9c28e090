"""The pytest run as mocks see it: the options of its configuration, and a list of the mocks of a test."""

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aiointercept._pytest_bridge import ReportedMock

__all__ = ["PYTEST_RUN", "test_case_exception"]

# A test may start thousands of mocks; its report shows the last ones.
_MAX_STARTED = 20


class _PytestRun:
    """The pytest run of this process; a run may be nested in a test of another run."""

    def __init__(self) -> None:
        self._options: list[dict[str, Any]] = []
        self._started: deque[ReportedMock] = deque(maxlen=_MAX_STARTED)
        self._earlier: list[weakref.ref[ReportedMock]] = []
        self._has_failed = False
        self._item: object = None

    def configure(self, options: dict[str, Any]) -> None:
        """Begin a run with the options of its configuration."""
        self._options.append(options)

    def unconfigure(self) -> None:
        """End the run."""
        if self._options:
            self._options.pop()

    def ini_option(self, name: str) -> Any:
        """Return the option `name`, `None` outside of a run."""
        return self._options[-1].get(name) if self._options else None

    def notify_started(self, mock: "ReportedMock") -> None:
        """Keep `mock` for the report of the running test."""
        if self._options:
            self._started.append(mock)

    def started(self) -> "list[ReportedMock]":
        """Return the mocks that the running test has started, in order."""
        return list(self._started)

    def begin_test(self, item: object) -> "list[ReportedMock]":
        """Begin a test, and return the mocks of earlier ones that other code keeps."""
        alive = self.release()
        self._item = item
        return alive

    def fail(self) -> None:
        """Note that the running test has ended with an exception."""
        self._has_failed = True

    def has_failed(self, mock: "ReportedMock") -> bool:
        """Return whether the running test has started `mock` and was reported with an exception."""
        return self._has_failed and mock in self._started

    def unreported_exception(self, mock: "ReportedMock") -> BaseException | None:
        """Return the exception of the running test, which has started `mock`, if its report is still to come."""
        return test_case_exception(self._item) if mock in self._started else None

    def release(self) -> "list[ReportedMock]":
        """Keep no mock any longer, and return those that other code keeps."""
        self._earlier += [weakref.ref(mock) for mock in self._started]
        self._started.clear()
        self._has_failed = False
        self._item = None
        alive = [mock for ref in self._earlier if (mock := ref()) is not None]
        self._earlier = [weakref.ref(mock) for mock in alive]
        return alive


def test_case_exception(item: object) -> BaseException | None:
    """Return the exception of a `unittest.TestCase` that pytest has not reported yet.

    Other tests are reported before their fixtures are torn down. unittest cleans up first, and raises nothing.
    """
    exceptions = getattr(item, "_excinfo", None)
    exception = exceptions[0].value if exceptions else None
    # A test that is skipped, or fails as expected, shows nothing.
    return None if isinstance(exception, pytest.skip.Exception | pytest.xfail.Exception) else exception


PYTEST_RUN = _PytestRun()
