"""The mocks that a test used, and the test's outcome so far."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ._pytest_run import PYTEST_RUN

if TYPE_CHECKING:
    import pytest

    from aiointercept import Route
    from aiointercept._pytest_bridge import ReportedMock
    from aiointercept_core import Record

__all__ = ["MockSnapshot", "MockUsage", "begin_usage", "end_usage", "usage_of"]


class MockSnapshot(NamedTuple):
    """A mock at one moment: its name, the requests recorded for the test, and its routes."""

    name: str
    records: "Sequence[Record[Any]]"
    routes: "Sequence[Route]"


class MockUsage:
    """The mocks of one test, and the test's outcome so far.

    `earlier` mocks were started before the test: only their new requests and routes belong to it.
    """

    def __init__(self, earlier: "Sequence[ReportedMock]" = ()) -> None:
        self.called = False
        self.passed = False
        self.failed = False
        self._baselines = {id(mock): _Baseline(mock) for mock in earlier}
        self._used: dict[int, ReportedMock] = {}
        self._snapshots: dict[int, MockSnapshot] = {}

    def use(self, mock: "ReportedMock") -> None:
        """Note that the test got `mock` from a fixture."""
        self._used[id(mock)] = mock

    def used_fixtures(self) -> "list[ReportedMock]":
        """Return the mocks that the test got from fixtures."""
        return list(self._used.values())

    def keep_snapshot(self, mock: "ReportedMock") -> None:
        """Keep a snapshot of `mock`, which is about to be cleared."""
        self._snapshots[id(mock)] = self._snapshot(mock)

    def snapshots(self) -> list[MockSnapshot]:
        """Return the mocks that the test used, with what belongs to the test."""
        changed = [baseline.mock for baseline in self._baselines.values() if baseline.has_changed()]
        mocks = {id(mock): mock for mock in (*self._used.values(), *changed, *PYTEST_RUN.started())}
        return [self._snapshots.get(key) or self._snapshot(mock) for key, mock in mocks.items()]

    def _snapshot(self, mock: "ReportedMock") -> MockSnapshot:
        baseline = self._baselines.get(id(mock))
        earlier = baseline.records if baseline is not None and baseline.journal is mock.journal else 0
        return MockSnapshot(repr(mock), mock.journal.records[earlier:], mock.routes)


class _Baseline:
    """How many requests and routes a mock had when a test began."""

    def __init__(self, mock: "ReportedMock") -> None:
        self.mock = mock
        self.journal = mock.journal
        self.records = len(mock.journal.records)
        self._routes = len(mock.routes)

    def has_changed(self) -> bool:
        now = _Baseline(self.mock)
        if now.journal is not self.journal:
            return bool(now.records or now._routes)
        return now.records != self.records or now._routes != self._routes


_USAGES: "weakref.WeakKeyDictionary[pytest.Item, MockUsage]" = weakref.WeakKeyDictionary()


def begin_usage(item: "pytest.Item") -> None:
    """Begin to note the mocks of a test."""
    _USAGES[item] = MockUsage(PYTEST_RUN.begin_test(item))


def usage_of(item: "pytest.Item") -> MockUsage:
    """Return the mocks of a test."""
    usage = _USAGES.get(item)
    if usage is None:
        usage = _USAGES[item] = MockUsage()
    return usage


def end_usage(item: "pytest.Item") -> None:
    """Forget the mocks of a test."""
    _USAGES.pop(item, None)
    PYTEST_RUN.release()
