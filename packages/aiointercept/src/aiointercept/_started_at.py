"""Where a mock was started: several mocks of one test are told apart by it."""

import inspect
from collections.abc import Callable
from typing import Any

from aiointercept_core._user_code import caller, place_of

__all__ = ["StartedAt"]

_PLUGIN = "aiointercept_pytest"


class StartedAt:
    """The line of a user's code that starts a mock, or else a fixture of the plugin; made into text only when asked.

    For a mock that a decorator starts, it is the line of the decorated `function`.
    """

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        self._fixture: str | None = None
        code = getattr(function, "__code__", None)
        if code is not None:
            self._path, self._line = code.co_filename, code.co_firstlineno
            return
        frame, _ = caller(inspect.currentframe())
        # Between a `with` statement of the user and the mock there may be an `ExitStack`.
        while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (_PLUGIN, "contextlib"):
            if not frame.f_code.co_name.startswith("_") and frame.f_globals["__name__"] != "contextlib":
                self._fixture = frame.f_code.co_name
            frame = frame.f_back
        self._path, self._line = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("unknown", 0)

    def __str__(self) -> str:
        if self._fixture is not None:
            return f"fixture {self._fixture}"
        return f"started at {place_of(self._path, self._line)}"
