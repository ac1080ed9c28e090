"""The running mocks of this process."""

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


RUNNING_MOCKS = _RunningMocks()
