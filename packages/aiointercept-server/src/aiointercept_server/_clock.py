"""The server's own clock: tests replace the functions of `time` for the whole process, and must not stop a server.

Nothing here may be looked up by attribute when it is called, nor be one of the functions themselves under another
name: clock patchers look for those in every module.
"""

import functools
import time

__all__ = ["monotonic", "now"]

if hasattr(time, "clock_gettime"):
    monotonic = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    now = functools.partial(time.clock_gettime, time.CLOCK_REALTIME)
else:
    monotonic = functools.partial(time.monotonic)
    now = functools.partial(time.time)
