"""Redirecting every aiohttp client of the process, for as long as a block lasts."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from ._active import ActiveRedirection, Ends, ends
from ._call import Attempt
from ._host_map import HostMap, Targets
from ._location import Origins
from ._patch import PATCH

__all__ = ["Redirection"]


class Redirection:
    """A process-wide redirection of aiohttp's clients, active between `start` and `stop` or in a block.

    `origins` says where origins live: an object with `locate`, or a dict from hosts (`"api.example.com"`,
    `"host:port"` or an origin `"https://host"`) to the URL of a server that is reached in plain HTTP at an IP address
    (`"http://127.0.0.1:5000"`). What it does not know is left to the redirections around it, and to the real network
    at last. Redirections nest and may end in any order.

    A call that was made under a redirection which has ended never goes to the real network instead: it gets an
    `aiohttp.ClientConnectionError`. A call made before the first redirection may still be redirected by it, yet it
    is not known as one call: aiohttp may resend it.

    With `plain_errors` a failure that is a plain `OSError` reaches the caller as that object, where aiohttp would make
    a `ClientOSError` of it; warnings that aiohttp gives to the caller then name the wrong line.
    """

    def __init__(self, origins: Origins | Targets, *, plain_errors: bool = False) -> None:
        self.origins: Origins = HostMap(origins) if isinstance(origins, Mapping) else origins
        self._plain_errors = plain_errors
        self._active: ActiveRedirection | None = None
        # Nobody asks for the attempts behind a dict of hosts.
        self._attempts: dict[Ends, Attempt] | None = {} if self.origins is origins else None

    def start(self) -> None:
        """Begin to redirect.

        Raises `RuntimeError` if it does so already, or if this release of aiohttp cannot be redirected.
        """
        if self._active is not None:
            raise RuntimeError("this redirection is active already; stop() it first, or make another one")
        active = ActiveRedirection(self.origins, self._attempts, plain_errors=self._plain_errors)
        PATCH.install(active)
        self._active = active

    def stop(self, reason: str = "the redirection ended before an answer came") -> None:
        """End the redirection at once; without effect when it is not active.

        A call whose connection breaks from now on gets an `aiohttp.ServerDisconnectedError` with `reason` as its text.
        """
        active, self._active = self._active, None
        if active is not None:
            PATCH.remove(active, reason)

    def take_attempt(self, client: tuple[Any, ...], server: tuple[Any, ...]) -> Attempt | None:
        """Return the attempt behind a request that came in, by the socket addresses of its two ends.

        For `origins` with `locate`. Returns `None` for a client that was not redirected. Each request of a connection
        has its own: ask once for each, or they are kept. May be called from any thread.
        """
        return self._attempts.pop(ends(client, server), None) if self._attempts is not None else None

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
