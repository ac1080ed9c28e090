"""The place where a mock was started: it distinguishes several mocks of one test."""

import inspect

from ._core import caller, place_of

__all__ = ["StartedAt"]

_PLUGIN = "aiointercept_pytest"

# Packages that may lie between a user's code and the mock: an `ExitStack`, `enterContext` of a `TestCase`.
_BETWEEN = {_PLUGIN, "contextlib", "unittest"}


class StartedAt:
    """The line of a user's code that starts or decorates with a mock, or else a fixture of the plugin.

    It is made into text only when asked.
    """

    def __init__(self) -> None:
        self._fixture: str | None = None
        frame, _ = caller(inspect.currentframe())
        while frame is not None and (package := frame.f_globals.get("__name__", "").partition(".")[0]) in _BETWEEN:
            if package == _PLUGIN and not frame.f_code.co_name.startswith("_"):
                self._fixture = frame.f_code.co_name
            frame = frame.f_back
        self._path, self._line = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("unknown", 0)

    def __str__(self) -> str:
        if self._fixture is not None:
            return f"fixture {self._fixture}"
        return f"started at {place_of(self._path, self._line)}"
