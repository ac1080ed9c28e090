"""The patches on aiohttp: all of them, in one object.

Two names are wrapped while at least one redirection is active. `TCPConnector.connect` is where a connection is
chosen: for an origin that lives elsewhere the user's own connector is asked for a connection to that address
instead, so that its limits, pools, families and resolvers work as ever. `ClientSession._request` is wrapped to know
which connections belong to one call, because aiohttp resends idempotent requests within it.
"""

import asyncio
import functools
import inspect
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientConnectionError, ClientRequest, ClientSession, TCPConnector
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from ._active import ActiveRedirection, ends, locate
from ._call import Attempt, Call
from ._direct import DirectConnector
from ._location import Address

if TYPE_CHECKING:
    from aiohttp.connector import Connection

__all__ = ["PATCH"]

_CONNECT_PARAMETERS = ["self", "req", "traces", "timeout"]
_KEY_FIELDS = {"host", "port", "is_ssl", "ssl", "proxy", "proxy_auth", "proxy_headers_hash"}
_REQUEST_ATTRIBUTES = ("connection_key", "is_ssl", "port")

# How many of aiohttp's functions are remembered with their signatures.
_SIGNATURES = 8

_MARK = "__aiointercept_wrapped__"


class _StandIn:
    """A client's request, as its connector is to see it: plain HTTP to an IP address, without a proxy."""

    __slots__ = ("_request", "connection_key", "host", "port", "url")

    proxy = None

    def __init__(self, request: ClientRequest, address: Address, redirection: ActiveRedirection) -> None:
        self._request = request
        self.host = address.host
        self.port = address.port
        asked = request.connection_key
        known = redirection.keys.get((asked, address))
        if known is None:
            url = URL.build(scheme="http", host=address.host, port=address.port)
            known = redirection.keys.setdefault((asked, address), (url, _key_elsewhere(asked)))
        self.url, self.connection_key = known

    def is_ssl(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class _Patch:
    """The active redirections, innermost last, and what is wrapped while there are any."""

    def __init__(self) -> None:
        # For starts and ends only, which any thread may do: no request waits for it.
        self._lock = threading.Lock()
        self.redirections: tuple[ActiveRedirection, ...] = ()
        self.departed: dict[ClientRequest, Attempt] = {}
        self._wrapped: list[_Wrapped] = []
        self._latest: dict[str, _Wrapped] = {}

    def install(self, redirection: ActiveRedirection) -> None:
        """Add `redirection` as the innermost one; `RuntimeError` where this release of aiohttp does not fit."""
        with self._lock:
            if not self._wrapped:
                _check_aiohttp()
                self._wrapped = [
                    self._wrap(TCPConnector, "connect", self._wrap_connect),
                    self._wrap(ClientSession, "_request", self._wrap_request),
                ]
            self.redirections = (*self.redirections, redirection)

    def remove(self, redirection: ActiveRedirection, reason: str) -> None:
        """Take `redirection` out; calls made under it go to the real network neither now nor later."""
        # Before anything else: who finds the patches gone finds the end as well.
        redirection.end_reason = reason
        with self._lock:
            self.redirections = tuple(other for other in self.redirections if other is not redirection)
            self._unwrap_if_unused()

    def arrive(self, request: ClientRequest) -> Attempt | None:
        """Note that `request` has come to the wrapped `connect`, or never will; return the attempt to send it."""
        attempt = self.departed.pop(request, None)
        if not self.redirections:
            with self._lock:
                self._unwrap_if_unused()
        return attempt

    def _unwrap_if_unused(self) -> None:
        if not self.redirections and not self.departed:
            for wrapped in reversed(self._wrapped):
                wrapped.remove()
            self._wrapped = []

    def _wrap(self, owner: type, name: str, wrap: Callable[["_Wrapped", Any], Any]) -> "_Wrapped":
        """Wrap `name`, by the wrapper that did so last if it is found as it was then."""
        found, original = _find(owner, name)
        wrapped = self._latest.get(name)
        if wrapped is None or wrapped.found is not found or wrapped.original is not original:
            wrapped = self._latest[name] = _Wrapped(owner, name, found, original, wrap)
        wrapped.install()
        return wrapped

    def _drop(self, wrapped: "_Wrapped") -> None:
        with self._lock:
            wrapped.remove()

    def _wrap_connect(self, wrapped: "_Wrapped", original: Callable[..., Awaitable["Connection"]]) -> Any:
        @functools.wraps(original)
        async def connect(connector: TCPConnector, req: ClientRequest, traces: Any, timeout: Any) -> "Connection":
            if not wrapped.active:
                self._drop(wrapped)
                return await original(connector, req, traces, timeout)
            if isinstance(connector, DirectConnector):
                return await original(connector, req, traces, timeout)
            # A call that began before the first redirection has none.
            attempt = self.arrive(req) or Attempt(Call(), req)
            if attempt.call.redirections is not self.redirections:
                attempt.call.refuse_after_end(attempt)
            family = attempt.family = _family(connector)
            redirection, location = locate(self.redirections, attempt)
            if isinstance(location, BaseException):
                attempt.fail(location)
                raise location
            if redirection is None or not isinstance(location, Address):
                return await original(connector, req, traces, timeout)
            if family != socket.AF_UNSPEC and (family == socket.AF_INET6) != (":" in location.host):
                raise ClientConnectionError(
                    f"expected a connector that can reach the mock at {location.host}, got one that is bound to "
                    f"{family!r}; leave out its family, or have the mock listen on that one"
                )
            attempt.redirection, attempt.connector, attempt.timeout = redirection, connector, timeout
            try:
                connection = await original(connector, _StandIn(req, location, redirection), traces, timeout)
            except ClientConnectionError:
                if redirection.end_reason is None:
                    raise
                raise ClientConnectionError(redirection.end_reason) from None
            try:
                if redirection.end_reason is not None:
                    # It took a while, and the port may be another's by now.
                    raise ClientConnectionError(redirection.end_reason)
                _check_in(connection, location, attempt)
            except BaseException:
                connection.close()
                raise
            return connection

        return connect

    def _wrap_request(self, wrapped: "_Wrapped", original: Callable[..., Any]) -> Any:
        # No coroutine function: a frame less, so that aiohttp's warnings name the line of the caller, and a coroutine
        # that is made in the block and run after it belongs to the block.
        @functools.wraps(original)
        def _request(session: ClientSession, *args: Any, **options: Any) -> Any:
            if not wrapped.active:
                self._drop(wrapped)
                return original(session, *args, **options)
            connector = session.connector
            if not isinstance(connector, TCPConnector) or isinstance(connector, DirectConnector):
                return original(session, *args, **options)
            redirections = self.redirections
            call = Call(self, redirections, session, args, options)
            middlewares: Any = options.get("middlewares")
            if middlewares is None:
                middlewares = getattr(session, "_middlewares", ())
            response = original(session, *args, **{**options, "middlewares": call.middlewares(middlewares)})
            for redirection in redirections:
                if redirection.plain_errors:
                    return call.finish(response)
            return response

        return _as_coroutine_function(_request)


class _Wrapped:
    """One name of aiohttp with a wrapper for it: what the class itself `found` there, and the `original` function."""

    def __init__(
        self, owner: type, name: str, found: Any, original: Any, wrap: Callable[["_Wrapped", Any], Any]
    ) -> None:
        self.active = False
        self.found = found
        self.original = original
        self._owner = owner
        self._name = name
        self.wrapper = wrap(self, original)
        setattr(self.wrapper, _MARK, self)

    def install(self) -> None:
        """Put the wrapper in the place of what was found."""
        self.active = True
        setattr(self._owner, self._name, self.wrapper)

    def remove(self) -> None:
        """Put back what was found, unless another library wrapped it after us: then ours only passes calls on.

        If that library puts it back, this is called again by the first who comes by.
        """
        self.active = False
        if vars(self._owner).get(self._name) is not self.wrapper:
            return
        if self.found is None:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self.found)


def _find(owner: type, name: str) -> tuple[Any, Any]:
    """Return what `owner` itself has under `name`, `None` if that is inherited, and the function that it stands for."""
    found, original = vars(owner).get(name), getattr(owner, name)
    # Another library may have put back a wrapper of ours that it had saved. One of its own that copies the attributes
    # of what it wraps carries this mark too, with another function in it.
    while (stale := getattr(original, _MARK, None)) is not None and stale.wrapper is original:
        found, original = stale.found, stale.original
    return found, original


def _check_in(connection: "Connection", address: Address, attempt: Attempt) -> None:
    """Make sure, before a byte is sent, that the connection leads where it should, and note whose it is."""
    transport, redirection = connection.transport, attempt.redirection
    assert redirection is not None
    if transport is None:
        # Lost already: nothing can be sent on it, and aiohttp has its own words for that.
        return
    client, server = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    if client is None or server is None or server[:2] != address[:2]:
        raise ClientConnectionError(
            f"expected a connection to the mock at {address.host}:{address.port}, got one to {server!r}; "
            "it was closed before anything was sent"
        )
    if redirection.attempts is not None:
        redirection.attempts[ends(client, server)] = attempt


def _key_elsewhere(asked: ConnectionKey) -> ConnectionKey:
    """Return what connections to one other address for the origin of the key `asked` are pooled and limited by."""
    # It keeps the origin asked for, so that a limit per host means what it says, and equals no other key, neither the
    # real origin's nor one for another address: no field but this takes any value, and for a request without a proxy
    # aiohttp leaves it empty.
    mark: Any = object()
    return asked._replace(is_ssl=False, proxy=None, proxy_auth=None, proxy_headers_hash=mark)


def _family(connector: TCPConnector) -> int:
    """Return the address family that `connector` is bound to, by itself or by its local address."""
    family = connector.family
    local = getattr(connector, "_local_addr_infos", None)
    if family == socket.AF_UNSPEC and local and all(info[0] == socket.AF_INET6 for info in local):
        return socket.AF_INET6
    return family


def _as_coroutine_function(function: Any) -> Any:
    """Mark `function` for those who ask: `unittest.mock` patches an async function with another kind of mock."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


def _check_aiohttp() -> None:
    """Raise `RuntimeError` where aiohttp lacks what the redirection leans on."""
    missing = []
    # Another library may have wrapped the method: aiohttp's own is among what the classes define.
    defined = [vars(cls)["connect"] for cls in TCPConnector.__mro__ if "connect" in vars(cls)]
    if not any(_names(method) == _CONNECT_PARAMETERS for method in defined):
        missing.append(f"the method TCPConnector.connect({', '.join(_CONNECT_PARAMETERS)})")
    if fields := _KEY_FIELDS - set(getattr(ConnectionKey, "_fields", ())):
        missing.append(f"the fields {', '.join(sorted(fields))} of ConnectionKey")
    missing += [f"ClientRequest.{name}" for name in _REQUEST_ATTRIBUTES if not hasattr(ClientRequest, name)]
    request = getattr(ClientSession, "_request", None)
    if not callable(request) or not _takes(request, "middlewares"):
        missing.append("the method ClientSession._request(..., middlewares)")
    if missing:
        raise RuntimeError(
            f"aiohttp {aiohttp.__version__} cannot be redirected, it lacks {' and '.join(missing)}: "
            "use a release of aiointercept that knows this one, or the default mode with server_url"
        )


# To read a signature takes half of what starting a mock does.
@functools.lru_cache(maxsize=_SIGNATURES)
def _names(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


@functools.lru_cache(maxsize=_SIGNATURES)
def _takes(function: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


PATCH = _Patch()
