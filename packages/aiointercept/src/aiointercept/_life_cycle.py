"""What `start()` and `stop()` return: their work is done at once, and who likes may await the rest."""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Generator
from typing import Any

__all__ = ["Started", "Stopped", "wait_for"]

logger = logging.getLogger("aiointercept")

# A teardown that takes longer than this, in seconds, is left to itself.
_TEARDOWN_TIMEOUT = 5.0


class Started:
    """What `start()` returns: done already, awaitable for those who write `await m.start()`."""

    def __init__(self, mock: Any) -> None:
        self._mock = mock

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self._mock


class Stopped:
    """What `stop()` returns: awaiting it waits until all is closed and raises what callbacks raised."""

    def __init__(self, closed: "concurrent.futures.Future[None] | None", finish: Callable[[], None]) -> None:
        self._closed = closed
        self._finish = finish

    def __await__(self) -> Generator[Any, None, None]:
        if self._closed is not None:
            yield from asyncio.wrap_future(self._closed).__await__()
        self._finish()

    def wait(self) -> None:
        if self._closed is not None:
            wait_for(self._closed)
        self._finish()


def wait_for(closed: "concurrent.futures.Future[None]") -> None:
    try:
        closed.result(_TEARDOWN_TIMEOUT)
    except TimeoutError:
        logger.warning("the mock was not torn down within %s s; its thread is stuck", _TEARDOWN_TIMEOUT)
