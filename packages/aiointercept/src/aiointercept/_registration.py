"""Registering: `add`, `ws` and what else a test does with the routes of a mock."""

import re
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yarl import URL, Query

from aiointercept_core import BodySource, Callback, Events, Fault, MethodShortcuts, Registry, Route
from aiointercept_server import AiointerceptRequest

from ._core import without_class_names
from ._warnings import AiointerceptWarning, warn_of_exception
from ._websocket import ServerWebSocket

if TYPE_CHECKING:
    from typing import Never

__all__ = ["Registration"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


@without_class_names
class Registration(MethodShortcuts[AiointerceptRequest]):
    """The methods of a mock that have to do with routes. The shortcuts `get`, `post` and the others call `add`."""

    _registry: Registry[AiointerceptRequest]
    _mock_external_urls: bool

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
        match_body: str | bytes | re.Pattern[str] | re.Pattern[bytes] | None = None,
        match: Callable[[Any], object] | None = None,
        fault: Fault | BaseException | type[BaseException] | None = None,
        delay: float = 0.0,
        sse: Events | None = None,
        **unknown: "Never",
    ) -> Route[AiointerceptRequest]:
        """Register a reply to requests for `url` and return a route; its `call_count` says how many it has answered.

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

        Raises `RuntimeError` when the mock is not running, `TypeError` or `ValueError` for what cannot be served.
        """
        self._check_registration(fault)
        route = self._registry.add(
            url,
            method,
            status,
            body,
            json,
            payload,
            headers,
            repeat,
            content_type,
            callback,
            reason,
            exception,
            optional=optional,
            params=params,
            match_headers=match_headers,
            match_query=match_query,
            match_json=match_json,
            match_form=match_form,
            match_body=match_body,
            match=match,
            fault=fault,
            delay=delay,
            sse=sse,
            **unknown,
        )
        return self._check_route(route, url, exception)

    def ws(
        self,
        url: str | URL | re.Pattern[str],
        handler: Callable[[ServerWebSocket], Awaitable[None]],
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
    ) -> Route[AiointerceptRequest]:
        """Register a WebSocket for handshakes at `url`, with the scheme ws, wss, http or https; return its route.

        The coroutine function `handler(ws)` talks to the client; when it returns, the WebSocket is closed. The first of
        `protocols` that the client offers is accepted; `headers` are added to the response. The other arguments are
        those of `add`. A request that is not a handshake never gets this route.

        Raises `RuntimeError` when the mock is not running, `TypeError` or `ValueError` for what cannot be served.
        """
        self._check_registration(fault)
        route = self._registry.ws(
            url,
            handler,
            protocols=protocols,
            headers=headers,
            repeat=repeat,
            optional=optional,
            params=params,
            match_headers=match_headers,
            match_query=match_query,
            match=match,
            delay=delay,
            fault=fault,
            **unknown,
        )
        return self._check_route(route, url)

    @property
    def routes(self) -> Sequence[Route[AiointerceptRequest]]:
        """All routes that may answer or have answered, in order of registration."""
        return self._registry.routes

    def clear_requests(self) -> None:
        """Forget the recorded requests and the number of calls; routes stay, and used replies do not come back."""
        self._registry.clear_requests()

    def remove(self, route: Route[AiointerceptRequest]) -> None:
        """Have `route` answer no more requests.

        What it answered stays recorded, and requests to its origin still reach the mock. Without effect for a route
        that was removed before; `ValueError` for one of another mock.
        """
        self._registry.remove(route)

    def clear(self) -> None:
        """Forget all routes and recorded requests; the mock keeps running."""
        self._registry.clear()

    def _check_route(
        self, route: Route[AiointerceptRequest], url: str | URL | re.Pattern[str], exception: object = None
    ) -> Route[AiointerceptRequest]:
        """Return `route`, which was registered for `url`, after a warning if it cannot do what the user expects.

        A route whose warning is raised as an error is not kept.
        """
        try:
            if exception and exception is not True:
                warn_of_exception(exception, can_be_fault=self._mock_external_urls)
            self._warn_if_unreachable(url, route.url)
        except AiointerceptWarning:
            self._registry.remove(route)
            raise
        return route

    @abstractmethod
    def _check_registration(self, fault: object) -> None:
        """Raise `RuntimeError` unless the mock is running, `ValueError` for a fault that its mode does not have."""

    @abstractmethod
    def _warn_if_unreachable(self, given: str | URL | re.Pattern[str], url: URL | None) -> None:
        """Warn of a registration for `given` whose requests cannot reach the mock; `url` is `None` for a pattern."""
