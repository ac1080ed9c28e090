"""The server's own clock: tests replace the functions of `time` and `asyncio.sleep`, and must not stop the server.

`monotonic` and `now` are wrapped, because clock patchers look for the functions of `time` in every module.
"""

import asyncio
import functools
import time

__all__ = ["ServerLoop", "monotonic", "now", "sleep"]

if hasattr(time, "clock_gettime"):
    monotonic = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    now = functools.partial(time.clock_gettime, time.CLOCK_REALTIME)
else:
    monotonic = functools.partial(time.monotonic)
    now = functools.partial(time.time)


class ServerLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers run on the server's own clock."""

    def time(self) -> float:
        """Return the time of `monotonic`, in seconds."""
        return monotonic()


async def sleep(delay: float) -> None:
    """Wait for `delay` seconds of the running loop's clock; 0 lets the loop run other callbacks once."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=delay)
