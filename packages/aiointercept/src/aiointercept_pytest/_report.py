"""The section in the report of a failed test: the requests that its mocks received, and the unused routes."""

import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._mock_usage import MockSnapshot

if TYPE_CHECKING:
    from aiointercept_core import Record

__all__ = ["describe"]

_MAX_MOCKS = 10
_MAX_LINES = 50
_MAX_MESSAGES = 10
_MAX_URL_COLUMN = 60
_MAX_WIDTH = 400


def describe(snapshots: Sequence[MockSnapshot], shown: str = "") -> str:
    """Return the text for `snapshots`, empty if there are none; its length is bounded.

    The explanation of an unmatched request is left out if it is in `shown`, the rest of the report.
    """
    # A mock without requests and routes is shown only if there is no other.
    snapshots = [one for one in snapshots if one.records or one.routes] or snapshots
    parts = [_describe_mock(snapshot, shown) for snapshot in snapshots[-_MAX_MOCKS:]]
    if len(snapshots) > _MAX_MOCKS:
        parts.insert(0, "(earlier mocks are left out)")
    return "\n\n".join(parts)


def _describe_mock(snapshot: MockSnapshot, shown: str) -> str:
    count = len(snapshot.records)
    lines = [f"{snapshot.name} received {count} request{'' if count == 1 else 's'}"]
    if count > _MAX_LINES:
        lines.append(f"  ({count - _MAX_LINES} earlier requests are left out)")
    records = snapshot.records[-_MAX_LINES:]
    for record, line in zip(records, _table([_row(record, shown) for record in records]), strict=True):
        lines += [line, *_conversation(record)]
    # A callback of `compat` that raises leaves its route unused. What a failed check has named is not repeated.
    matched = {record.route for record in snapshot.records}
    is_told = "never used: " in shown
    unused = [
        route
        for route in snapshot.routes
        if not (route._was_used or route in matched or (is_told and str(route) in shown))
    ]
    if unused:
        lines.append("registered, but never used:")
        lines += [_line(f"  {route}") for route in unused[:_MAX_LINES]]
    if len(unused) > _MAX_LINES:
        lines.append(f"  (and {len(unused) - _MAX_LINES} more)")
    return "\n".join(lines)


def _row(record: "Record[Any]", shown: str) -> tuple[str, str, str, str, str]:
    method, url = record.key
    # There is no time before the reply was chosen: the client left, or still waits.
    took = "-" if record.seconds is None else f"{record.seconds * 1000:.2f} ms"
    status = record.status or ("-" if record.seconds is None else "closed")
    return method, str(url), str(status), took, _outcome(record, shown)


def _conversation(record: "Record[Any]") -> list[str]:
    """Return a line for each message that a client has sent over a WebSocket."""
    messages = record.request.messages
    lines = [_line(f"    message: {reprlib.repr(message.data)}") for message in messages[:_MAX_MESSAGES]]
    more = len(messages) - _MAX_MESSAGES
    if more > 0:
        lines.append(f"    (and {more} more message{'' if more == 1 else 's'})")
    return lines


def _outcome(record: "Record[Any]", shown: str) -> str:
    if record.route is not None:
        return "matched"
    if not record.unmatched:
        return record.explanation or ""
    if record.explanation and record.explanation in shown:
        return "unmatched, for the reason above"
    # The line has named the request already.
    request = " ".join(map(str, record.key))
    why = (record.explanation or "").removeprefix(f"no route matches {request}")
    return f"unmatched: {why.replace(f' for {request}:', ':', 1).lstrip(':; ')}"


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
