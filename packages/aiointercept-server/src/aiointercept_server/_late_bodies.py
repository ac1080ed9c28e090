"""The warning about a body that a request announces and that does not arrive."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import StreamReader
from yarl import URL

__all__ = ["read_piece", "warn_of_late_body"]

logger = logging.getLogger("aiointercept")

# The pause in a body after which a warning is logged, in seconds.
_LATE_AFTER = 2.0


async def read_piece(reader: StreamReader, on_late: Callable[[], None]) -> bytes:
    """Return the next bytes of a body, and call `on_late` if they take long."""
    timer = asyncio.get_running_loop().call_later(_LATE_AFTER, on_late)
    try:
        return await reader.readany()
    finally:
        timer.cancel()


def warn_of_late_body(method: str, url: URL, length: str | None, received: int) -> None:
    """Warn of a body whose Content-Length is `length`, `None` for a chunked one."""
    logger.warning(
        "the body of %s %s is incomplete, and nothing has arrived for %s s: %s, %d bytes were received; if it is a "
        "file that was sent before, open it again",
        method,
        url,
        _LATE_AFTER,
        "it has no last chunk" if length is None else f"its Content-Length is {length}",
        received,
    )
