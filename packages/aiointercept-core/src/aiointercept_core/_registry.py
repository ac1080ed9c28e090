"""The registry: routes in, replies out.

One lock makes matching, consuming a reply and recording the request a single step, because requests arrive on the
thread of a server while a test registers and asserts on its own.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from yarl import URL

from ._arguments import check_behaviour, check_method, check_repeat, reject_unknown
from ._assertions import CallAssertions
from ._explanation import URLIndex, explain
from ._format import count_of, describe_function, describe_value, list_of, shorten
from ._journal import Journal, Record
from ._matchers import Matcher, build_matcher, matches
from ._replies import BodySource, CallbackContext, CallbackResult, CloseConnection, DirectContext, Reply
from ._reply_template import ReplyTemplate, build_reply, choose_body
from ._request import PlainRequest, Request, request_details
from ._route import Route, RouteQueue
from ._shortcuts import MethodShortcuts, RouteOptions, set_signatures
from ._urls import Key, normalize_url, origin_of, request_key

if TYPE_CHECKING:
    from typing import Never

__all__ = ["Registry", "RegistryRules"]

logger = logging.getLogger("aiointercept")

R = TypeVar("R", bound=Request)

_NAMED = 20


@dataclass(frozen=True)
class RegistryRules:
    """The rules of a registry that may be changed.

    `exact_urls_first`: routes for exact URLs are used before those for patterns; otherwise the order of registration
    decides. `allow_unreachable`: a reply may be registered behind one with `repeat=True`, and is never used.
    `drop_contradicting_headers`: headers that contradict the body are dropped instead of refused.
    """

    exact_urls_first: bool = True
    allow_unreachable: bool = False
    drop_contradicting_headers: bool = False


class Registry(MethodShortcuts, CallAssertions[R], Generic[R]):
    """Routes and recorded requests, without a transport.

    A transport calls `await registry.answer(request)` for each request. All methods may be called from any thread.
    An `add` with a function or an iterable calls `callback_context`, and these run in the returned context.
    """

    def __init__(
        self, rules: RegistryRules | None = None, *, callback_context: Callable[[], CallbackContext] = DirectContext
    ) -> None:
        self._rules = rules or RegistryRules()
        self._callback_context = callback_context
        self.renew_lock()
        self.clear()

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
    def routes(self) -> list[Route]:
        """All routes, exhausted ones included, in the order of registration."""
        with self._lock:
            queues = chain.from_iterable(self._queues.values())
            return sorted((route for queue in queues for route in queue.routes), key=lambda route: route._index)

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
        callback: Callable[..., Any] | None = None,
        reason: str | None = None,
        exception: BaseException | type[BaseException] | bool | None = None,
        *,
        optional: bool = False,
        **unknown: "Never",
    ) -> Route:
        """Register a reply to requests for `url` and return its route.

        `url` is a str, a `yarl.URL` or a compiled pattern, `method` any HTTP method. `body` is a str (sent as UTF-8),
        bytes, an async iterable of bytes or a function that returns one of these; `json` or `payload`, serialised at
        once, overrides it. `repeat` is `False` for one request, a number of requests, or `True` for all.
        `callback(url, *, headers, query, json, data, **future)` returns a `CallbackResult`. With `exception` the
        connection is closed. An `optional` route may stay unused under `assert_all_called`.

        Raises `TypeError` or `ValueError` for arguments that cannot be served.
        """
        reject_unknown(unknown, RouteOptions.__annotations__)
        method = check_method(method)
        check_behaviour(callback, exception)
        result = CallbackResult(
            status=200 if status is None else status,
            body=choose_body(body, json, payload),
            content_type="application/json" if content_type is None else content_type,
            headers=headers,
            reason=reason,
        )
        reply = self._build_reply(result, method)
        count = check_repeat(repeat, result.body)
        matcher = build_matcher(url)
        runs_functions = callback is not None or isinstance(reply, ReplyTemplate)
        route = Route(
            method,
            matcher,
            CloseConnection() if exception else reply,
            callback=None if exception else callback,
            context=self._callback_context() if runs_functions else None,
            repeat=count,
            optional=optional,
        )
        self.register(route)
        return route

    def register(self, route: Route) -> None:
        """Add a route that was built elsewhere; raise `ValueError` if it would never be used."""
        url = route.url
        matchers = route._conditions if url is not None else (route._matcher, *route._conditions)
        with self._lock:
            self._count += 1
            route._index = self._count
            queues = self._queues.setdefault(_queue_key(route), [])
            queue = next((queue for queue in queues if queue.matchers == matchers), None)
            if queue is not None:
                queue.append(route, allow_unreachable=self._rules.allow_unreachable)
            else:
                # A process may be forked between any two lines: a queue in the index is never empty.
                queue = RouteQueue(matchers, conditional=bool(route._conditions))
                queue.append(route, allow_unreachable=True)
                _insert(queue, queues)
                if url is None:
                    _insert(queue, self._patterns.setdefault(route.method, []))
                elif len(queues) == 1:
                    self._index.add((route.method, url))

    def clear(self) -> None:
        """Forget all routes and all recorded requests."""
        with self._lock:
            self._journal: Journal[R] = Journal()
            # First, because its keys are looked up in the queues.
            self._index = URLIndex()
            self._patterns: dict[str, list[RouteQueue]] = {}
            self._queues: dict[tuple[str, URL | Matcher], list[RouteQueue]] = {}
            self._count = 0

    def covers(self, url: URL) -> bool:
        """Return whether `url` is of an origin that was registered with an exact URL, or matches a pattern."""
        if self.covers_origin(url):
            return True
        request = PlainRequest("", url)
        with self._lock:
            return any(matches(queue.matchers[:1], request) for queue in chain(*self._patterns.values()))

    def covers_origin(self, url: URL) -> bool:
        """Return whether an exact URL of the origin of `url` was registered, exhausted or not."""
        return origin_of(normalize_url(url)) in self._index.origins

    def has_reply(self, request: Request) -> bool:
        """Return whether a reply is left for `request`, without consuming it."""
        with self._lock:
            return self._find(request, request_key(request.method, request.url)) is not None

    def match(self, request: R, reserved: Route | None = None) -> Record[R]:
        """Consume the reply to `request` and record the request, in one step; `reserved` was consumed before."""
        key = request_key(request.method, request.url)
        with self._lock:
            route, explanation = reserved, None
            if route is None:
                route = self._find(request, key)
                if route is None:
                    explanation = self._explain(request, key)
                else:
                    route._count_calls(1)
            record = Record(key, request, route, explanation, unmatched=route is None)
            self._journal.append(record)
        return record

    def record(self, request: R, explanation: str) -> Record[R]:
        """Record a request that is not answered by a route, for the reason `explanation`."""
        record = Record(request_key(request.method, request.url), request, None, explanation)
        with self._lock:
            self._journal.append(record)
        return record

    def reserve(self, request: Request) -> Route | None:
        """Consume the reply to a request that has yet to arrive and return its route, to be passed to `match`."""
        with self._lock:
            route = self._find(request, request_key(request.method, request.url))
            if route is not None:
                route._count_calls(1)
        return route

    def release(self, route: Route) -> None:
        """Give back a reply of `route` that was consumed and not sent; it is the next one again."""
        with self._lock:
            route._count_calls(-1)
            for queue in self._queues.get(_queue_key(route), ()):
                queue.rewind()

    async def reply(self, record: Record[R], *, use_callback: bool = True) -> Reply:
        """Return the reply to a recorded request; errors of the user's functions are raised.

        It is `CloseConnection` if no route matched. With `use_callback=False` it is the reply that the route has
        besides its callback.
        """
        route, request = record.route, record.request
        if route is None:
            return CloseConnection(record.explanation)
        if route._callback is not None and use_callback:
            result = await route._context.call(route._callback, request.url, **request_details(request))
            return await self.reply_from(result, request, route)
        return await _make_reply(route._reply, route)

    async def reply_from(self, result: object, request: Request, route: Route) -> Reply:
        """Return the reply that `result`, a `CallbackResult`, stands for, checked like the reply of `route`."""
        if not isinstance(result, CallbackResult):
            name = "the callback" if route._callback is None else f"callback {describe_function(route._callback)}"
            raise TypeError(f"{name} must return a CallbackResult, got {describe_value(result)}")
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
        unused = [route for route in self.routes if not route.call_count and not route.optional]
        if unused:
            verb = "was" if len(unused) == 1 else "were"
            named = list_of([shorten(str(route)) for route in unused[:_NAMED]], len(unused))
            raise AssertionError(f"{count_of(len(unused), 'route')} {verb} never used: {named}")

    def _build_reply(self, result: CallbackResult, method: str) -> Reply | ReplyTemplate:
        return build_reply(result, method, drop_contradicting_headers=self._rules.drop_contradicting_headers)

    def _candidates(self, key: Key) -> Iterator[RouteQueue]:
        """Return the routes for the method and URL of `key`, and all patterns for its method, in order of their use."""
        return chain(self._queues.get(key, ()), self._patterns.get(key[0], ()))

    def _find(self, request: Request, key: Key) -> Route | None:
        """Return the first route that matches `request` and has a reply left."""
        found: Route | None = None
        for queue in self._candidates(key):
            route = queue.current()
            if route is None or not matches(queue.matchers, request):
                continue
            if self._rules.exact_urls_first:
                return route
            if found is None or route._index < found._index:
                found = route
        return found

    def _explain(self, request: Request, key: Key) -> str:
        exhausted = (queue for queue in self._candidates(key) if matches(queue.matchers, request))
        near = (self._queues[near_key] for near_key in self._index.nearest(key))
        return explain(request, exhausted, chain.from_iterable(near), chain(*self._patterns.values()))


def _queue_key(route: Route) -> tuple[str, URL | Matcher]:
    """Return what routes for the same requests have in common, apart from their conditions."""
    return route.method, route._matcher if route.url is None else route.url


async def _make_reply(reply: Reply | ReplyTemplate, route: Route) -> Reply:
    return await reply.make(route._context) if isinstance(reply, ReplyTemplate) else reply


def _insert(queue: RouteQueue, queues: list[RouteQueue]) -> None:
    """Insert `queue` after the others, but routes with conditions before those without."""
    queues.insert(sum(other.conditional for other in queues) if queue.conditional else len(queues), queue)


set_signatures(Registry.add)
