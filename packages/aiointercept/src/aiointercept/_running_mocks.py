"""The running mocks of this process."""

import atexit
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._running import RunningMock

__all__ = ["RUNNING_MOCKS"]


class _RunningMocks:
    """The running mocks, from the outermost to the innermost.

    There is no lock: each change of the dict is a single step.
    """

    def __init__(self) -> None:
        self._mocks: dict[RunningMock, None] = {}

    def add(self, mock: "RunningMock") -> None:
        """Add `mock` as the innermost one."""
        self._mocks[mock] = None

    def remove(self, mock: "RunningMock") -> None:
        """Remove `mock`, if it is there."""
        self._mocks.pop(mock, None)

    def around(self, mock: "RunningMock") -> "list[RunningMock]":
        """Return the mocks that were started before `mock`, the innermost first."""
        mocks = list(self._mocks)
        return mocks[mocks.index(mock) - 1 :: -1] if mock in mocks[1:] else []

    def at_exit(self) -> None:
        """Stop redirecting: a mock that runs when the interpreter exits needs no warning."""
        for mock in list(self._mocks):
            mock.stop_redirecting()

    def after_fork_in_child(self) -> None:
        """Renew the locks of all mocks, which the child may go on to use."""
        for mock in list(self._mocks):
            mock.after_fork_in_child()


RUNNING_MOCKS = _RunningMocks()

atexit.register(RUNNING_MOCKS.at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=RUNNING_MOCKS.after_fork_in_child)
