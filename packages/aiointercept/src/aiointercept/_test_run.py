"""The run of pytest around this process, if there is one: it has the project's settings, and is told what starts."""

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ._aiointercept import aiointercept

__all__ = ["TestRun", "project_setting", "tell_started"]

_PLUGIN = "aiointercept_pytest"


class TestRun(Protocol):
    """What the plugin offers as `TEST_RUN`. It is asked only where pytest has imported it."""

    def setting(self, name: str) -> bool | None:
        """Return the project's setting, `None` where no run is configured."""

    def note_started(self, mock: "aiointercept") -> None:
        """Remember `mock` for the report of the test that runs."""


def project_setting(name: str, default: bool) -> bool:
    """Return the project's setting `name` in pytest's configuration."""
    run = _test_run()
    setting = run.setting(name) if run is not None else None
    return default if setting is None else setting


def tell_started(mock: "aiointercept") -> None:
    """Tell the run of pytest that `mock` has started."""
    run = _test_run()
    if run is not None:
        run.note_started(mock)


def _test_run() -> TestRun | None:
    return getattr(sys.modules.get(_PLUGIN), "TEST_RUN", None)
