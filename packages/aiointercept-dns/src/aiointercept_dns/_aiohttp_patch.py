"""The patches on aiohttp: all of them, in one object.

Two methods are wrapped while at least one redirection is active. `TCPConnector.connect` is where aiohttp chooses a
connection: a redirected request gets a connection of the user's own connector to another address, so that its limits,
pool, address family and resolver work as usual. `ClientSession._request` is wrapped to know which requests belong to
one call of the user, because aiohttp retries idempotent requests in it.
"""

import asyncio
import functools
import inspect
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectionError, ClientRequest, ClientSession, TCPConnector
from yarl import URL

from ._active import ActiveRedirection, Redirections, socket_pair
from ._aiohttp_check import POOL_KEY_FIELD, check_aiohttp
from ._calls import Call
from ._connector import UnpatchedConnector
from ._decision import Address, Decision
from ._outgoing import OutgoingRequest

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection

__all__ = ["PATCH"]

_MARK = "__aiointercept_patch__"


class _AiohttpPatch:
    """The active redirections, and the patched attributes while there are any."""

    def __init__(self) -> None:
        # Only for starting and stopping, in any thread: requests do not wait for it.
        self._lock = threading.Lock()
        self._redirections: Redirections = ()
        self._in_flight: dict[ClientRequest, tuple[OutgoingRequest, Redirections]] = {}
        self._patches: list[_AttributePatch] = []

    def install(self, redirection: ActiveRedirection) -> None:
        """Add `redirection` as the innermost one; raises `RuntimeError` if this release of aiohttp is not supported."""
        with self._lock:
            if not self._patches:
                check_aiohttp()
                self._patches = [
                    _AttributePatch(TCPConnector, "connect", self._wrap_connect),
                    _AttributePatch(ClientSession, "_request", self._wrap_request),
                ]
            self._redirections = (*self._redirections, redirection)

    def remove(self, redirection: ActiveRedirection, reason: str) -> None:
        """Remove `redirection`; calls that were made under it never reach the real network."""
        # First of all: a call that finds the patches removed must find the reason.
        redirection.end_reason = reason
        with self._lock:
            self._redirections = tuple(other for other in self._redirections if other is not redirection)
            self._remove_if_unused()

    def add(self, request: OutgoingRequest, redirections: Redirections) -> None:
        """Add a request that is in flight, of a call made under `redirections`; see `InFlight`."""
        # The connector of the user may wait, and another thread may stop the last redirection meanwhile.
        self._in_flight[request.client_request] = request, redirections
        if redirections is not self._redirections:
            _refuse_after_end(request, redirections)

    def pop(self, client_request: ClientRequest) -> tuple[OutgoingRequest, Redirections] | None:
        """Remove a request that is no longer in flight, and return it if it was."""
        found = self._in_flight.pop(client_request, None)
        if not self._redirections:
            with self._lock:
                self._remove_if_unused()
        return found

    def _remove_if_unused(self) -> None:
        if not self._redirections and not self._in_flight:
            for patch in reversed(self._patches):
                patch.remove()
            self._patches = []

    def _remove_late(self, patch: "_AttributePatch") -> None:
        with self._lock:
            patch.remove()

    def _wrap_connect(self, patch: "_AttributePatch", original: Callable[..., Awaitable["Connection"]]) -> Any:
        @functools.wraps(original)
        async def connect(connector: TCPConnector, req: ClientRequest, traces: Any, timeout: Any) -> "Connection":
            if not patch.active:
                self._remove_late(patch)
            if not patch.active or isinstance(connector, UnpatchedConnector):
                return await original(connector, req, traces, timeout)
            # A call that was made before the first redirection is not in flight.
            request, redirections = self.pop(req) or (OutgoingRequest(req), ())
            request.connector, request.timeout, request.family = connector, timeout, _family(connector)
            # Read once: another thread may stop a redirection between the check and the decision.
            active = self._redirections
            if redirections is not active:
                _refuse_after_end(request, redirections)
            redirection, decision = _decide(active, request)
            if isinstance(decision, BaseException):
                request.set_exception(decision)
                raise decision
            if redirection is None or not isinstance(decision, Address):
                return await original(connector, req, traces, timeout)
            _check_family(request.family, decision)
            request.end_error = redirection.end_error
            try:
                connection = await original(connector, _RedirectedRequest(req, decision, redirection), traces, timeout)
            except ClientConnectionError:
                if redirection.end_reason is None:
                    raise
                raise ClientConnectionError(redirection.end_reason) from None
            try:
                if redirection.end_reason is not None:
                    # The port may belong to another server by now.
                    raise ClientConnectionError(redirection.end_reason)
                _verify_peer(connection, decision, redirection, request)
            except BaseException:
                connection.close()
                raise
            return connection

        return connect

    def _wrap_request(self, patch: "_AttributePatch", original: Callable[..., Any]) -> Any:
        # Not a coroutine function: without a frame of ours aiohttp's warnings name the line of the caller, and the
        # redirections are those of the moment when the coroutine is made.
        @functools.wraps(original)
        def _request(session: ClientSession, *args: Any, **options: Any) -> Any:
            if not patch.active:
                self._remove_late(patch)
            connector = session.connector
            if not patch.active or not isinstance(connector, TCPConnector) or isinstance(connector, UnpatchedConnector):
                return original(session, *args, **options)
            redirections = self._redirections
            call = Call(self, redirections, session, args, options)
            middlewares: Any = options.get("middlewares")
            if middlewares is None:
                middlewares = getattr(session, "_middlewares", ())
            response = original(session, *args, **{**options, "middlewares": call.middlewares(middlewares)})
            if any(redirection.unwrap_os_errors for redirection in redirections):
                return call.unwrap_os_error(response)
            return response

        return _as_coroutine_function(_request)


class _AttributePatch:
    """One attribute of an aiohttp class, replaced by a wrapper from when this is made until `remove`."""

    def __init__(self, owner: type, name: str, wrap: Callable[["_AttributePatch", Any], Any]) -> None:
        self._owner = owner
        self._name = name
        self.active = True
        # What the class itself defines, and the function that a lookup finds: its own or an inherited one.
        self.defined, self.original = _current_attribute(owner, name)
        self.wrapper = wrap(self, self.original)
        setattr(self.wrapper, _MARK, self)
        setattr(owner, name, self.wrapper)

    def remove(self) -> None:
        """Restore what was found, unless another library has wrapped the wrapper: then it only passes calls on.

        If that library restores the wrapper later, the next call removes it.
        """
        self.active = False
        if vars(self._owner).get(self._name) is not self.wrapper:
            return
        if self.defined is None:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self.defined)


def _current_attribute(owner: type, name: str) -> tuple[Any, Any]:
    """Return what `owner` itself defines as `name`, `None` if it is inherited, and what a lookup finds."""
    defined, original = vars(owner).get(name), getattr(owner, name)
    # Another library may have restored a wrapper of ours that it had saved. A wrapper of its own may carry the mark
    # too, if it copies the attributes of what it wraps, but then the mark belongs to another function.
    while (stale := getattr(original, _MARK, None)) is not None and stale.wrapper is original:
        defined, original = stale.defined, stale.original
    return defined, original


class _RedirectedRequest:
    """A client's request as its connector sees it: plain HTTP to an IP address, without a proxy."""

    proxy = None

    def __init__(self, client_request: ClientRequest, address: Address, redirection: ActiveRedirection) -> None:
        self._client_request = client_request
        self.host = address.host
        self.port = address.port
        self.url = URL.build(scheme="http", host=address.host, port=address.port)
        self.connection_key = _pool_key(client_request.connection_key, address, redirection)

    def is_ssl(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client_request, name)


def _pool_key(key: "ConnectionKey", address: Address, redirection: ActiveRedirection) -> "ConnectionKey":
    """Return the key of the pool of connections to `address`, for requests whose own key is `key`."""
    # It keeps the origin, so that limits per host work and http and https share no connection. The mark makes it
    # unequal to the key of the real origin and to the key of any other redirection or address.
    mark: Any = (redirection.pool_token, address)
    return key._replace(**{POOL_KEY_FIELD: mark})


def _decide(redirections: Redirections, request: OutgoingRequest) -> tuple[ActiveRedirection | None, Decision]:
    """Return the first decision, from the innermost redirection outwards, and whose it is; fallbacks come last."""
    fallback: tuple[ActiveRedirection | None, Decision] = None, None
    for redirection in reversed(redirections):
        decision = redirection.decide(request)
        if isinstance(decision, Address) and decision.fallback:
            if fallback[0] is None:
                fallback = redirection, decision
        elif decision is not None:
            return redirection, decision
    return fallback


def _refuse_after_end(request: OutgoingRequest, redirections: Redirections) -> None:
    """Raise `ClientConnectionError` if the one of `redirections` that redirects `request` has ended.

    The caller relied on that redirection, so the request must not go to the real network or to another mock.
    """
    if all(each.end_reason is None for each in redirections):
        return
    redirection, decision = _decide(redirections, request)
    if redirection is not None and redirection.end_reason is not None and isinstance(decision, Address):
        raise ClientConnectionError(redirection.end_reason)


def _family(connector: TCPConnector) -> int:
    """Return the address family that `connector` is bound to, by itself or by its local address."""
    family = connector.family
    local = getattr(connector, "_local_addr_infos", None)
    if family == socket.AF_UNSPEC and local and all(info[0] == socket.AF_INET6 for info in local):
        return socket.AF_INET6
    return family


def _check_family(family: int, address: Address) -> None:
    """Raise `ClientConnectionError` if a connector that is bound to `family` cannot reach `address`."""
    if family != socket.AF_UNSPEC and (family == socket.AF_INET6) != (":" in address.host):
        raise ClientConnectionError(
            f"the connector is bound to {socket.AddressFamily(family).name}, but the mock listens on {address.host}: "
            "create the connector without family= and local_addr=, or let the mock listen on that family"
        )


def _verify_peer(
    connection: "Connection", address: Address, redirection: ActiveRedirection, request: OutgoingRequest
) -> None:
    """Raise `ClientConnectionError` if the connection leads elsewhere; else remember that it carries `request`."""
    transport = connection.transport
    if transport is None:
        # It is lost already, and aiohttp raises its own error.
        return
    client, server = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    if client is None or server is None or server[:2] != address[:2]:
        raise ClientConnectionError(
            f"the connector opened a connection to {server!r} instead of the mock at {address.host}:{address.port}, "
            "and it was closed before anything was sent: use a connector that connects to the address it is given"
        )
    if redirection.requests is not None:
        redirection.requests[socket_pair(client, server)] = request


def _as_coroutine_function(function: Any) -> Any:
    """Mark `function` as a coroutine function: `unittest.mock` patches those with another kind of mock."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


PATCH = _AiohttpPatch()
