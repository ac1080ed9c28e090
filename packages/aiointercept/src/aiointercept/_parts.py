"""The parts that `aiointercept` is composed of, for the other composition: `compat`. Nothing here is public API."""

from typing import Any

from ._callbacks import CallbackRunner
from ._closing import StopResult
from ._cross_loop import CallbackCancelledError, run_on_loop, running_loop
from ._decorator import decorate
from ._policies import Destination
from ._pytest_bridge import notify_started
from ._running import RunningMock as _RunningMock

__all__ = [
    "CallbackCancelledError",
    "CallbackRunner",
    "Destination",
    "RunningMock",
    "StopResult",
    "decorate",
    "notify_started",
    "run_on_loop",
    "running_loop",
]


class RunningMock(_RunningMock):
    """A running mock that starts when it is made."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        try:
            self.start()
        except BaseException:
            self.close()
            raise
