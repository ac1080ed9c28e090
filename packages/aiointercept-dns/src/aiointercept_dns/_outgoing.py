"""A request that an aiohttp client of this process sends."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any

from aiohttp import ClientRequest, ClientSession, ClientTimeout, TCPConnector

__all__ = ["OutgoingRequest"]

_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


class OutgoingRequest:
    """One request that an aiohttp client sends.

    `method`, `url` and `headers` are those of the request; the URL has the scheme http or https, and no user info or
    fragment. `client_request` is aiohttp's own object. `session`, `args` and `options` are what the user called:
    `session._request(*args, **options)`; `session` is `None` if the call was made before the first redirection.

    `is_initial` is `False` for the further requests of the same call: HTTP redirects and retries. `loop` and `context`
    are the event loop and the context of the client. `connector`, `timeout` and `family`, the address family that the
    connector is bound to (`AF_UNSPEC` for any), are set when the connector is about to connect.
    """

    def __init__(
        self,
        client_request: ClientRequest,
        *,
        session: ClientSession | None = None,
        args: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
        is_initial: bool = True,
    ) -> None:
        self.client_request = client_request
        self.method = client_request.method
        # aiohttp has dropped the fragment.
        url = client_request.url
        if url.raw_user is not None or url.raw_password is not None:
            url = url.with_user(None)
        self.url = url.with_scheme(_HTTP_SCHEMES[url.scheme]) if url.scheme in _HTTP_SCHEMES else url
        self.headers: Mapping[str, str] = client_request.headers
        self.session = session
        self.args = args
        self.options: Mapping[str, Any] = options or {}
        self.is_initial = is_initial
        self.loop = asyncio.get_running_loop()
        self.context = copy_context()
        self.family: int = socket.AF_UNSPEC
        self.connector: TCPConnector | None = None
        self.timeout: ClientTimeout | None = None
        # Set when the request is redirected: the error of a redirection that has ended since.
        self.end_error: Callable[[], BaseException | None] | None = None
        self._exception: BaseException | None = None

    def set_exception(self, error: BaseException) -> None:
        """Raise `error` in the caller in place of the disconnect that follows. May be called from any thread."""
        self._exception = error

    @property
    def exception(self) -> BaseException | None:
        """The exception that the caller gets in place of a disconnect; `None` for aiohttp's own error."""
        if self._exception is None and self.end_error is not None:
            return self.end_error()
        return self._exception
