"""A WebSocket of the server's loop, for a handler that runs on the test's loop.

Queues pass the messages on in both directions; frames, pings and the closing handshake stay with aiohttp on the
server's loop.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

import aiohttp
from aiohttp import ClientConnectionResetError, WSMessage, WSMessageTypeError, WSMsgType

from aiointercept_server import AiointerceptRequest, RecordedWebSocket

from ._cross_loop import call_threadsafe, set_future
from ._cross_loop_queue import CrossLoopQueue

__all__ = ["ServerWebSocket", "run_handler"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

# How many bytes wait in each direction before the sender is held back. A message counts for some more, so that empty
# ones do not pile up.
_LIMIT = 2**18
_MESSAGE_OVERHEAD = 128

# How much fits into the frame that closes a WebSocket, beside the code, in bytes.
_LONGEST_REASON = 123

# How long a client that closes waits for its answer while the handler takes no message, in seconds.
_CLOSE_GRACE = 0.5

# How often `receive()` may be called after the end: a loop that does not look at what it gets would never end.
_CALLS_AFTER_END = 5

_ENDS = frozenset((WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR))


class _Frame(NamedTuple):
    """A message or a ping to be sent."""

    data: bytes
    kind: WSMsgType
    compress: int | None = None


class _Close(NamedTuple):
    """The closing of the WebSocket; `closed` is set when the client has answered it."""

    code: int
    message: bytes
    closed: "asyncio.Future[None]"


class _End:
    """The item after the last message of a handler that has ended."""


class ServerWebSocket:
    """The mock's side of a WebSocket, with the methods of `aiohttp.web.WebSocketResponse`.

    `request` is the recorded request of the handshake, `protocol` the accepted subprotocol or `None`.
    """

    def __init__(self, socket: RecordedWebSocket) -> None:
        self.request: AiointerceptRequest = socket.request
        self.protocol = socket.ws_protocol
        self._socket = socket
        self._incoming: CrossLoopQueue[WSMessage] = CrossLoopQueue(_LIMIT)
        self._outgoing: CrossLoopQueue[_Frame | _Close | _End] = CrossLoopQueue(_LIMIT)
        self._closed = self._end_was_received = self._is_receiving = False
        self._calls_after_end = 0

    @property
    def closed(self) -> bool:
        """Whether the end was received, or `close()` was called."""
        return self._closed

    @property
    def close_code(self) -> int | None:
        """The code with which the WebSocket was closed, 1006 if the client left without closing it."""
        return self._socket.close_code

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a text message; raise `ClientConnectionResetError` if the client has left."""
        if not isinstance(data, str):
            raise TypeError(f"data must be a str, got {data!r}; send bytes with send_bytes()")
        await self._send(_Frame(data.encode(), WSMsgType.TEXT, compress))

    async def send_bytes(self, data: bytes | bytearray | memoryview, compress: int | None = None) -> None:
        """Send a binary message; raise `ClientConnectionResetError` if the client has left."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be bytes, got {data!r}; send text with send_str()")
        await self._send(_Frame(bytes(data), WSMsgType.BINARY, compress))

    async def send_json(
        self, data: Any, compress: int | None = None, *, dumps: Callable[[Any], str] = json.dumps
    ) -> None:
        """Send a text message with `data` as JSON; raise `ClientConnectionResetError` if the client has left."""
        await self.send_str(dumps(data), compress)

    async def ping(self, message: bytes = b"") -> None:
        """Send a ping; aiohttp answers those of the client."""
        await self._send(_Frame(bytes(message), WSMsgType.PING))

    async def receive(self, timeout: float | None = None) -> WSMessage:
        """Return the next message; its type is `CLOSE`, `CLOSED` or `ERROR` at the end.

        Raises `TimeoutError` if none arrives within `timeout` seconds, and `RuntimeError` if two tasks receive at a
        time, or if this is called again and again after the end.
        """
        if self._is_receiving:
            raise RuntimeError("another task is receiving from this WebSocket: receive in one task at a time")
        if self._closed:
            self._calls_after_end += 1
            if self._calls_after_end >= _CALLS_AFTER_END:
                raise RuntimeError("the WebSocket is closed: end the loop when the type of a message is CLOSED")
            return aiohttp.http.WS_CLOSED_MESSAGE
        while (message := self._incoming.get()) is None:
            self._is_receiving = True
            try:
                async with asyncio.timeout(timeout or None):
                    await self._incoming.wait()
            finally:
                self._is_receiving = False
        if message.type in _ENDS:
            self._closed = self._end_was_received = True
        return message

    async def receive_str(self, *, timeout: float | None = None) -> str:
        """Return the next message, which must be text; otherwise raise `aiohttp.WSMessageTypeError`."""
        return str(await self._receive(WSMsgType.TEXT, timeout))

    async def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """Return the next message, which must be binary; otherwise raise `aiohttp.WSMessageTypeError`."""
        return bytes(await self._receive(WSMsgType.BINARY, timeout))

    async def receive_json(self, *, loads: Callable[[str], Any] = json.loads, timeout: float | None = None) -> Any:
        """Return the next message, which must be text, parsed as JSON."""
        return loads(await self.receive_str(timeout=timeout))

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        """Close the WebSocket and wait for the client's answer; return `False` if it was closed before."""
        if not 1000 <= code <= 4999 or len(message) > _LONGEST_REASON:
            raise ValueError(
                f"code must be from 1000 to 4999 and message at most {_LONGEST_REASON} bytes, got {code!r} and "
                f"{len(message)} bytes"
            )
        if self._closed:
            return False
        self._closed = True
        closed = asyncio.get_running_loop().create_future()
        self._outgoing.put(_Close(code, message, closed), 0)
        await closed
        return True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WSMessage:
        message = await self.receive()
        if message.type in _ENDS:
            raise StopAsyncIteration
        return message

    async def _receive(self, kind: WSMsgType, timeout: float | None) -> Any:
        message = await self.receive(timeout)
        if message.type is not kind:
            raise WSMessageTypeError(f"expected a {kind.name} message, got {message.type.name} {message.data!r}")
        return message.data

    def _ended_because_client_left(self, error: BaseException) -> bool:
        has_left = self._end_was_received or self._outgoing.error is not None
        return has_left and _is_reset(error)

    async def _send(self, frame: _Frame) -> None:
        if self._closed:
            raise ClientConnectionResetError("the WebSocket is closed: nothing can be sent any more")
        outgoing = self._outgoing
        outgoing.put(frame, len(frame.data) + _MESSAGE_OVERHEAD)
        if outgoing.is_full:
            await outgoing.drain()
        if outgoing.error is not None:
            raise outgoing.error


async def run_handler(
    socket: RecordedWebSocket,
    handler: Callable[[ServerWebSocket], Awaitable[None]],
    run: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
) -> None:
    """Have `handler` talk over `socket`, and send all that it has sent; `run` awaits a function on the handler's loop.

    Raises what `handler` raises, unless that is only because the client has left.
    """
    websocket = ServerWebSocket(socket)
    receiving = asyncio.ensure_future(_receive_all(socket, websocket._incoming))
    sending = asyncio.ensure_future(_send_all(socket, websocket, receiving))
    error: BaseException | None = None

    async def talk() -> None:
        nonlocal error
        try:
            await handler(websocket)
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            error = exc
            raise
        finally:
            websocket._closed = True

    try:
        try:
            await run(talk)
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            error = exc
        websocket._outgoing.put(_End(), 0)
        await asyncio.wait({sending})
    except asyncio.CancelledError:
        # The mock is stopped. An error that the handler has raised before is not lost: it may be on its way to this
        # loop, or messages wait for a client that does not read.
        if error is None or websocket._ended_because_client_left(error):
            raise
    finally:
        # Not awaited, for the same reason.
        sending.cancel()
        receiving.cancel()
    if error is not None and not websocket._ended_because_client_left(error):
        raise error


async def _receive_all(socket: RecordedWebSocket, incoming: CrossLoopQueue[WSMessage]) -> None:
    """Pass on what the client sends, until it closes or leaves."""
    while (message := await socket.receive()).type not in _ENDS:
        incoming.put(message, len(message.data) + _MESSAGE_OVERHEAD)
        if incoming.is_full:
            await incoming.drain()
    incoming.put(message, 0)
    # The server answers a client that closes when the handler ends. If the handler waits for something else, nothing
    # would be gained by having the client wait as well.
    taken = -1
    while taken != incoming.taken:
        taken = incoming.taken
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=_CLOSE_GRACE)
    await socket.close()


async def _send_all(socket: RecordedWebSocket, websocket: ServerWebSocket, receiving: "asyncio.Task[None]") -> None:
    """Send what the handler has sent, until it ends."""
    outgoing = websocket._outgoing
    while True:
        while (item := outgoing.get()) is None:
            await outgoing.wait()
        if isinstance(item, _End):
            break
        if isinstance(item, _Close):
            await _stop(receiving)
            await socket.close(code=item.code, message=item.message)
            websocket._incoming.put(aiohttp.http.WS_CLOSED_MESSAGE, 0)
            call_threadsafe(item.closed.get_loop(), set_future, item.closed)
        elif outgoing.error is None:
            try:
                await socket.send_frame(*item)
            except ConnectionError as exc:
                # A message that waits to be sent when the client leaves fails with another class.
                outgoing.fail(ClientConnectionResetError(*exc.args))
            except Exception as exc:
                outgoing.fail(exc)
    # `close()` reads the answer of the client itself.
    await _stop(receiving)


def _is_reset(error: BaseException) -> bool:
    """Return whether nothing but sending to a client that has left failed, also in the tasks of a group."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_reset(one) for one in error.exceptions)
    return isinstance(error, ClientConnectionResetError)


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
