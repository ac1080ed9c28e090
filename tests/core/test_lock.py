"""The lock of a registry: several calls in a single step, and a new lock in a forked child."""

import contextlib
import os
import signal
import sys
import threading

import pytest
from memory_client import match

from aiointercept_core import Registry

URL = "http://h.test/"


@contextlib.contextmanager
def held_by_another_thread(lock):
    held, release = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        release.set()
        thread.join()


def use(registry):
    registry.get(URL, repeat=True)
    assert match(registry, "GET", URL).route is registry.routes[0]
    registry.clear()


def ends(function, *args, within=5.0):
    """Return whether a call in a thread of its own ends."""
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    thread.join(within)
    return not thread.is_alive()


def test_calls_under_the_lock_are_a_single_step():
    registry = Registry()
    with registry.lock:
        use(registry)
        registry.get(URL)
        assert not ends(registry.clear, within=0.1)
        assert len(registry.routes) == 1


def test_a_registry_with_a_renewed_lock_works_while_a_thread_holds_the_old_one():
    registry = Registry()
    with held_by_another_thread(registry.lock):
        assert not ends(getattr, registry, "routes", within=0.1)
        registry.renew_lock()
        assert ends(use, registry)
    use(registry)


def test_a_lock_that_is_held_while_it_is_renewed():
    registry = Registry()
    with registry.lock:
        registry.renew_lock()
        use(registry)
    assert ends(use, registry)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_registry_works_in_a_child_that_was_forked_while_a_thread_held_the_lock():
    registry = Registry()
    with held_by_another_thread(registry.lock):
        child = os.fork()
        if not child:
            signal.alarm(5)
            registry.renew_lock()
            use(registry)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Stop(BaseException):
    pass


def forked_in_the_middle(change):
    """Yield the registry in each state that a child may inherit if the process is forked during `change`."""
    line = 0
    while True:
        registry = Registry()
        registry.post(URL)
        reached = _run_until(change, registry, line)
        registry.renew_lock()
        yield registry
        if not reached:
            return
        line += 1


def _run_until(change, registry, line):
    """Run `change` up to a line, counted from its begin; return whether it has that many lines."""
    lines = 0

    def trace(frame, event, _):
        nonlocal lines
        if not frame.f_code.co_filename.endswith(("_registry.py", "_explanation.py", "_route.py", "_journal.py")):
            return None
        if event == "line":
            lines += 1
            if lines > line:
                raise Stop
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        change(registry)
    except Stop:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize(
    "change", [lambda registry: registry.get(URL, repeat=True), lambda registry: registry.clear()], ids=["add", "clear"]
)
def test_a_half_made_change_breaks_nothing(change):
    states = 0
    for registry in forked_in_the_middle(change):
        states += 1
        match(registry, "GET", URL)
        match(registry, "PUT", URL)
        registry.get(URL, repeat=True)
        assert match(registry, "GET", URL).route is not None
        assert str(registry.routes)
    assert states > 5
