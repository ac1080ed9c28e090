"""Users' functions: which frames of a stack are theirs, which function raised an error, and where."""

import functools
import inspect
import os
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any

from ._format import describe_error, describe_function, unwrap_partials

__all__ = [
    "ReportedError",
    "caller",
    "describe_error_of",
    "has_user_frames",
    "hide_own_frames",
    "is_coroutine_function",
    "place_of",
    "raised_by",
]

# Not any package that begins like them: a user's own may be called `aiointercept_helpers`.
_OWN_PACKAGES = frozenset({"aiointercept", "aiointercept_core", "aiointercept_dns", "aiointercept_server"})

# Asked for once, because errors are described in an event loop, where `os.getcwd()` is a blocking call.
_FOLDER = os.path.join(os.getcwd(), "")

_MOCK = os.path.join("unittest", "mock.py")

# How many partials and decorators around a function are looked through.
_MAX_WRAPPERS = 20


class ReportedError(Exception):
    """An error in a user's function, which is the cause; the log has the message already."""


def is_coroutine_function(function: Any) -> bool:
    """Return whether calling `function` returns a coroutine: also a partial, or an object with an async `__call__`."""
    function = unwrap_partials(function)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def caller(frame: FrameType | None) -> tuple[FrameType | None, int]:
    """Return the first frame of a user's code from `frame` outwards, and how many frames are left out."""
    skipped = 0
    while frame is not None and _is_own(frame):
        frame, skipped = frame.f_back, skipped + 1
    return frame, skipped


def has_user_frames(error: BaseException) -> bool:
    """Return whether a user's function was running when `error` was raised."""
    return any(True for _ in _user_entries(error))


def hide_own_frames(error: BaseException) -> BaseException:
    """Leave only users' frames in the traceback of `error` and its causes, and return it.

    An error with none of them keeps its traceback, which is all that is known of it.
    """
    seen: set[int] = set()
    chained: BaseException | None = error
    while chained is not None and id(chained) not in seen:
        seen.add(id(chained))
        if entries := list(_user_entries(chained)):
            traceback: TracebackType | None = None
            for entry in reversed(entries):
                traceback = TracebackType(traceback, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
            chained.__traceback__ = traceback
        chained = chained.__cause__ or chained.__context__
    return error


def raised_by(error: BaseException, kind: str, function: object = None) -> tuple[str, str]:
    """Return the function that raised `error`, as `your callback answer()`, and the place, as `file:line`.

    `kind` is what `function` is registered as; a function that it has called or returned is a `function`. Both texts
    are empty if no user's function was running and `function` is not known.
    """
    codes = list(_codes(function))
    lines: dict[CodeType, int] = {}
    for entry in _user_entries(error):
        lines.setdefault(entry.tb_frame.f_code, entry.tb_lineno)
    if lines:
        # The innermost function is what the user has written, the others may be decorators.
        code = next((code for code in reversed(codes) if code in lines), next(iter(lines)))
        line = lines[code]
        kind = "function" if codes and code not in codes else kind
    elif codes:
        # The function has returned a wrong value.
        code = codes[-1]
        line = code.co_firstlineno
    elif function is not None:
        return f"your {kind} {describe_function(function)}", ""
    else:
        return "", ""
    name = f"{code.co_qualname.rpartition('<locals>.')[2]}()"
    if function is not None and not codes:
        # A `Mock` has no code of its own.
        name = describe_function(function)
    return f"your {kind} {name}", place_of(code.co_filename, line)


def describe_error_of(error: BaseException, function: str) -> str:
    """Return a sentence about an error of `function`, as `raised_by` names it."""
    verb = "raised" if has_user_frames(error) else "failed:"
    return f"{function} {verb} {describe_error(error)}" if function else describe_error(error)


def place_of(path: str, line: int) -> str:
    """Return `file:line`, with a path relative to the working directory if the file is in it."""
    return f"{path.removeprefix(_FOLDER)}:{line}"


def _user_entries(error: BaseException) -> Iterator[TracebackType]:
    entry = error.__traceback__
    while entry is not None:
        if not _is_own(entry.tb_frame):
            yield entry
        entry = entry.tb_next


def _codes(function: Any) -> Iterator[CodeType]:
    """Yield the code of a function, generator or callable object, then of what it wraps: the innermost is the last."""
    for _ in range(_MAX_WRAPPERS):
        if function is None:
            return
        found = [getattr(function, name, None) for name in ("__code__", "ag_code", "gi_code")]
        found.append(getattr(type(function).__call__, "__code__", None))
        # Mocks have imitations, and all the same `__call__`.
        yield from (code for code in found if type(code) is CodeType and not code.co_filename.endswith(_MOCK))
        default = function.func if isinstance(function, functools.partial) else None
        function = getattr(function, "__wrapped__", default)


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _OWN_PACKAGES
