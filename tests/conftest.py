"""Async tests without a plugin: each runs in a loop of its own, asyncio's or uvloop's."""

import asyncio
import gc
import inspect
import os
import sys
from collections.abc import Callable, Iterator

import pytest

# Also seen by each package alone, so that nothing but pytest may be imported here.
LOOP = os.environ.get("AIOINTERCEPT_TEST_LOOP", "asyncio")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if LOOP == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test function."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(autouse=True)
def _collect_garbage() -> Iterator[None]:
    """With `-X dev`, have whatever a test leaves unclosed warn in that test."""
    yield
    if sys.flags.dev_mode:
        gc.collect()
