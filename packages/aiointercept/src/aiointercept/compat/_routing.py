"""Choose the route of a call, and record the call: aioresponses does both when the call is made."""

import weakref
from collections.abc import Iterable, Mapping
from typing import Protocol

from yarl import URL

from aiointercept_core import PlainRequest, Registry, Route
from aiointercept_dns import OutgoingRequest
from aiointercept_server import AiointerceptRequest

from .._parts import Destination
from ._calls import PendingCall, RequestCall, normalize_url
from ._replies import ReplyOverrides

__all__ = ["AioresponsesRouting", "Recorder"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


class Recorder(Protocol):
    """The `aioresponses` object, whose attributes a test may change while it is started."""

    requests: dict[tuple[str, URL], list[RequestCall]]
    passthrough_unmatched: bool


class AioresponsesRouting:
    """Take requests for every host, record calls, and reserve the reply to a call when it is made.

    If several calls are made at once, the first gets the first reply, however long its body takes.
    """

    def __init__(
        self,
        registry: Registry[AiointerceptRequest],
        recorder: Recorder,
        passthrough: Iterable[str],
        overrides: Mapping[Route, ReplyOverrides],
    ) -> None:
        self._registry = registry
        # Weak, so that a mock that nothing else refers to is collected, which stops it.
        self._recorder = weakref.ref(recorder)
        self._passthrough = tuple(passthrough)
        self._overrides = overrides
        self._pending: weakref.WeakKeyDictionary[OutgoingRequest, PendingCall] = weakref.WeakKeyDictionary()

    def destination(self, request: OutgoingRequest) -> Destination:
        """Return where `request` is sent: to the mock, or to the real network."""
        if self._is_excepted(request.url):
            return Destination.UNDECIDED
        call = self._pending.get(request)
        if call is not None and call.route is not None:
            return Destination.MOCK
        recorder = self._recorder()
        if call is not None and recorder is not None and recorder.passthrough_unmatched:
            return Destination.UNDECIDED
        is_covered = self._registry.covers(normalize_url(request.url))
        return Destination.MOCK if is_covered else Destination.MOCK_AS_FALLBACK

    def reserve(self, client_request: OutgoingRequest | None) -> Route | None:
        """Return the route that is reserved for a call: the first time, its reply is consumed."""
        if client_request is None or self._is_excepted(client_request.url):
            return None
        call = self._pending.get(client_request)
        if call is None:
            call = self._pending[client_request] = PendingCall(client_request)
            call.route = self._registry.reserve(PlainRequest(*call.key))
            if call.route is not None:
                call.attach_body(b"")
            overrides = self._overrides.get(call.route) if call.route is not None else None
            if overrides is not None and overrides.response_class is not None:
                client_request.client_request.response_class = overrides.response_class
        return call.route

    def record(self, client_request: OutgoingRequest | None, request: AiointerceptRequest | None = None) -> None:
        """Record a call, once, and keep what has arrived of its body."""
        call = self.pending_call(client_request)
        if call is None:
            return
        recorder = self._recorder()
        # Calls are made in many threads.
        with self._registry.lock:
            if recorder is not None and not call.is_recorded:
                call.is_recorded = True
                recorder.requests.setdefault(call.key, []).append(call.call)
        if request is not None:
            call.attach_body(request.captured_body or b"")

    def pending_call(self, client_request: OutgoingRequest | None) -> PendingCall | None:
        """Return the call behind a received request, `None` if the client is not known."""
        return self._pending.get(client_request) if client_request is not None else None

    def _is_excepted(self, url: URL) -> bool:
        """Return whether `url` begins with an entry of `passthrough`."""
        return str(normalize_url(url)).startswith(self._passthrough) or str(url).startswith(self._passthrough)
