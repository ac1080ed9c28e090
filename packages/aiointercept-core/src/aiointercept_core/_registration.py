"""Registering: the arguments of `add` and `ws`, checked at once and made into routes."""

import inspect
import re
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from yarl import URL, Query

from ._arguments import check_behaviour, check_delay, check_method, check_repeat, reject_unknown, without_class_names
from ._callback_arguments import check_callback
from ._callback_context import CallbackContext
from ._conditions import BodyPattern, build_conditions
from ._fault_replies import FaultTemplate, build_fault
from ._faults import Fault
from ._matchers import build_matcher
from ._replies import BodySource, Callback, CallbackResult, CloseConnection, Reply, WebSocket
from ._reply_template import ReplyTemplate, build_reply, choose_body, stream_events
from ._request import RequestT as R
from ._route import Route
from ._server_sent_events import Events
from ._shortcuts import MethodShortcuts, RouteOptions, set_signatures
from ._websocket_routes import build_websocket

if TYPE_CHECKING:
    from typing import Never

__all__ = ["Registration", "RegistryRules"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


@dataclass(frozen=True)
class RegistryRules:
    """The rules of a registry that may be changed.

    `exact_urls_first`: routes for exact URLs are used before those for patterns; otherwise the order of registration
    decides. `allow_unreachable`: a reply may be registered behind one with `repeat=True`, and is never used.
    `drop_contradicting_headers`: headers that contradict the body are dropped instead of refused. `check_callbacks`: a
    callback that cannot be called is refused, and each gets the keyword arguments that it takes; otherwise all.
    """

    exact_urls_first: bool = True
    allow_unreachable: bool = False
    drop_contradicting_headers: bool = False
    check_callbacks: bool = True


@without_class_names
class Registration(MethodShortcuts[R], Generic[R]):
    """`add` and `ws`, for classes with a method `register`."""

    _rules: RegistryRules
    _callback_context: Callable[[], CallbackContext]

    @abstractmethod
    def register(self, route: Route[R]) -> None:
        """Add a route that was built elsewhere; raise `ValueError` if it would never be used."""

    def add(
        self,
        url: str | URL | re.Pattern[str],
        method: str = "GET",
        status: int | None = 200,
        body: BodySource | None = b"",
        json: Any = None,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool | int = False,
        content_type: str | None = None,
        callback: Callback | None = None,
        reason: str | None = None,
        exception: BaseException | type[BaseException] | bool | None = None,
        *,
        optional: bool = False,
        params: Query = None,
        match_headers: Mapping[str, Any] | None = None,
        match_query: Mapping[str, Any] | None = None,
        match_json: Any = None,
        match_form: Mapping[str, Any] | None = None,
        match_body: BodyPattern | None = None,
        match: Callable[[Any], object] | None = None,
        fault: Fault | BaseException | type[BaseException] | None = None,
        delay: float = 0.0,
        sse: Events | None = None,
        **unknown: "Never",
    ) -> Route[R]:
        """Register a reply to requests for `url` and return its route.

        `url` is a str, a `yarl.URL` or a compiled pattern, `method` any HTTP method, or `"ANY"`. `body` is a str (sent
        as UTF-8), bytes, an async iterable of bytes or a function that returns one of these; `json` or `payload`,
        serialised at once, overrides it. `repeat` is `False` for one request, a number of requests, or `True` for all.
        `callback(url)` returns a `CallbackResult`; it gets those of the keyword arguments `headers`, `query`, `json`,
        `data`, `method`, `form`, `request` and `match` that it takes. With `exception` the connection is closed. An
        `optional` route may stay unused under `assert_all_called`.

        `params` are added to the query of `url`. Only requests that match all conditions get the reply: `match_headers`
        and `match_query` (these values, whatever else there is), `match_json`, `match_form`, `match_body` (bytes, str
        or a compiled pattern) and `match`, a function of the request.

        `sse` is an iterable or async iterable of server-sent events, or a function that returns one: str, mappings,
        lists or `ServerSentEvent`. With `fault` the request fails in that way, or with that exception, which the caller
        gets. The reply begins after `delay` seconds.

        Raises `TypeError` or `ValueError` for arguments that cannot be served.
        """
        reject_unknown(unknown, RouteOptions.__annotations__)
        method = check_method(method)
        check_behaviour(callback, exception, fault, sse)
        matcher, conditions = build_conditions(
            build_matcher(url, params), match_headers, match_query, match_json, match_form, match_body, match
        )
        if sse is not None:
            body, content_type, headers = stream_events(sse, body, json, payload, content_type, headers)
        result = CallbackResult(
            status=200 if status is None else status,
            body=choose_body(body, json, payload),
            content_type="application/json" if content_type is None else content_type,
            headers=headers,
            reason=reason,
        )
        reply: Reply | ReplyTemplate | FaultTemplate = self._build_reply(result, method)
        if fault is not None:
            bodies = {"body": body or None, "json": json, "payload": payload}
            reply = build_fault(fault, result, reply, method, matcher, bodies)
        count = check_repeat(repeat, result.body, "body" if sse is None else "sse")
        runs_functions = callback is not None or isinstance(reply, ReplyTemplate)
        route: Route[R] = Route(
            method,
            matcher,
            CloseConnection() if exception else reply,
            conditions=conditions,
            callback=None if exception else callback,
            callback_arguments=check_callback(callback) if callback and self._rules.check_callbacks else None,
            context=self._callback_context() if runs_functions else None,
            repeat=count,
            optional=optional,
            delay=check_delay(delay),
        )
        self.register(route)
        return route

    def ws(
        self,
        url: str | URL | re.Pattern[str],
        handler: Callable[[Any], Awaitable[None]],
        *,
        protocols: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        repeat: bool | int = False,
        optional: bool = False,
        params: Query = None,
        match_headers: Mapping[str, Any] | None = None,
        match_query: Mapping[str, Any] | None = None,
        match: Callable[[Any], object] | None = None,
        delay: float = 0.0,
        fault: Fault | BaseException | type[BaseException] | None = None,
        **unknown: "Never",
    ) -> Route[R]:
        """Register a WebSocket for handshakes at `url`, with the scheme ws, wss, http or https; return its route.

        The coroutine function `handler(ws)` talks to the client; when it returns, the WebSocket is closed. The first of
        `protocols` that the client offers is accepted; `headers` are added to the response. The other arguments are
        those of `add`. A request that is not a handshake never gets this route.

        Raises `TypeError` or `ValueError` for arguments that cannot be served.
        """
        reject_unknown(unknown, _WS_OPTIONS)
        matcher, conditions = build_conditions(
            build_matcher(url, params), match_headers, match_query, None, None, None, match
        )
        check_behaviour(None, None, fault)
        reply: WebSocket | FaultTemplate = build_websocket(handler, protocols, headers)
        if fault is not None:
            reply = build_fault(fault, CallbackResult(), reply, "GET", matcher, {})
        route: Route[R] = Route(
            "GET",
            matcher,
            reply,
            conditions=conditions,
            context=self._callback_context(),
            repeat=check_repeat(repeat, None),
            optional=optional,
            delay=check_delay(delay),
            websocket=True,
        )
        self.register(route)
        return route

    def _build_reply(self, result: CallbackResult, method: str) -> Reply | ReplyTemplate:
        return build_reply(result, method, drop_contradicting_headers=self._rules.drop_contradicting_headers)


set_signatures(Registration.add)
# The keyword arguments of `ws`.
_WS_OPTIONS = list(inspect.signature(Registration.ws).parameters)[3:]
