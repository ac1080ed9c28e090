"""One listening socket and the connections that came in through it.

Connections are accepted here and not by an `asyncio.Server`: opening that takes three turns of the loop, closing it
several more, and CPython up to 3.13 fails on a connection that was accepted just before.
"""

import asyncio
import logging
import socket

from aiohttp import web

from ._arrivals import Arrivals
from ._connection import Server
from ._exchange import Exchange, Owner
from ._resend import ResendDetector

__all__ = ["TURNS_TO_ABORT", "Door"]

logger = logging.getLogger("aiointercept")

_BACKLOG = 1024

# For a handler that does not end when its connection is gone; in seconds.
_SHUTDOWN_TIMEOUT = 0.01

# A connection that was accepted just before is made two turns of the loop later, and told that it is lost one more
# turn later.
TURNS_TO_ABORT = 4

# How long nothing is accepted where the process has no descriptor left; in seconds.
_ACCEPT_PAUSE = 0.1

_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class _ListeningSocket(socket.socket):
    """A TCP socket that tells its family and type at once.

    Each `accept` asks for both, and to find the names of these two numbers takes longer than all else that it does.
    """

    __slots__ = ("_family",)

    type = socket.SOCK_STREAM

    def __init__(self, family: socket.AddressFamily) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._family = family

    @property
    def family(self) -> socket.AddressFamily:
        return self._family


class Door:
    """A port on loopback for origins of `scheme`, which the kernel queues connections for from the beginning.

    They are served from when `serve` is called, as `serves` tells. That and `drop` may be called from any thread, all
    else is called on the server's loop.
    """

    def __init__(self, owner: Owner, scheme: str, family: socket.AddressFamily, arrivals: Arrivals) -> None:
        self.serves = False
        self._arrivals = arrivals
        self._owner = owner
        self._scheme = scheme
        # Made for the first connection.
        self._server: Server | None = None
        self._resends = ResendDetector(self._unused_connections)
        self._arriving: dict[socket.socket, asyncio.Task[None]] = {}
        self._socket = _ListeningSocket(family)
        try:
            self._socket.bind((_LOOPBACK[family], 0))
            self._socket.listen(_BACKLOG)
            self._socket.setblocking(False)
        except BaseException:
            self._socket.close()
            raise
        host, port = self._socket.getsockname()[:2]
        self.address: tuple[str, int] = host, port
        self._descriptor = self._socket.fileno()

    def serve(self) -> None:
        """Begin to serve."""
        self._listen()
        self.serves = True

    @property
    def is_busy(self) -> bool:
        """Whether there are connections, also ones that are coming to be, or whose request is not over."""
        return self._server is not None and bool(self._arriving or self._server.connections)

    def close(self) -> None:
        """Accept no more and abort the connections, which are gone within `TURNS_TO_ABORT` of the loop."""
        if self.serves:
            self._arrivals.ignore(self._descriptor)
        if self._server is not None:
            self._resends.clear()
            self._server.abort()
        self._socket.close()

    async def clear(self) -> None:
        """End what is still left of the connections of a closed door: a handler that does not end by itself."""
        if self._server is not None and self._server.connections:
            await self._server.shutdown(_SHUTDOWN_TIMEOUT)

    def drop(self) -> None:
        """Close the socket where no loop serves it."""
        self._socket.close()

    def let_go(self) -> None:
        """Forget all but the address, once nothing is left of the connections."""
        del self._owner, self._resends
        self._server = None

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self._arrivals.watch(self._descriptor, self._accept)

    def _accept(self) -> None:
        """Make a connection of what has come; if more has, this is called again."""
        loop = self._arrivals.loop
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as exc:
            # It would be called again at once, for ever.
            logger.warning("no connection can be accepted for %s s: %s", _ACCEPT_PAUSE, exc)
            self._arrivals.ignore(self._descriptor)
            loop.call_later(_ACCEPT_PAUSE, self._listen)
            return
        if self._server is None:
            self._server = self._make_server()
        # The loop alone would let it be collected.
        self._arriving[accepted] = loop.create_task(self._receive(self._server, accepted))

    async def _receive(self, server: Server, accepted: socket.socket) -> None:
        try:
            await self._arrivals.loop.connect_accepted_socket(server, accepted)
        except Exception as exc:
            logger.warning("a connection could not be made: %s", exc)
        finally:
            del self._arriving[accepted]

    def _make_server(self) -> Server:
        host, port = self.address
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return Server(Exchange(self._owner, self._resends), scheme=self._scheme, authority=authority)

    def _unused_connections(self) -> list[web.RequestHandler]:
        return self._server.unused_connections() if self._server is not None else []
