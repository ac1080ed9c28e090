"""Recognising a request as aiohttp's own retry of one whose connection was closed.

aiohttp sends an idempotent request a second time after a disconnect. For the caller that is one call, so it has to be
one recorded request. Two cases cannot be distinguished: many identical calls at the same time, and a session that does
not retry (its next identical call within a second is taken for the retry).
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakSet

from aiohttp import hdrs

from aiointercept_core import CloseConnection, Reply, Stream, close_iterable

from ._clock import sleep
from ._faults import reply_to_retry
from ._handler import Answer
from ._protocol import Connection
from ._request import AiointerceptRequest

__all__ = ["ignore_retries"]

# aiohttp retries at once; an identical request that comes later is another call. In seconds.
_RETRY_WINDOW = 1.0

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

_Target: TypeAlias = tuple[object, ...]


def ignore_retries(answer: Answer) -> Answer:
    """Return an answer function that does not ask `answer` about aiohttp's own retries.

    A retry is received and its connection is closed or reset, as that of the request before it was.
    """
    closes = _Closes()

    async def answer_first_attempt(request: AiointerceptRequest) -> Reply:
        retry_reply = closes.pop(request)
        if retry_reply is not None:
            await request.receive()
            return retry_reply
        reply = await answer(request)
        if isinstance(reply, Stream):
            return reply._replace(body=closes.watch(request, reply.body))
        retry_reply = reply_to_retry(reply)
        if retry_reply is not None:
            # Waits itself: a retry comes after the delay, and what comes before is no retry.
            if reply.delay:
                await sleep(reply.delay)
                reply = reply._replace(delay=0.0)
            closes.add(request, retry_reply)
        return reply

    return answer_first_attempt


@dataclass(slots=True, eq=False)
class _Close:
    """A request whose connection was closed, and the reply to its retry.

    `unused` are the connections that were open and unused at that time. The references to them are weak: they lead to
    the mock, and a timer refers to this.
    """

    target: _Target
    retry_reply: Reply
    unused: "WeakSet[Connection]"
    timer: asyncio.TimerHandle | None = None


class _Closes:
    """The closed connections whose request aiohttp may retry. Used on the server's loop only."""

    def __init__(self) -> None:
        self._by_target: dict[_Target, list[_Close]] = {}

    def add(self, request: AiointerceptRequest, retry_reply: Reply) -> None:
        """Remember that the connection of `request` is closed, and `retry_reply`, if aiohttp would retry it."""
        connection = request.protocol
        # A client that has left does not retry.
        if request.transport is None or not isinstance(connection, Connection) or connection.server is None:
            return
        # A chunked body comes from a generator, which aiohttp cannot send again.
        headers = request.headers
        if request.method not in _IDEMPOTENT or hdrs.TRANSFER_ENCODING in headers or not _looks_like_aiohttp(headers):
            return
        close = _Close(_target(request), retry_reply, WeakSet(connection.server.unused_connections()))
        close.timer = asyncio.get_running_loop().call_later(_RETRY_WINDOW, self._forget, close)
        self._by_target.setdefault(close.target, []).append(close)

    async def watch(self, request: AiointerceptRequest, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yield the chunks of `body`; if it is cancelled before anything is sent, the connection is closed."""
        try:
            async for chunk in body:
                yield chunk
        except asyncio.CancelledError:
            # aiohttp does not retry a request whose response has begun.
            if not request.writer.output_size:
                self.add(request, CloseConnection())
            raise
        finally:
            await close_iterable(body)

    def pop(self, request: AiointerceptRequest) -> Reply | None:
        """Return the reply to `request` if it is the retry of one that was closed; each close has one retry."""
        if not self._by_target:
            return None
        for close in self._by_target.get(_target(request), ()):
            # A connection that was waiting for its first request at that time belongs to another call.
            if request.protocol not in close.unused:
                self._forget(close)
                return close.retry_reply
        return None

    def _forget(self, close: _Close) -> None:
        if close.timer is not None:
            close.timer.cancel()
        closes = self._by_target[close.target]
        closes.remove(close)
        if not closes:
            del self._by_target[close.target]


def _target(request: AiointerceptRequest) -> _Target:
    return request.sockname, request.method, request.raw_path, request.headers.get(hdrs.HOST)


def _looks_like_aiohttp(headers: Mapping[str, str]) -> bool:
    if "aiohttp/" in headers.get(hdrs.USER_AGENT, ""):
        return True
    return hdrs.CONNECTION not in headers and headers.get(hdrs.ACCEPT_ENCODING, "").startswith("gzip, deflate")
