"""Replies: a closed family of values, which a transport writes to its connection.

The `delay` of each is the number of seconds before the reply begins. The transport waits, not the registry.
"""

import re
import traceback
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from multidict import CIMultiDict, CIMultiDictProxy

from ._faults import Fault
from ._user_code import ReportedError, describe_error_of, has_user_frames, hide_own_frames, raised_by

__all__ = [
    "Body",
    "BodySource",
    "Callback",
    "CallbackResult",
    "CloseConnection",
    "FaultReply",
    "Reply",
    "Response",
    "Stream",
    "Upgrade",
    "UpgradedConnection",
    "WebSocket",
    "WebSocketConnection",
    "error_response",
    "format_error",
]

# The characters that a reason phrase cannot contain.
_UNSENDABLE = re.compile(r"[^ -~]")

Body: TypeAlias = str | bytes | AsyncIterable[bytes]
BodySource: TypeAlias = Body | Callable[[], Body | Awaitable[Body]]


class Response(NamedTuple):
    """A reply with its whole body; `reason` is `None` for the standard reason phrase of `status`."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes
    delay: float = 0.0


class Stream(NamedTuple):
    """A reply whose body is produced while it is sent; otherwise like `Response`."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: AsyncIterable[bytes]
    delay: float = 0.0


class CloseConnection(NamedTuple):
    """The connection is closed without a response; `explanation` says why if no route had a reply for the request."""

    explanation: str | None = None
    delay: float = 0.0


class FaultReply(NamedTuple):
    """The request fails.

    `fault` is the kind of failure, or the exception that the caller gets. `response` has the head and the body for a
    fault that sends them; with `None`, or without a body to send a part of, the server uses a short one of its own.
    """

    fault: Fault | BaseException
    response: Response | None = None
    delay: float = 0.0

    @property
    def status(self) -> int | None:
        """The status that is sent; `None` if there is none."""
        if not isinstance(self.fault, Fault) or not self.fault.has_body:
            return None
        return 200 if self.response is None else self.response.status


class UpgradedConnection(Protocol):
    """The client's connection after it has left HTTP."""

    async def receive(self) -> bytes:
        """Return the next bytes from the client, `b""` at the end."""

    async def send(self, data: bytes) -> None:
        """Send `data` to the client."""


class Upgrade(NamedTuple):
    """A reply after which the connection leaves HTTP.

    The head is sent exactly as given, then `run` is awaited with the connection, which is closed when `run` returns.
    """

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    run: Callable[[UpgradedConnection], Awaitable[None]]
    delay: float = 0.0


class WebSocketConnection(Protocol):
    """One conversation over a WebSocket; the names are those of `aiohttp.web.WebSocketResponse`."""

    async def receive(self) -> Any:
        """Return the next message, a value of the transport; the last one says how the conversation ended."""

    async def send_str(self, data: str) -> None:
        """Send a text message to the client."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message to the client."""


class WebSocket(NamedTuple):
    """A reply that accepts a WebSocket handshake and has `handler` talk to the client.

    `handler` is called with a `WebSocketConnection`, of which the transport's own class may offer more.
    The first of the client's subprotocols that is in `protocols` is accepted, and `headers` are added to the head. The
    transport closes the WebSocket with 1000 when `handler` returns and with 1011 when it raises. A request that is no
    handshake is refused with status 400.
    """

    handler: Callable[[Any], Awaitable[None]]
    protocols: tuple[str, ...] = ()
    headers: CIMultiDictProxy[str] | None = None
    delay: float = 0.0

    @property
    def status(self) -> int:
        """The status of the reply to a handshake."""
        return 101


Reply: TypeAlias = Response | Stream | CloseConnection | FaultReply | Upgrade | WebSocket


@dataclass(slots=True)
class CallbackResult:
    """The return value of a callback: the reply to one request.

    `body` is a str (sent as UTF-8), bytes, an async iterable of bytes or a function that returns one of these;
    `payload`, serialised to JSON, overrides it. A Content-Type in `headers` overrides `content_type`.
    `method` and `response_class` are accepted for callbacks written for aioresponses and have no effect.
    """

    method: str = "GET"
    status: int = 200
    body: BodySource = ""
    content_type: str = "application/json"
    payload: Any = None
    headers: Mapping[str, str] | None = None
    response_class: Any = None
    reason: str | None = None


Callback: TypeAlias = Callable[..., CallbackResult | Awaitable[CallbackResult]]


def error_response(error: BaseException, message: str | None = None) -> Response:
    """Return the reply that reports `error` to the client: status 500, `message` as its reason, the traceback as text.

    Clients show the reason in their own errors. By default it is the type and the message of `error`, and the name of
    the user's function that raised it.
    """
    if isinstance(error, ReportedError) and error.__cause__ is not None:
        message, error = str(error), error.__cause__
    message = message or describe_error_of(error, raised_by(error, "function")[0])
    text = format_error(error) if has_user_frames(error) else ""
    headers = CIMultiDict({"Content-Type": "text/plain; charset=utf-8"})
    body = f"{message}\n\n{text}".strip() + "\n"
    return Response(
        500, _UNSENDABLE.sub("?", message), CIMultiDictProxy(headers), body.encode("utf-8", "backslashreplace")
    )


def format_error(error: BaseException) -> str:
    """Return the traceback of `error` from the user's function on, with characters that cannot be encoded escaped."""
    text = "".join(traceback.format_exception(hide_own_frames(error)))
    return text.encode("utf-8", "backslashreplace").decode()
