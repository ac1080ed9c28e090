"""The parts that `aiointercept` is composed of, for the other composition: `compat`. Nothing here is public API."""

from ._callbacks import CallbackRunner
from ._closing import StopResult
from ._core import is_exception, raised_by
from ._cross_loop import run_on_loop, running_loop
from ._decorator import decorate
from ._errors import CallbackErrors
from ._policies import Destination
from ._pytest_bridge import notify_started
from ._running import RunningMock
from ._started_at import StartedAt

__all__ = [
    "CallbackErrors",
    "CallbackRunner",
    "Destination",
    "RunningMock",
    "StartedAt",
    "StopResult",
    "decorate",
    "is_exception",
    "notify_started",
    "raised_by",
    "run_on_loop",
    "running_loop",
]
