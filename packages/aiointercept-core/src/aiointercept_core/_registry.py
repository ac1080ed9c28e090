"""The registry: routes in, replies out.

One lock makes matching, consuming a reply and recording the request a single step, because requests arrive on the
thread of a server while a test registers and asserts on its own.
"""

import functools
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from yarl import URL

from ._assertions import CallAssertions
from ._callback_arguments import callback_arguments
from ._callback_context import CallbackContext, DirectContext
from ._explanation import COMPARED, explain
from ._fault_replies import FaultTemplate
from ._format import count_of, describe_function, describe_value, list_of, shorten
from ._journal import Journal, Record
from ._matchers import url_texts
from ._matching import Matching, Unknown
from ._registration import Registration, RegistryRules
from ._replies import CallbackResult, CloseConnection, Reply, WebSocket, format_error
from ._reply_template import ReplyTemplate
from ._request import PlainRequest, Request, request_details
from ._request import RequestT as R
from ._route import Route
from ._route_table import RouteTable
from ._urls import normalize_url, origin_of, request_key
from ._websocket_routes import is_handshake

__all__ = ["Registry"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

logger = logging.getLogger("aiointercept")

T = TypeVar("T")
Q = TypeVar("Q", bound=Request)

_NAMED = 20


class Registry(Registration[R], CallAssertions[R], Generic[R]):
    """Routes and recorded requests, without a transport.

    A transport calls `await registry.answer(request)` for each request. All methods may be called from any thread.
    An `add` with a function or an iterable calls `callback_context`, and these run in the returned context. `on_error`
    is called with an exception that a condition of a route has raised, and with the request; by default it is logged.
    """

    def __init__(
        self,
        rules: RegistryRules | None = None,
        *,
        callback_context: Callable[[], CallbackContext] = DirectContext,
        on_error: "Callable[[BaseException, Request], None] | None" = None,
    ) -> None:
        self._rules = rules or RegistryRules()
        self._callback_context = callback_context
        self._on_error = on_error or _log_error
        self._journal: Journal[R] = Journal()
        self._new_table = functools.partial(
            RouteTable, exact_urls_first=self._rules.exact_urls_first, allow_unreachable=self._rules.allow_unreachable
        )
        self._table = self._new_table()
        self.renew_lock()

    @property
    def lock(self) -> AbstractContextManager[object]:
        """The lock that the methods take; hold it to make several calls a single step. It is reentrant."""
        return self._lock

    def renew_lock(self) -> None:
        """Replace the lock by a new one, in a forked child: a thread of the parent may have held it."""
        self._lock = threading.RLock()

    @property
    def journal(self) -> Journal[R]:
        """The recorded requests."""
        return self._journal

    @property
    def routes(self) -> list[Route[R]]:
        """All routes, exhausted ones included, in the order of registration."""
        with self._lock:
            return self._table.routes

    def register(self, route: Route[R]) -> None:
        """Add a route that was built elsewhere; raise `ValueError` if it would never be used."""
        with self._lock:
            self._table.insert(route)

    def remove(self, route: Route[R]) -> None:
        """Have `route` answer no more requests; what it answered stays recorded, and its origin stays covered.

        Without effect for a route that was removed before; `ValueError` for one of another mock.
        """
        if not isinstance(route, Route):
            raise TypeError(f"remove() takes a route, as add() and get() return it, got {describe_value(route)}")
        with self._lock:
            if self._table.remove(route):
                route.remaining = 0
            elif route.remaining != 0:
                raise ValueError(f"{shorten(str(route))} is not a route of this mock: call remove() on its own mock")

    def clear_requests(self) -> None:
        """Forget the recorded requests and the number of calls; routes stay, and used replies do not come back."""
        with self._lock:
            self._journal.clear()
            for route in self._table.routes:
                route._forget_calls()

    def clear(self) -> None:
        """Forget all routes and all recorded requests."""
        with self._lock:
            self._journal.clear()
            for route in self._table.routes:
                route.remaining = 0
            self._table = self._new_table()

    def covers(self, url: URL) -> bool:
        """Return whether `url` is of an origin that was registered with an exact URL, or matches a pattern."""
        if self.covers_origin(url):
            return True
        with self._lock:
            patterns = self._table.patterns
        request, texts = PlainRequest("", url), url_texts(url)
        return any(queue.matches_url(texts) and not list(queue.matcher.differences(request)) for queue in patterns)

    def covers_origin(self, url: URL) -> bool:
        """Return whether an exact URL of the origin of `url` was registered, exhausted or not."""
        return origin_of(normalize_url(url)) in self._table.origins

    def matching(self, request: Q | Matching[Q]) -> Matching[Q]:
        """Return the search for the route of `request`, which evaluates each condition once; itself if it is one.

        Pass it instead of the request to `matches_head`, `match` and `reserve`, to call several of them.
        """
        return request if isinstance(request, Matching) else Matching(request, self._on_error)

    def matches_head(self, request: Request | Matching[Any]) -> bool:
        """Return whether a route with a reply left matches the head of `request`; its body may decide then."""
        matching = self.matching(request)
        with self._lock:
            candidates = self._table.candidates(matching.key, matching.request.url)
        return matching.matches_head(candidates)

    def match(self, request: R | Matching[R], reserved: Route[R] | None = None) -> Record[R]:
        """Consume the reply to `request` and record the request, in one step; `reserved` was consumed before."""
        matching = self.matching(request)
        if reserved is not None:
            with self._lock:
                return self._record(matching, reserved)
        explanation: str | None = None

        # The annotations are text: otherwise they would be evaluated for each request.
        def consume(route: "Route[R] | None") -> "Record[R] | None":
            if route is not None:
                route._count_calls(1)
            elif explanation is None:
                return None
            return self._record(matching, route, explanation)

        # Conditions are evaluated for the explanation too, without the lock: a route may be added meanwhile.
        while (record := self._find(matching, consume)) is None:
            explanation = self.explain(matching)
        return record

    def explain(self, request: Request | Matching[Any]) -> str:
        """Return why no route answers `request`: the nearest routes and what differs."""
        matching = self.matching(request)
        with self._lock:
            queues = self._table.queues(matching.key, matching.request.url)
            near = list(self._table.near(matching.key, COMPARED))
            near_patterns = list(self._table.near_patterns(matching.key, COMPARED))
        return explain(matching, queues, near, near_patterns)

    def record(self, request: R, explanation: str) -> Record[R]:
        """Record a request that is not answered by a route, for the reason `explanation`."""
        record = Record(request_key(request.method, request.url), request, None, explanation)
        with self._lock:
            self._journal.append(record)
        return record

    def reserve(self, request: Request | Matching[Any]) -> Route[R] | None:
        """Consume the reply to a request that has yet to arrive and return its route, to be passed to `match`."""

        def consume(route: "Route[R] | None") -> "Route[R] | None":
            if route is not None:
                route._count_calls(1)
            return route

        return self._find(self.matching(request), consume)

    def release(self, route: Route[R]) -> None:
        """Give back a reply of `route` that was consumed and not sent; it is the next one again."""
        with self._lock:
            route._count_calls(-1)
            self._table.rewind(route)

    async def reply(self, record: Record[R], *, use_callback: bool = True) -> Reply:
        """Return the reply to a recorded request; errors of the user's functions are raised.

        It is `CloseConnection` if no route matched. With `use_callback=False` it is the reply that the route has
        besides its callback.
        """
        route, request = record.route, record.request
        if route is None:
            return CloseConnection(record.explanation)
        if route._callback is not None and use_callback:
            names = route._callback_arguments
            arguments = (
                callback_arguments(request, route._matcher, names) if names is not None else request_details(request)
            )
            result = await route._context.call(route._callback, request.url, **arguments)
            return await self.reply_from(result, request, route)
        return await _make_reply(route._reply, route)

    async def reply_from(self, result: object, request: Request, route: Route[R]) -> Reply:
        """Return the reply that `result`, a `CallbackResult`, stands for, checked like the reply of `route`."""
        if not isinstance(result, CallbackResult):
            name = "the callback" if route._callback is None else f"callback {describe_function(route._callback)}"
            advice = "write return CallbackResult(payload=...)"
            raise TypeError(f"{name} must return a CallbackResult, got {describe_value(result)}; {advice}")
        return await _make_reply(self._build_reply(result, request.method), route)

    async def answer(self, request: R) -> Reply:
        """Record `request` and return the reply to it, `CloseConnection` if no route has one.

        Errors of the user's callback or body function are raised.
        """
        record = self.match(request)
        if record.unmatched:
            logger.warning("%s", record.explanation)
        return await self.reply(record)

    def assert_all_called(self) -> None:
        """Raise `AssertionError` if a route that is not optional was never used."""
        unused = [route for route in self.routes if not route._was_used and not route.optional]
        if unused:
            verb = "was" if len(unused) == 1 else "were"
            named = list_of([shorten(str(route)) for route in unused[:_NAMED]], len(unused))
            raise AssertionError(f"{count_of(len(unused), 'route')} {verb} never used: {named}")

    def _find(self, matching: Matching[Any], use: Callable[[Route[R] | None], T]) -> T:
        """Call `use` with the first route that matches and has a reply left, with the lock held.

        Conditions are evaluated before, without the lock.
        """
        while True:
            with self._lock:
                table = self._table
                if table.has_websockets:
                    matching.websockets = is_handshake(matching.request)
                candidates = table.candidates(matching.key, matching.request.url, websockets=matching.websockets)
                route = matching.choose(candidates)
                if not isinstance(route, Unknown):
                    return use(route)
            matching.evaluate(candidates)

    def _record(self, matching: Matching[R], route: Route[R] | None, explanation: str | None = None) -> Record[R]:
        if route is not None:
            route.requests.append(matching.request)
            explanation = None
        record = Record(matching.key, matching.request, route, explanation, unmatched=route is None)
        self._journal.append(record)
        return record


def _log_error(error: BaseException, request: Request) -> None:
    """Log an `Exception` that a condition has raised; another one, such as a `KeyboardInterrupt`, is raised."""
    if not isinstance(error, Exception):
        raise error
    logger.error("a condition raised for %s %s:\n%s", request.method, request.url, format_error(error))


async def _make_reply(reply: Reply | ReplyTemplate | FaultTemplate, route: Route[Any]) -> Reply:
    if isinstance(reply, ReplyTemplate):
        reply = await reply.make(route._context)
    elif isinstance(reply, FaultTemplate):
        reply = reply.make()
    elif isinstance(reply, WebSocket):
        reply = reply._replace(handler=functools.partial(route._context.run_handler, reply.handler))
    return reply._replace(delay=route._delay) if route._delay else reply
