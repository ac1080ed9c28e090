"""The sockets that a forked child inherits: those of the server are replaced, because nobody serves them there."""

import os
import socket
from collections.abc import Collection, Iterable

__all__ = ["replace_sockets"]

# Where the system lists the descriptors of the process.
_LISTS = "/proc/self/fd", "/dev/fd"

# How many descriptors are tried where no list can be read.
_TRIED = 2**16


def replace_sockets(addresses: Collection[tuple[str, int]]) -> None:
    """Replace each TCP socket of this process that is bound to one of `addresses` by the null device.

    Its number stays in use, and the socket is neither shut down nor removed from a selector: the parent shares both.
    """
    if not addresses:
        return
    # With a timeout each socket object would make its descriptor, which other processes share, non-blocking.
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(None)
    try:
        for descriptor in _descriptors():
            if _bound_address(descriptor) in addresses:
                _replace(descriptor)
    finally:
        socket.setdefaulttimeout(timeout)


def _descriptors() -> Iterable[int]:
    for path in _LISTS:
        try:
            return [int(name) for name in os.listdir(path)]
        except (OSError, ValueError):
            continue
    return range(_TRIED)


def _bound_address(descriptor: int) -> tuple[str, int] | None:
    """Return the local address of a TCP socket, `None` for any other descriptor."""
    try:
        # Not `socket.socket`, which tools that ban the network replace.
        opened = socket.SocketType(fileno=descriptor)
    except OSError:
        return None
    try:
        if opened.family not in (socket.AF_INET, socket.AF_INET6) or opened.type != socket.SOCK_STREAM:
            return None
        host, port = opened.getsockname()[:2]
        return host, port
    except OSError:
        return None
    finally:
        opened.detach()


def _replace(descriptor: int) -> None:
    # Closed first: the process may have no other descriptor left.
    os.close(descriptor)
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor, inheritable=False)
        os.close(null)
