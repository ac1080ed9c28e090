"""The section of a failed test's report: what its mocks received, and what was registered and never used."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._evidence import View

if TYPE_CHECKING:
    from aiointercept_core import Record

__all__ = ["describe"]

_MAX_MOCKS = 10
_MAX_LINES = 50
_MAX_URL_COLUMN = 60
_MAX_WIDTH = 400


def describe(views: Sequence[View]) -> str:
    """Return the section for `views`, empty where there are none; it is bounded, however much they received."""
    # A mock that nobody spoke to says something only where there is no other.
    views = [view for view in views if view.records or view.registrations] or views
    parts = [_describe_mock(view) for view in views[-_MAX_MOCKS:]]
    if len(views) > _MAX_MOCKS:
        parts.insert(0, "(mocks before these are left out)")
    return "\n\n".join(parts)


def _describe_mock(view: View) -> str:
    count = len(view.records)
    lines = [f"{view.name} received {count} request{'' if count == 1 else 's'}"]
    if count > _MAX_LINES:
        lines.append(f"  ({count - _MAX_LINES} before these)")
    lines += _table([_row(record) for record in view.records[-_MAX_LINES:]])
    unused = [response for response in view.registrations if not response.call_count]
    if unused:
        lines.append("registered and never used")
        lines += [_line(f"  {response}") for response in unused[:_MAX_LINES]]
    if len(unused) > _MAX_LINES:
        lines.append(f"  (and {len(unused) - _MAX_LINES} more)")
    return "\n".join(lines)


def _row(record: "Record[Any]") -> tuple[str, str, str, str, str]:
    method, url = record.key
    # Without a time, no reply was chosen: the client left before, or still waits.
    took = "-" if record.seconds is None else f"{record.seconds * 1000:.2f} ms"
    status = record.status or ("-" if record.seconds is None else "closed")
    return method, str(url), str(status), took, "matched" if record.response is not None else _why_not(record)


def _why_not(record: "Record[Any]") -> str:
    # The line has named the request already.
    why = (record.explanation or "").removeprefix(f"nothing registered matches {' '.join(map(str, record.key))}")
    return f"not matched: {why.lstrip(':; ')}"


def _table(rows: Sequence[tuple[str, str, str, str, str]]) -> list[str]:
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    widths[1] = min(widths[1], _MAX_URL_COLUMN)
    return [
        _line("  " + "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])))
        for row in rows
    ]


def _line(text: str) -> str:
    text = " ".join(text.splitlines())
    return text if len(text) <= _MAX_WIDTH else f"{text[:_MAX_WIDTH]}..."
