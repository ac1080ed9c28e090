"""Redirect every aiohttp client of the process while a block runs."""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from ._active import ActiveRedirection, SocketPair, socket_pair
from ._aiohttp_patch import PATCH
from ._decision import Decider
from ._hosts import HostMap, Targets
from ._outgoing import OutgoingRequest

__all__ = ["Redirection"]


class Redirection:
    """A redirection of all aiohttp clients of the process, active from `start` to `stop` or in a block.

    `decide` is a function that is called with each `OutgoingRequest` and returns a `Decision`, or a mapping from hosts
    (`"api.example.com"`, `"host:port"` or an origin `"https://host"`) to the URL of a plain-HTTP server at an IP
    address (`"http://127.0.0.1:5000"`). A function is called on the event loop of the client, so it must not block.
    Requests without a decision are left to outer redirections, and then go to the real network. Redirections nest,
    and may be stopped in any order.

    A call made under a redirection never reaches the real network when the redirection has ended: it raises an
    `aiohttp.ClientConnectionError`. A call made before the first redirection may still be redirected, but then
    aiohttp's own retries are not recognised.

    With `unwrap_os_errors` an `OSError` that is a decision, or was set on a request, reaches the caller as that object
    and not as aiohttp's `ClientOSError`; aiohttp's warnings then name a wrong line.

    A redirection that is collected without `stop` stops redirecting, and a `ResourceWarning` says so.
    """

    def __init__(self, decide: Decider | Targets, *, unwrap_os_errors: bool = False) -> None:
        # Threads may start it at once: the first in the list succeeds, the others remove what they have added.
        self._active: list[ActiveRedirection] = []
        self._decide: Decider
        self._requests: dict[SocketPair, OutgoingRequest] | None
        if isinstance(decide, Mapping):
            # Nothing would remove requests for a mapping: they are for the server that belongs to a function.
            self._decide, self._requests = HostMap(decide).decide, None
        elif callable(decide):
            self._decide, self._requests = decide, {}
        else:
            raise TypeError(f"decide must be a function or a mapping from hosts to URLs, got {decide!r}")
        self._unwrap_os_errors = unwrap_os_errors

    def start(self) -> None:
        """Start redirecting.

        Raises `RuntimeError` if the redirection is active already, or if this release of aiohttp is not supported.
        """
        active = ActiveRedirection(self._decide, self._requests, unwrap_os_errors=self._unwrap_os_errors)
        self._active.append(active)
        try:
            if self._active[:1] != [active]:
                raise RuntimeError("the redirection is already active: call stop() first, or create a second one")
            PATCH.install(active)
        except BaseException:
            self._end(active, "the redirection was not started")
            raise

    def stop(self, reason: str = "the redirection ended before the response arrived") -> None:
        """Stop redirecting at once; does nothing if the redirection is not active.

        A pending call gets an `aiohttp.ServerDisconnectedError` with `reason` as its text when its connection closes.
        If this is interrupted, for example by a `KeyboardInterrupt`, call it again.
        """
        for active in tuple(self._active):
            self._end(active, reason)

    def _end(self, active: ActiveRedirection, reason: str) -> None:
        PATCH.remove(active, reason)
        # Last of all, so that an interrupted `stop` can be called again.
        with suppress(ValueError):
            self._active.remove(active)

    def __del__(self) -> None:
        # Without the list, the constructor was interrupted.
        if vars(self).get("_active"):
            self.stop()
            unstopped = "a Redirection was collected before it was stopped: use a with block, or call stop()"
            warnings.warn(unstopped, ResourceWarning, stacklevel=2, source=self)

    def pop_request(self, client: tuple[Any, ...], server: tuple[Any, ...]) -> OutgoingRequest | None:
        """Return the request that a server received, by the socket addresses of the two ends of the connection.

        Returns `None` if the client was not redirected, or if `decide` is a mapping. Call it once for each request
        that a server receives; the others are kept in memory. May be called from any thread.
        """
        return self._requests.pop(socket_pair(client, server), None) if self._requests is not None else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.stop()
