"""The patches on aiohttp: all of them, in one object.

Two methods are wrapped while at least one redirection is active. `TCPConnector.connect` is where aiohttp chooses a
connection: a redirected request gets a connection of the user's own connector to another address, so that its limits,
pool, address family and resolver work as usual. `ClientSession._request` is wrapped to know which requests belong to
one call of the user, because aiohttp retries idempotent requests in it.
"""

import asyncio
import functools
import inspect
import os
import sys
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectionError, ClientRequest, ClientSession, NamedPipeConnector, TCPConnector, UnixConnector
from yarl import URL

from ._active import ActiveRedirection, Redirections
from ._aiohttp_check import POOL_KEY_FIELD, check_aiohttp, private_attribute
from ._calls import Call
from ._changes import Changes
from ._connector import UnpatchedConnector, bound_family, check_family, verify_peer, without_overrides
from ._decision import Address, Decision
from ._outgoing import OutgoingRequest

if TYPE_CHECKING:
    from aiohttp.connector import Connection

__all__ = ["PATCH"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_MARK = "__aiointercept_patch__"

# The last two lead to servers on this machine that the user has named; a closed session has no connector.
_NEVER_REDIRECTED = (UnpatchedConnector, type(None), UnixConnector, NamedPipeConnector)


class _AiohttpPatch:
    """The active redirections, and the patched attributes while there are any."""

    def __init__(self) -> None:
        # Only for starting and stopping, in any thread: requests do not wait for it.
        self._changes = Changes()
        # Only a started `Redirection` and its calls keep it alive, so that one that is not stopped can be collected.
        self._started: tuple[weakref.ref[ActiveRedirection], ...] = ()
        self._in_flight: dict[ClientRequest, tuple[OutgoingRequest, Redirections]] = {}
        self._patches: list[_AttributePatch] = []
        self._is_patched = False

    def install(self, redirection: ActiveRedirection) -> None:
        """Add `redirection` as the innermost one; raises `RuntimeError` if this release of aiohttp is not supported."""
        if not self._is_patched:
            check_aiohttp()
        self._changes.do(functools.partial(self._update, weakref.ref(redirection)))

    def remove(self, redirection: ActiveRedirection, reason: str) -> None:
        """Remove `redirection`; calls that were made under it never reach the real network."""
        # First of all: a call that finds the patches removed must find the reason.
        redirection.end_reason = reason
        self._changes.do(functools.partial(self._update, weakref.ref(redirection)))

    def add(self, request: OutgoingRequest, redirections: Redirections) -> None:
        """Add a request that is in flight, of a call made under `redirections`; see `InFlight`."""
        connector = request.session and request.session.connector
        if connector is not None and not isinstance(connector, TCPConnector):
            # Its requests never reach `TCPConnector.connect`.
            if self._find_address(request, redirections) is None:
                return
            raise RuntimeError(
                f"{request.method} {request.url} cannot be redirected because {type(connector).__name__} is not a "
                "TCPConnector: use an aiohttp.TCPConnector in tests, or let this host reach the real network"
            )
        # The connector of the user may wait, and another thread may stop the last redirection meanwhile.
        self._in_flight[request.client_request] = request, redirections
        _refuse_after_end(request, redirections)

    def pop(self, client_request: ClientRequest) -> tuple[OutgoingRequest, Redirections] | None:
        """Remove a request that is no longer in flight, and return it if it was."""
        found = self._in_flight.pop(client_request, None)
        if self._patches and not self._started:
            self._changes.do(self._update)
        return found

    @property
    def _redirections(self) -> Redirections:
        return tuple(redirection for each in self._started if (redirection := each()) is not None)

    def after_fork_in_child(self) -> None:
        """Forget what only threads of the parent would finish."""
        self._changes.after_fork_in_child()
        self._in_flight.clear()

    def _update(self, *changed: weakref.ref[ActiveRedirection]) -> None:
        """Bring the active redirections and the patches in line with `changed`, which have started or ended."""
        started = (*(each for each in self._started if each not in changed), *changed)
        self._started = tuple(each for each in started if (found := each()) is not None and found.end_reason is None)
        is_needed = bool(self._started or self._in_flight)
        if is_needed and self._is_patched:
            return
        self._is_patched = False
        # They are not needed, or an interrupt has left them.
        while self._patches:
            self._patches[-1].remove()
            self._patches.pop()
        if is_needed:
            # Known before they are installed, so that an interrupt leaves none behind.
            self._patches.append(_AttributePatch(TCPConnector, "connect", self._wrap_connect))
            self._patches.append(_AttributePatch(ClientSession, "_request", self._wrap_request))
            for patch in self._patches:
                patch.install()
            self._is_patched = True

    def _find_address(
        self, request: OutgoingRequest, redirections: Redirections
    ) -> tuple[ActiveRedirection, Address] | None:
        """Return where `request`, of a call made under `redirections`, goes: `None` for the real network.

        Raises a decision that is an exception, and `ClientConnectionError` if its redirection has ended.
        """
        # Read once: another thread may stop a redirection between the check and the decision.
        active = self._redirections
        _refuse_after_end(request, redirections)
        redirection, decision = _decide(active, request)
        if isinstance(decision, BaseException):
            request.set_exception(decision)
            raise decision
        return (redirection, decision) if redirection is not None and isinstance(decision, Address) else None

    def _wrap_connect(self, patch: "_AttributePatch", original: Callable[..., Awaitable["Connection"]]) -> Any:
        @functools.wraps(original)
        async def connect(connector: TCPConnector, req: ClientRequest, traces: Any, timeout: Any) -> "Connection":
            if not patch.active:
                self._changes.do(patch.remove)
            if not patch.active or isinstance(connector, UnpatchedConnector):
                return await original(connector, req, traces, timeout)
            # A call that was made before the first redirection is not in flight.
            request, redirections = self.pop(req) or (OutgoingRequest(req), ())
            request.connector, request.timeout, request.family = connector, timeout, bound_family(connector)
            found = self._find_address(request, redirections)
            if found is None:
                return await original(connector, req, traces, timeout)
            redirection, address = found
            check_family(request.family, address)
            request.end_error = redirection.end_error
            try:
                plain = without_overrides(connector)
                connection = await original(plain, _RedirectedRequest(req, address, redirection), traces, timeout)
            except ClientConnectionError:
                if redirection.end_reason is None:
                    raise
                raise ClientConnectionError(redirection.end_reason) from None
            try:
                if plain is not connector:
                    private_attribute(connection, "_connector")
                    connection._connector = connector
                if redirection.end_reason is not None:
                    # The port may belong to another server by now.
                    raise ClientConnectionError(redirection.end_reason)
                verify_peer(connection, address, redirection, request)
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
                self._changes.do(patch.remove)
            if not patch.active or isinstance(session.connector, _NEVER_REDIRECTED):
                return original(session, *args, **options)
            redirections = self._redirections
            call = Call(self, redirections, session, args, options)
            middlewares: Any = options.get("middlewares")
            if middlewares is None:
                middlewares = private_attribute(session, "_middlewares")
            response = original(session, *args, **{**options, "middlewares": call.middlewares(middlewares)})
            call.release_with(response)
            if any(redirection.unwrap_os_errors for redirection in redirections):
                return call.unwrap_os_error(response)
            return response

        return _as_coroutine_function(_request)


class _AttributePatch:
    """One attribute of a class, replaced by a wrapper from `install` until `remove`."""

    def __init__(self, owner: type, name: str, wrap: Callable[["_AttributePatch", Any], Any]) -> None:
        self._owner = owner
        self._name = name
        self.active = True
        # The attribute of the class itself, and the function that a lookup finds: its own or an inherited one.
        self.defined, self.original = _current_attribute(owner, name)
        self.wrapper = wrap(self, self.original)
        setattr(self.wrapper, _MARK, self)

    def install(self) -> None:
        setattr(self._owner, self._name, self.wrapper)

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
        self.host, self.port = address.host, address.port
        # Its pool: the key keeps the origin, so that limits per host work and http and https share no connection. The
        # mark makes it unequal to the key of the real origin and to the key of any other redirection or address.
        key = client_request.connection_key
        fields: list[Any] = list(key)
        fields[key._fields.index(POOL_KEY_FIELD)] = redirection.pool_token, address
        self.connection_key = type(key)._make(fields)

    @property
    def url(self) -> URL:
        """The URL of the server; only a new connection needs it."""
        return URL(f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}")

    def is_ssl(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client_request, name)


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
    for each in redirections:
        if each.end_reason is not None:
            break
    else:
        return
    redirection, decision = _decide(redirections, request)
    if redirection is not None and redirection.end_reason is not None and isinstance(decision, Address):
        raise ClientConnectionError(redirection.end_reason)


def _as_coroutine_function(function: Any) -> Any:
    """Mark `function` as a coroutine function: `unittest.mock` patches those with another kind of mock."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


PATCH = _AiohttpPatch()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PATCH.after_fork_in_child)
