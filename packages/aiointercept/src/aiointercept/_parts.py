"""The parts that `aiointercept` is composed of, for the other composition: `compat`. Nothing here is public API."""

from ._callbacks import CallbackErrors, CallbackRunner
from ._closing import StopResult, stop_result
from ._cross_loop import CallbackCancelledError, run_on_loop, running_loop
from ._decorator import decorate
from ._policies import Destination
from ._pytest_bridge import notify_started
from ._running import RunningMock

__all__ = [
    "CallbackCancelledError",
    "CallbackErrors",
    "CallbackRunner",
    "Destination",
    "RunningMock",
    "StopResult",
    "decorate",
    "notify_started",
    "run_on_loop",
    "running_loop",
    "stop_result",
]
