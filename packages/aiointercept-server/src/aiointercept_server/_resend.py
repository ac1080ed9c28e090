"""Recognising from the wire that a request is aiohttp's own resend of one whose connection was closed.

aiohttp resends an idempotent request once after a disconnect. For the caller that is one call, so it has to be one
recorded request. What cannot be told apart from the wire: many identical calls at once, and a session that does not
resend (its next identical call within a second is taken for the resend).
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import hdrs, web

__all__ = ["ResendDetector"]

# aiohttp resends at once; what comes later is a call of its own. In seconds.
_MEMORY = 1.0

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

_Target: TypeAlias = tuple[str, str, str | None]


@dataclass(slots=True, eq=False)
class _Close:
    """A connection that was closed on a request, and those that were open and unused then."""

    unused: frozenset[web.RequestHandler]
    timer: asyncio.TimerHandle | None = None


class ResendDetector:
    """The closes of one listening socket whose resend has not come yet. Lives on the server's loop.

    `unused` returns the open connections on which no request has come so far.
    """

    def __init__(self, unused: Callable[[], Iterable[web.RequestHandler]]) -> None:
        self._unused = unused
        self._closes: dict[_Target, list[_Close]] = {}

    def is_resend(self, request: web.BaseRequest) -> bool:
        """Tell whether `request` is the resend of one that was closed; each close has one."""
        if not self._closes:
            return False
        target = _target(request)
        for close in self._closes.get(target, ()):
            # A connection that was waiting for its first request then belongs to another call.
            if request.protocol not in close.unused:
                self._forget(target, close)
                return True
        return False

    def closing(self, request: web.BaseRequest) -> None:
        """Note that the connection of `request` is closed instead of answered."""
        if request.method not in _IDEMPOTENT or not _looks_like_aiohttp(request):
            return
        # A chunked upload comes from a generator, which cannot be sent again.
        if hdrs.TRANSFER_ENCODING in request.headers:
            return
        target = _target(request)
        close = _Close(frozenset(self._unused()))
        close.timer = asyncio.get_running_loop().call_later(_MEMORY, self._forget, target, close)
        self._closes.setdefault(target, []).append(close)

    def clear(self) -> None:
        """Forget all closes."""
        for target, closes in list(self._closes.items()):
            for close in list(closes):
                self._forget(target, close)

    def _forget(self, target: _Target, close: _Close) -> None:
        if close.timer is not None:
            close.timer.cancel()
        closes = self._closes[target]
        closes.remove(close)
        if not closes:
            del self._closes[target]


def _target(request: web.BaseRequest) -> _Target:
    return request.method, request.raw_path, request.headers.get(hdrs.HOST)


def _looks_like_aiohttp(request: web.BaseRequest) -> bool:
    headers = request.headers
    if "aiohttp/" in headers.get(hdrs.USER_AGENT, ""):
        return True
    return hdrs.CONNECTION not in headers and headers.get(hdrs.ACCEPT_ENCODING, "").startswith("gzip, deflate")
