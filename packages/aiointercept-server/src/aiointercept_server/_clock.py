"""The server's own clock: tests replace the functions of `time` and `asyncio.sleep`, and must not stop the server.

`monotonic` and `now` are wrapped, because clock patchers look for the functions of `time` in every module.
"""

import asyncio
import functools
import time

__all__ = ["monotonic", "now", "server_loop", "sleep"]

if hasattr(time, "clock_gettime"):
    monotonic = functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    now = functools.partial(time.clock_gettime, time.CLOCK_REALTIME)
else:
    monotonic = functools.partial(time.monotonic)
    now = functools.partial(time.time)


def server_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop whose timers run on the server's own clock."""
    loop = asyncio.SelectorEventLoop()
    # Set on this loop and not overridden in a subclass: the interpreter specialises the code of asyncio for one class,
    # and with two of them the test's loop is slower as well: 3 % more instructions for a test with two requests.
    loop.time = monotonic  # type: ignore[method-assign]
    return loop


async def sleep(delay: float) -> None:
    """Wait for `delay` seconds of the running loop's clock; 0 lets the loop run other callbacks once."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=delay)
