"""Act before one line of a package's code: an interrupt, a collection or a fork at each point of it."""

import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType

__all__ = ["LineCounter", "at_each_line", "interrupt"]


class LineCounter:
    """Calls `action` before the given line of the code of `package` that runs in the block, on this thread.

    Lines count in the order in which they run, from 1, except those of finalisers: CPython ignores an interrupt there.
    """

    def __init__(self, package: ModuleType, line: int, action: Callable[[], None]) -> None:
        self._source = package.__path__[0]
        self._left = line
        self._action = action
        self.reached = False

    def _trace(self, frame: FrameType, event: str, _: object) -> Callable | None:
        code = frame.f_code
        caller = frame.f_back
        is_finaliser = "__del__" in (code.co_name, caller and caller.f_code.co_name)
        if not code.co_filename.startswith(self._source) or is_finaliser:
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                self.reached = True
                self._action()
        return self._trace

    def __enter__(self) -> "LineCounter":
        self._previous = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._previous)


def at_each_line(package: ModuleType, run: Callable[[], object], action: Callable[[], None]) -> Iterator[LineCounter]:
    """Call `run` with `action` before the first line of `package`, before the second, and so on; yield after each."""
    for line in range(1, 1000):
        counter = LineCounter(package, line, action)
        try:
            with counter:
                run()
        except (KeyboardInterrupt, RuntimeError):
            assert counter.reached
        if not counter.reached:
            assert line > 10
            return
        yield counter
    raise AssertionError("the run does not end")


def interrupt() -> None:
    """Raise what Ctrl-C raises."""
    raise KeyboardInterrupt
