"""Waiting for requests that code in the background makes."""

import asyncio
import re
from collections.abc import Callable

from yarl import URL

from aiointercept_core import Journal, build_matcher
from aiointercept_server import AiointerceptRequest

from ._core import check_method, count_of, describe_value
from ._cross_loop import call_threadsafe

__all__ = ["wait_for_requests"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


async def wait_for_requests(
    journal: Journal[AiointerceptRequest],
    count: int,
    url: str | URL | re.Pattern[str] | None,
    method: str | None,
    timeout: float | None,
    has_ended: Callable[[], bool],
) -> list[AiointerceptRequest]:
    """Return the recorded requests for `url` with `method`, `None` for any, once there are `count` of them.

    Raises `AssertionError` after `timeout` seconds, or when the block of the mock has ended.
    """
    _check(count, timeout)
    if method is not None:
        method = check_method(method)
    matcher = build_matcher(url) if url is not None else None

    def received() -> list[AiointerceptRequest]:
        return [
            record.request
            for record in list(journal.records)
            if method in (None, "ANY", record.key[0])
            if matcher is None or not list(matcher.differences(record.request))
        ]

    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    unsubscribe = journal.subscribe(lambda: call_threadsafe(loop, changed.set))
    reason = f"within {timeout:g} s" if timeout is not None else ""
    try:
        async with asyncio.timeout(timeout):
            while len(found := received()) < count:
                if has_ended():
                    reason = "before the end of the block"
                    raise TimeoutError
                await changed.wait()
                changed.clear()
            return found
    except TimeoutError:
        which = " ".join(str(part) for part in (method, matcher) if part is not None)
        all_received = "; ".join(f"{record.key[0]} {record.key[1]}" for record in list(journal.records)[-5:]) or "none"
        raise AssertionError(
            f"expected {count_of(count, 'request')}{f' {which}' if which else ''} {reason}, got {len(received())}; "
            f"received last: {all_received}"
        ) from None
    finally:
        unsubscribe()


def _check(count: object, timeout: object) -> None:
    """Raise `TypeError` or `ValueError` for a number of requests or a timeout that cannot be waited for."""
    if isinstance(count, str | URL | re.Pattern):
        raise TypeError(f"count must be a positive int, got {describe_value(count)}; pass the URL as url=")
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"count must be a positive int, got {describe_value(count)}")
    if count < 1:
        raise ValueError(f"count must be a positive int, got {count!r}")
    if timeout is not None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise TypeError(f"timeout must be a number of seconds, or None, got {describe_value(timeout)}")
        if not timeout >= 0:
            raise ValueError(f"timeout must be a number of seconds that is not negative, got {timeout!r}")
