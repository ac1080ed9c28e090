"""WebSocket routes: what `ws` registers, checked at once, and which requests are handshakes."""

from collections.abc import Iterable, Mapping
from typing import Any

from multidict import CIMultiDictProxy

from ._format import describe_function, describe_value
from ._headers import TOKEN, build_headers
from ._replies import WebSocket
from ._request import Request, header
from ._user_code import is_coroutine_function

__all__ = ["build_websocket", "is_handshake"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


def build_websocket(handler: object, protocols: Iterable[str], headers: Mapping[str, str] | None) -> WebSocket:
    """Return the checked reply to a handshake; raise `TypeError` or `ValueError` if it cannot be sent."""
    if not is_coroutine_function(handler):
        given = describe_function(handler) if callable(handler) else describe_value(handler)
        raise TypeError(
            f"handler must be a coroutine function, got {given}; write `async def handler(ws): ...` and pass the "
            "function itself"
        )
    if isinstance(protocols, str) or not isinstance(protocols, Iterable):
        raise TypeError(f"protocols must be a list of str, got {describe_value(protocols)}; write protocols=['chat']")
    names: tuple[Any, ...] = tuple(protocols)
    for name in names:
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ValueError(
                f"protocols must be names of subprotocols without spaces, got {describe_value(name)}; "
                "for example protocols=['graphql-ws']"
            )
    return WebSocket(handler, names, CIMultiDictProxy(build_headers(headers)))  # type: ignore[arg-type]


def is_handshake(request: Request) -> bool:
    """Return whether `request` asks for a WebSocket."""
    return request.method.upper() == "GET" and header(request, "Upgrade").strip().lower() == "websocket"
