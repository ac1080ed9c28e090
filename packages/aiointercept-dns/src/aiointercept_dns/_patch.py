"""The patches on aiohttp: all of them, in one object.

Two names are wrapped while at least one redirection is active. `TCPConnector.connect` is where a connection is
chosen: for an origin that lives elsewhere the user's own connector is asked for a connection to that address
instead, so that its limits, pools, families and resolvers work as ever. `ClientSession._request` is wrapped to know
which connections belong to one call, because aiohttp resends idempotent requests within it.
"""

import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientConnectionError, ClientRequest, ClientSession, TCPConnector
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from ._call import CURRENT_CALL, Attempt, Call
from ._location import Address, Location, OutgoingRequest

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from ._redirection import Redirection

__all__ = ["PATCH", "DirectConnector"]

_SCHEMES = {"ws": "http", "wss": "https"}

_CONNECT_PARAMETERS = ["self", "req", "traces", "timeout"]
_KEY_FIELDS = {"host", "port", "is_ssl", "ssl", "proxy", "proxy_auth", "proxy_headers_hash"}
_REQUEST_ATTRIBUTES = ("connection_key", "is_ssl", "port")

_MARK = "__aiointercept_wraps__"

_Pair = tuple[tuple[str, int], tuple[str, int]]


class DirectConnector(TCPConnector):
    """A connector that no redirection concerns: it reaches the real network."""


class _StandIn:
    """A client's request, as its connector is to see it: plain HTTP to an IP address, without a proxy."""

    def __init__(self, request: ClientRequest, address: Address, token: int) -> None:
        self._request = request
        self.url = URL.build(scheme="http", host=address.host, port=address.port)
        self.host = address.host
        self.port = address.port
        self.proxy = None
        # Pools and limits per host go by this key. It keeps the origin asked for, and differs from the key of the
        # real origin and of every other mock.
        self.connection_key = request.connection_key._replace(
            is_ssl=False, proxy=None, proxy_auth=None, proxy_headers_hash=hash((token, address.port, request.is_ssl()))
        )

    def is_ssl(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class _Patch:
    """The active redirections, innermost last, and what is wrapped while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._redirections: tuple[Redirection, ...] = ()
        self._wrapped: list[_Wrapped] = []
        self._attempts: dict[_Pair, Attempt] = {}
        self._calls: set[Call] = set()
        self._guarded: set[TCPConnector] = set()

    def install(self, redirection: "Redirection") -> None:
        """Add `redirection` as the innermost one; `RuntimeError` where this release of aiohttp does not fit."""
        with self._lock:
            if not self._redirections:
                _check_aiohttp()
                self._wrapped = [
                    _Wrapped(TCPConnector, "connect", self._wrap_connect),
                    _Wrapped(ClientSession, "_request", self._wrap_request),
                ]
            self._redirections = (*self._redirections, redirection)

    def remove(self, redirection: "Redirection", error: BaseException) -> None:
        """Take `redirection` out; calls that wait for an answer from it get `error` and go nowhere else."""
        with self._lock:
            stack = self._redirections
            self._redirections = tuple(other for other in stack if other is not redirection)
            for call in self._calls:
                self._end_call(call, redirection, stack, error)
            for pair, attempt in list(self._attempts.items()):
                if attempt.redirection is redirection:
                    del self._attempts[pair]
            if not self._redirections:
                for wrapped in reversed(self._wrapped):
                    wrapped.remove()
                self._wrapped = []

    def take_attempt(self, client: tuple[Any, ...], server: tuple[Any, ...]) -> Attempt | None:
        """Return the attempt that made the connection between two socket addresses, once for each request on it."""
        return self._attempts.pop((client[:2], server[:2]), None)

    def _locate(
        self, stack: "tuple[Redirection, ...]", family: int, attempt: Attempt
    ) -> "tuple[Redirection | None, Location]":
        request = attempt.request
        outgoing = OutgoingRequest(request.method, attempt.url, request.headers, family, attempt)
        fallback: tuple[Redirection | None, Location] = None, None
        for redirection in reversed(stack):
            location = redirection.origins.locate(outgoing)
            if isinstance(location, Address) and location.fallback:
                if fallback[0] is None:
                    fallback = redirection, location
            elif location is not None:
                return redirection, location
        return fallback

    def _wrap_connect(self, wrapped: "_Wrapped", original: Callable[..., Awaitable["Connection"]]) -> Any:
        @functools.wraps(original)
        async def connect(connector: TCPConnector, req: ClientRequest, traces: Any, timeout: Any) -> "Connection":
            if not wrapped.active or isinstance(connector, DirectConnector):
                return await original(connector, req, traces, timeout)
            call = CURRENT_CALL.get() or Call()
            if call.failure_of_resend(req) is not None:
                # Whatever the failure is: only this is left alone by aiohttp, to be replaced where the call ends.
                raise aiohttp.ServerDisconnectedError
            attempt = Attempt(call, req, _asked_url(req))
            redirection, location = self._locate(self._redirections, connector.family, attempt)
            if isinstance(location, BaseException):
                raise location
            attempt.redirection = redirection
            call.attempt = attempt
            if redirection is None or not isinstance(location, Address):
                return await original(connector, req, traces, timeout)
            stand_in = _StandIn(req, location, redirection.token)
            connection = await original(connector, stand_in, traces, timeout)
            try:
                self._check_in(connection, location, attempt)
            except BaseException:
                connection.close()
                raise
            return connection

        return connect

    def _check_in(self, connection: "Connection", address: Address, attempt: Attempt) -> None:
        """Make sure, before a byte is sent, that the connection leads where it should, and note whose it is."""
        transport = connection.transport
        client = transport.get_extra_info("sockname") if transport is not None else None
        server = transport.get_extra_info("peername") if transport is not None else None
        if client is None or server is None or server[:2] != (address.host, address.port):
            raise ClientConnectionError(
                f"expected a connection to the mock at {address.host}:{address.port}, got one to {server!r}; "
                "it was closed before anything was sent"
            )
        with self._lock:
            if attempt.redirection not in self._redirections:
                raise attempt.call.failure or ClientConnectionError(
                    "the mock was stopped while a client connected to it"
                )
            self._attempts[client[:2], server[:2]] = attempt

    def _wrap_request(self, wrapped: "_Wrapped", original: Callable[..., Awaitable[Any]]) -> Any:
        @functools.wraps(original)
        async def _request(session: ClientSession, *args: Any, **options: Any) -> Any:
            if not wrapped.active:
                return await original(session, *args, **options)
            call = Call(session, args, options)
            token = CURRENT_CALL.set(call)
            with self._lock:
                self._calls.add(call)
            try:
                return await original(session, *args, **options)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as exc:
                if call.failure is None or exc is call.failure:
                    raise
                failure = call.failure
            finally:
                CURRENT_CALL.reset(token)
                with self._lock:
                    self._calls.discard(call)
                    self._unguard(call)
            # Out here, so that the disconnect that only carried it does not show as its context.
            raise failure

        return _request

    def _end_call(
        self, call: Call, redirection: "Redirection", stack: "tuple[Redirection, ...]", error: BaseException
    ) -> None:
        """Keep a call that is under way from going to the real network, now that its mock is gone."""
        attempt = call.attempt
        if attempt is not None and attempt.redirection is not redirection:
            return
        if attempt is not None:
            attempt.fail(error)
        connector = call.connector
        if connector is None or ("connect" in vars(connector) and connector not in self._guarded):
            return
        # With the class unpatched, the call's own connector has to refuse what aiohttp resends by itself.
        self._guarded.add(connector)
        vars(connector)["connect"] = functools.partial(self._connect_guarded, connector, stack, error)

    async def _connect_guarded(
        self,
        connector: TCPConnector,
        stack: "tuple[Redirection, ...]",
        error: BaseException,
        req: ClientRequest,
        traces: Any,
        timeout: Any,
    ) -> "Connection":
        call = CURRENT_CALL.get()
        if call is not None and not self._redirections:
            failure = call.failure_of_resend(req)
            if failure is None and call.attempt is None and call in self._calls:
                # It had not come as far as asking where to go: ask those who were there when it began.
                _, location = self._locate(stack, connector.family, Attempt(call, req, _asked_url(req)))
                failure = error if isinstance(location, Address) else None
            if failure is not None:
                call.failure = failure
                raise aiohttp.ServerDisconnectedError
        return await type(connector).connect(connector, req, traces, timeout)

    def _unguard(self, call: Call) -> None:
        connector = call.connector
        if connector is None or connector not in self._guarded:
            return
        if not any(other.connector is connector for other in self._calls):
            self._guarded.remove(connector)
            vars(connector).pop("connect", None)


class _Wrapped:
    """One name of aiohttp that is wrapped, and how it was found."""

    def __init__(self, owner: type, name: str, wrap: Callable[["_Wrapped", Any], Any]) -> None:
        self.active = True
        self._owner = owner
        self._name = name
        self._own = vars(owner).get(name)
        original = getattr(owner, name)
        # Another library may have put back a wrapper of ours that it had saved; it only passes calls on. One that
        # copies the attributes of what it wraps carries this mark too, with another function in it.
        while (mark := getattr(original, _MARK, None)) is not None and mark[0] is original:
            original = mark[1]
        self._wrapper = wrap(self, original)
        setattr(self._wrapper, _MARK, (self._wrapper, original))
        setattr(owner, name, self._wrapper)

    def remove(self) -> None:
        self.active = False
        if vars(self._owner).get(self._name) is not self._wrapper:
            # Another library wrapped it after us: its wrapper stays, and ours under it only passes calls on.
            return
        if self._own is None:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._own)


def _asked_url(request: ClientRequest) -> URL:
    url = request.url.with_user(None).with_fragment(None)
    return url.with_scheme(_SCHEMES[url.scheme]) if url.scheme in _SCHEMES else url


def _check_aiohttp() -> None:
    """Raise `RuntimeError` where aiohttp lacks what the redirection leans on."""
    missing = []
    # Another library may have wrapped the method: aiohttp's own is among what the classes define.
    defined = [inspect.unwrap(vars(cls)["connect"]) for cls in TCPConnector.__mro__ if "connect" in vars(cls)]
    if not any(list(inspect.signature(method).parameters) == _CONNECT_PARAMETERS for method in defined):
        missing.append(f"the method TCPConnector.connect({', '.join(_CONNECT_PARAMETERS)})")
    if fields := _KEY_FIELDS - set(getattr(ConnectionKey, "_fields", ())):
        missing.append(f"the fields {', '.join(sorted(fields))} of ConnectionKey")
    missing += [f"ClientRequest.{name}" for name in _REQUEST_ATTRIBUTES if not hasattr(ClientRequest, name)]
    if not callable(getattr(ClientSession, "_request", None)):
        missing.append("the method ClientSession._request")
    if missing:
        raise RuntimeError(
            f"aiohttp {aiohttp.__version__} cannot be redirected, it lacks {' and '.join(missing)}: "
            "use a release of aiointercept that knows this one, or the default mode with server_url"
        )


PATCH = _Patch()
