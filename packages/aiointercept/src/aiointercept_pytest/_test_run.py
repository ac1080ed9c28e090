"""What mocks and the plugin tell each other: the project's settings, and which mocks a test started."""

import weakref
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiointercept import aiointercept

__all__ = ["TEST_RUN"]

# A test may start thousands of mocks: as many of them as this are kept for its report, the last ones.
_MAX_STARTED = 20


class _TestRun:
    """The run of pytest in this process, as mocks see it. One may run inside a test of another."""

    def __init__(self) -> None:
        self._settings: list[dict[str, bool]] = []
        self._started: deque[aiointercept] = deque(maxlen=_MAX_STARTED)
        self._before: list[weakref.ref[aiointercept]] = []

    def configure(self, settings: dict[str, bool]) -> None:
        """Begin a run with the project's settings."""
        self._settings.append(settings)

    def unconfigure(self) -> None:
        """End the run."""
        if self._settings:
            self._settings.pop()

    def setting(self, name: str) -> bool | None:
        """Return the project's setting, `None` where no run is configured."""
        return self._settings[-1][name] if self._settings else None

    def note_started(self, mock: "aiointercept") -> None:
        """Keep `mock` for the report of the test that runs."""
        if self._settings:
            self._started.append(mock)

    def started(self) -> "list[aiointercept]":
        """Return the mocks that the test has started, in order."""
        return list(self._started)

    def let_go(self) -> "list[aiointercept]":
        """Keep no mock alive any longer; return those that live on all the same."""
        self._before += [weakref.ref(mock) for mock in self._started]
        self._started.clear()
        alive = [mock for ref in self._before if (mock := ref()) is not None]
        self._before = [weakref.ref(mock) for mock in alive]
        return alive


TEST_RUN = _TestRun()
