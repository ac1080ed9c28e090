"""The running mocks of this process."""

import atexit
import os
from typing import Generic, Protocol, TypeVar

from ._errors import CallbackErrors

__all__ = ["RunningMocks"]


class Running(Protocol):
    """A running mock."""

    errors: CallbackErrors

    def stop_redirecting(self) -> None:
        """Stop redirecting at once."""

    def before_fork(self) -> None:
        """Prepare for the clients of a forked child."""

    def after_fork_in_child(self) -> None:
        """Renew the locks that a thread of the parent may hold."""


M = TypeVar("M", bound=Running)


class RunningMocks(Generic[M]):
    """The running mocks, from the outermost to the innermost.

    There is no lock: each change of the dict is a single step.
    """

    def __init__(self) -> None:
        self._mocks: dict[M, None] = {}
        atexit.register(self._at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._before_fork, after_in_child=self._after_fork_in_child)

    def add(self, mock: M) -> None:
        """Add `mock` as the innermost one."""
        self._mocks[mock] = None

    def remove(self, mock: M) -> None:
        """Remove `mock`, if it is there."""
        self._mocks.pop(mock, None)

    def around(self, mock: M) -> list[M]:
        """Return the mocks that were started before `mock`, the innermost first."""
        mocks = list(self._mocks)
        return mocks[mocks.index(mock) - 1 :: -1] if mock in mocks[1:] else []

    def _at_exit(self) -> None:
        # A mock that is running when the interpreter exits needs no warning.
        for mock in list(self._mocks):
            mock.stop_redirecting()
            mock.errors.log()

    def _before_fork(self) -> None:
        for mock in list(self._mocks):
            mock.before_fork()

    def _after_fork_in_child(self) -> None:
        for mock in list(self._mocks):
            mock.after_fork_in_child()
