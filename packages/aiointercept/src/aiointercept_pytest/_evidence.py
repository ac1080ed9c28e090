"""What is known of one test: how it ended so far, and what its mocks received."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ._test_run import TEST_RUN

if TYPE_CHECKING:
    import pytest

    from aiointercept import MockResponse, aiointercept

__all__ = ["Evidence", "View", "begin_evidence", "end_evidence", "evidence_of"]


class View(NamedTuple):
    """A mock as it was at one time."""

    name: str
    records: Sequence[Any]
    registrations: "Sequence[MockResponse]"


class Evidence:
    """The mocks of one test, and how it ended so far.

    Of a mock in `before`, which ran before the test, only what is new belongs to it.
    """

    def __init__(self, before: "Sequence[aiointercept]" = ()) -> None:
        self.passed = False
        self.failed = False
        self._before = {id(mock): _Mark(mock) for mock in before}
        self._used: dict[int, aiointercept] = {}
        self._kept: dict[int, View] = {}

    def use(self, mock: "aiointercept") -> None:
        """Note that the test has `mock` from a fixture."""
        self._used[id(mock)] = mock

    def keep(self, mock: "aiointercept") -> None:
        """Note `mock` as it is now, because it is about to be emptied."""
        self._kept[id(mock)] = self._view(mock)

    def views(self) -> list[View]:
        """Return the mocks that the test used, each as far as it belongs to the test."""
        news = [mark.mock for mark in self._before.values() if mark.has_news()]
        mocks = {id(mock): mock for mock in (*self._used.values(), *news, *TEST_RUN.started())}
        return [self._kept.get(key) or self._view(mock) for key, mock in mocks.items()]

    def _view(self, mock: "aiointercept") -> View:
        mark = self._before.get(id(mock))
        seen = mark.seen if mark is not None and mark.journal is mock.journal else 0
        return View(repr(mock), mock.journal.records[seen:], mock.registrations)


class _Mark:
    """How far a mock was when a test began."""

    def __init__(self, mock: "aiointercept") -> None:
        self.mock = mock
        self.journal = mock.journal
        self.seen = len(mock.journal.records)
        self._registered = len(mock.registrations)

    def has_news(self) -> bool:
        now = _Mark(self.mock)
        if now.journal is not self.journal:
            return bool(now.seen or now._registered)
        return now.seen != self.seen or now._registered != self._registered


_TESTS: "weakref.WeakKeyDictionary[pytest.Item, Evidence]" = weakref.WeakKeyDictionary()


def begin_evidence(item: "pytest.Item") -> None:
    """Begin anew for a test."""
    _TESTS[item] = Evidence(TEST_RUN.let_go())


def evidence_of(item: "pytest.Item") -> Evidence:
    """Return what is known of a test."""
    return _TESTS.setdefault(item, Evidence())


def end_evidence(item: "pytest.Item") -> None:
    """Let go of everything that belongs to a test."""
    _TESTS.pop(item, None)
    TEST_RUN.let_go()
