"""One listening socket and the connections that it accepted.

Connections are accepted here and not by an `asyncio.Server`: that takes several loop iterations to open and to close,
and CPython up to 3.13 fails when it is closed just after it has accepted a connection.
"""

import asyncio
import functools
import logging
import socket

from ._handler import Answer, handle_request
from ._protocol import Server

__all__ = ["Port"]

logger = logging.getLogger("aiointercept")

_BACKLOG = 1024

# How long no connection is accepted after the process has run out of descriptors; in seconds.
_ACCEPT_PAUSE = 0.1

_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class Port:
    """A port on loopback for origins of `scheme`; the system queues connections from the constructor on.

    The constructor may be called in any thread, the methods are called on `loop`.
    """

    def __init__(
        self, answer: Answer, scheme: str, family: socket.AddressFamily, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._answer = answer
        self._scheme = scheme
        self._loop = loop
        # Made for the first connection.
        self._server: Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.bind((_LOOPBACK[family], 0))
            self._socket.listen(_BACKLOG)
            self._socket.setblocking(False)
            host, port = self._socket.getsockname()[:2]
            self.address: tuple[str, int] = host, port
            # The loop is given the number: Python 3.11 makes the representation of a socket each time, which asks the
            # kernel twice, and takes a fifth of the instructions of starting and stopping a mock.
            self._descriptor = self._socket.fileno()
        except BaseException:
            self._socket.close()
            raise

    @property
    def is_busy(self) -> bool:
        """Whether connections are open or being set up, or requests are being handled."""
        return bool(self._connecting) or (self._server is not None and bool(self._server.connections))

    def close(self) -> None:
        """Stop accepting and abort all connections; they are closed a few loop iterations later."""
        self._loop.remove_reader(self._descriptor)
        if self._server is not None:
            self._server.abort()
        self._socket.close()

    def close_socket(self) -> None:
        """Close the socket only, in a process or at a time in which the loop does not run."""
        self._socket.close()

    def accept_connections(self) -> None:
        """Accept connections from now on, unless the port is closed."""
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._descriptor, self._accept)

    def _accept(self) -> None:
        """Accept one connection; the loop calls this again if more are waiting."""
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as exc:
            # Without a pause the loop would call this again at once.
            logger.warning("cannot accept connections, trying again in %s s: %s", _ACCEPT_PAUSE, exc)
            self._loop.remove_reader(self._descriptor)
            self._loop.call_later(_ACCEPT_PAUSE, self.accept_connections)
            return
        if self._server is None:
            host, port = self.address
            authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self._server = Server(functools.partial(handle_request, self._answer), (self._scheme, authority))
        task = self._loop.create_task(self._connect(accepted, self._server))
        # The loop keeps only a weak reference to a task.
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, accepted: socket.socket, server: Server) -> None:
        try:
            await self._loop.connect_accepted_socket(server, accepted)
        except Exception as exc:
            logger.warning("cannot set up an accepted connection: %s", exc)
