"""Change state of the process under a lock that threads, forks, signals and the garbage collector cannot block."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Changes"]


class Changes:
    """A queue of functions that change the same state, called one at a time.

    A function is called again if it was interrupted, for example by a `KeyboardInterrupt`, so it must lead to the same
    state whether it is called once, twice or after a part of itself.
    """

    def __init__(self) -> None:
        self._pending: deque[Callable[[], None]] = deque()
        # Reentrant, because such a lock knows which thread holds it.
        self._lock: Any = threading.RLock()

    def do(self, change: Callable[[], None]) -> None:
        """Call `change` before this returns, in any thread.

        In the middle of another change, where the garbage collector may call this, `change` is called after that one.
        """
        self._pending.append(change)
        while self._pending and not self._lock._is_owned():
            # On one line: an interrupt before a line that only leaves the block would keep the lock locked.
            with self._lock: self._call_pending()  # fmt: skip # noqa: E701

    def _call_pending(self) -> None:
        while self._pending:
            self._pending[0]()
            self._pending.popleft()

    def after_fork_in_child(self) -> None:
        """Renew the lock, which may be held by a thread that the child does not have."""
        if not self._lock._is_owned():
            self._lock = threading.RLock()
