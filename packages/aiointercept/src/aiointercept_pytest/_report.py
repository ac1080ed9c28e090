"""The section of a failed test's report: what the mock received, and what was registered and never used."""

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aiointercept import aiointercept

__all__ = ["failed", "forget_started", "freeze_section", "note_outcome", "remember_mock", "section"]

_MOCKS = pytest.StashKey["list[aiointercept]"]()
_FROZEN = pytest.StashKey[str]()
_FAILED = pytest.StashKey[bool]()

_MAX_LINES = 50
_MAX_WIDTH = 300


def remember_mock(item: pytest.Item, mock: "aiointercept") -> None:
    """Note that a test uses `mock`."""
    item.stash.setdefault(_MOCKS, []).append(mock)


def note_outcome(item: pytest.Item, report: pytest.TestReport) -> None:
    """Note whether a test failed, for the fixtures that end after it."""
    if report.when == "call":
        item.stash[_FAILED] = report.failed


def failed(item: pytest.Item) -> bool:
    """Tell whether the test itself has failed."""
    return item.stash.get(_FAILED, False)


def forget_started() -> None:
    """Forget the mocks that earlier tests started themselves."""
    started = sys.modules.get("aiointercept._started")
    if started is not None:
        started.STARTED.clear()


def freeze_section(item: pytest.Item) -> None:
    """Keep the section as it is now, before a mock that others share is emptied."""
    item.stash[_FROZEN] = section(item)


def section(item: pytest.Item) -> str:
    """Return what the mocks of a test received; empty where it used none."""
    if _FROZEN in item.stash:
        return item.stash[_FROZEN]
    mocks: list[aiointercept] = [*item.stash.setdefault(_MOCKS, [])]
    started = sys.modules.get("aiointercept._started")
    if started is not None:
        mocks += [mock for mock in started.STARTED if mock not in mocks]
    return "\n\n".join(_describe(mock) for mock in mocks)


def _describe(mock: "aiointercept") -> str:
    records = list(mock.journal.records)
    lines = [f"{mock!r} received {len(records)} request{'' if len(records) == 1 else 's'}"]
    for record in records[-_MAX_LINES:]:
        method, url = record.key
        outcome = "matched" if record.response is not None else f"not matched: {record.explanation}"
        status = "closed" if record.status is None else str(record.status)
        took = "-" if record.seconds is None else f"{record.seconds * 1000:.1f} ms"
        lines.append(_cut(f"  {method:<7} {url} | {status} | {took} | {outcome}"))
    if len(records) > _MAX_LINES:
        lines.insert(1, f"  ... and {len(records) - _MAX_LINES} before")
    unused = [one for one in mock.registrations if not one.call_count]
    if unused:
        lines.append("never used:")
        lines += [_cut(f"  {one}") for one in unused[:_MAX_LINES]]
    if len(unused) > _MAX_LINES:
        lines.append(f"  ... and {len(unused) - _MAX_LINES} more")
    return "\n".join(lines)


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_WIDTH else f"{line[:_MAX_WIDTH]}..."
