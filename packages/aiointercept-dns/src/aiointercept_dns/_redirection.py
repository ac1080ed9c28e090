"""Redirecting every aiohttp client of the process, for as long as a block lasts."""

import itertools
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import ServerDisconnectedError

from ._call import Attempt
from ._host_map import HostMap, Targets
from ._location import Origins
from ._patch import PATCH

__all__ = ["Redirection"]

_tokens = itertools.count(1)


class Redirection:
    """A process-wide redirection of aiohttp's clients, active between `start` and `stop` or in a block.

    `origins` says where origins live: an object with `locate`, or a dict from hosts (`"api.example.com"`,
    `"host:port"` or an origin `"https://host"`) to the URL of a server that is reached in plain HTTP at an IP address
    (`"http://127.0.0.1:5000"`). What it does not know is left to the redirections around it, and to the real network
    at last. Redirections nest and may end in any order.
    """

    def __init__(self, origins: Origins | Targets) -> None:
        self.origins: Origins = HostMap(origins) if isinstance(origins, Mapping) else origins
        self.token = next(_tokens)
        self._active = False

    def start(self) -> None:
        """Begin to redirect.

        Raises `RuntimeError` if it does so already, or if this release of aiohttp cannot be redirected.
        """
        if self._active:
            raise RuntimeError("this redirection is active already; stop() it first, or make another one")
        PATCH.install(self)
        self._active = True

    def stop(self, error: BaseException | None = None) -> None:
        """End the redirection at once; without effect when it is not active.

        A call that still waits for an answer gets `error`, by default an `aiohttp.ServerDisconnectedError`.
        """
        if self._active:
            self._active = False
            PATCH.remove(self, error or ServerDisconnectedError("the redirection ended before an answer came"))

    def take_attempt(self, client: tuple[Any, ...], server: tuple[Any, ...]) -> Attempt | None:
        """Return the attempt behind a request that came in, by the socket addresses of its two ends.

        Returns `None` for a client that was not redirected. Each request of a connection has its own: ask once for
        each. May be called from any thread.
        """
        return PATCH.take_attempt(client, server)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
