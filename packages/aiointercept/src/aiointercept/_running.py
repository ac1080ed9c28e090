"""A running mock: its registry, server and redirection, from start to stop."""

import asyncio
import contextlib
import functools
import logging
import sys
import time
import warnings
from collections.abc import Sequence

from aiointercept_core import CloseConnection, FaultReply, Journal, Record, Registry, Reply, Route, Stream, WebSocket
from aiointercept_dns import Address, OutgoingRequest, RealNetwork, Redirection
from aiointercept_server import AiointerceptRequest, Answer, Listener, ignore_retries

from ._callbacks import CallbackRunner
from ._closing import CloseHandle
from ._cross_loop import CallbackCancelledError
from ._errors import CallbackErrors
from ._faults import fail, set_disconnect
from ._forwarding import Body, Forwarder, OwnPortError
from ._nesting import NestedSearch
from ._policies import Destination, ReplyPolicy, RoutingPolicy
from ._running_mocks import RunningMocks
from ._sending import keep_body_errors, keep_handler_errors
from ._started_at import StartedAt

__all__ = ["RunningMock"]

logger = logging.getLogger("aiointercept")

# Bound once, because tests replace the functions of `time`; a partial, because clock patchers search modules for them.
_clock = functools.partial(time.perf_counter)

_FORWARDED = "forwarded to the real network"


class RunningMock:
    """Answer the requests that a server receives, and decide where the clients of the process send theirs.

    It runs from `start()` to `close()`, which may be called at any time, also after a `start()` that was interrupted.
    With `redirect` the aiohttp clients of the process are redirected; with `forward_unmatched` unmatched requests go to
    the real network.
    """

    def __init__(
        self,
        registry: Registry[AiointerceptRequest],
        callbacks: CallbackRunner,
        errors: CallbackErrors,
        *,
        routing: RoutingPolicy,
        replies: ReplyPolicy,
        redirect: bool,
        forward_unmatched: bool = False,
    ) -> None:
        self.registry = registry
        self.errors = errors
        self.is_closed = False
        self.closing: CloseHandle
        self.address: tuple[str, int] | None = None
        self._callbacks = callbacks
        self.routing = routing
        self._replies = replies
        self._forwarder = Forwarder() if forward_unmatched else None
        self._redirection = Redirection(self.decide, unwrap_os_errors=True) if redirect else None
        self._listener: Listener | None = None
        self._is_forked = False

    def start(self, started_at: StartedAt | None = None) -> None:
        """Open the ports and start redirecting; call `close()` if this raises."""
        self._started_at = started_at or StartedAt()
        self._listener = Listener(self._make_answer())
        self.address = self._listener.address("http")
        RUNNING_MOCKS.add(self)
        if self._redirection is not None:
            self._redirection.start()

    def __repr__(self) -> str:
        if self.address is None:
            return "<aiointercept not started>"
        host, port = self.address
        return f"<aiointercept http://{host}:{port}{' (stopped)' if self.is_closed else ''}, {self._started_at}>"

    @property
    def is_redirecting(self) -> bool:
        """Whether the aiohttp clients of the process are redirected."""
        return self._redirection is not None

    @property
    def journal(self) -> Journal[AiointerceptRequest]:
        """The recorded requests."""
        return self.registry.journal

    @property
    def routes(self) -> Sequence[Route]:
        """All registered routes."""
        return self.registry.routes

    def _note_callback_errors(self, exc: BaseException, raises: bool | None = None) -> None:
        """Do nothing: only mocks of `compat` are reported under this object, and their callers get the errors."""

    def close(self) -> None:
        """Stop redirecting at once and begin to close everything else; `closing` ends when nothing is left.

        If this is interrupted, for example by a `KeyboardInterrupt`, call it again.
        """
        self.stop_redirecting()
        RUNNING_MOCKS.remove(self)
        self._callbacks.close()
        cleanup = self._forwarder.close if self._forwarder is not None else None
        self.closing = CloseHandle(self._listener, cleanup, self._release)
        self.is_closed = True
        self.registry.journal.notify()

    def close_collected(self, mock: object) -> None:
        """Close this, and warn that `mock`, which is being collected, was not stopped."""
        if sys.is_finalizing():
            return
        unstopped = f"{mock!r} was collected before it was stopped: use a with block, or call stop()"
        self.close()
        self.errors.log()
        warnings.warn(unstopped, ResourceWarning, stacklevel=3, source=mock)

    def stop_redirecting(self) -> None:
        """Stop redirecting at once."""
        if self._redirection is not None:
            self._redirection.stop("the mock was stopped while the request waited for its reply")

    def before_fork(self) -> None:
        """Open the port that the clients of a forked child need; see `_address`."""
        if self._redirection is not None and self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.address("https")

    def after_fork_in_child(self) -> None:
        """Renew the lock of the registry, which a thread of the parent may hold, and leave the errors to the parent."""
        self._is_forked = True
        self.registry.renew_lock()
        self.errors.take()

    def _release(self) -> None:
        # The redirection refers to this object: without this, both would wait for the garbage collector.
        self._redirection = None

    # Asked by the redirection, on a client's event loop.

    def decide(self, request: OutgoingRequest) -> Address | RealNetwork | None:
        """Return where a request of an aiohttp client of the process is sent."""
        url = request.url
        if self.address is not None and (url.raw_host, url.port) == self.address:
            # Redirected to where it is sent anyway: so its caller is known, and its retries are recognised exactly.
            return Address(*self.address)
        route = self.routing.reserve(request)
        destination = self.routing.destination(request)
        if route is not None or destination is Destination.UNDECIDED:
            self.routing.record(request)
        match destination:
            case Destination.MOCK:
                return self._address(request)
            case Destination.MOCK_AS_FALLBACK:
                return self._address(request)._replace(fallback=True)
            case Destination.REAL_NETWORK:
                return RealNetwork.REAL_NETWORK
        return None

    def _address(self, request: OutgoingRequest) -> Address:
        """Return the port of the server for `request`.

        The server knows the URL of each request that a client of its process sends. For the clients of a forked child,
        whose requests it does not know, the port says which scheme.
        """
        assert self._listener is not None
        scheme = request.url.scheme if self._is_forked else "http"
        return Address(*self._listener.address(scheme, request.family))

    def _make_answer(self) -> Answer:
        """Return the function that the server asks; only the listener keeps it, so that a closed mock is freed."""
        answer_unidentified = ignore_retries(self._answer)

        async def answer(request: AiointerceptRequest) -> Reply:
            # Before retries are looked for: a redirected call is known, and never taken for the retry of another.
            client_request = self._pop_client_request(request)
            if client_request is None:
                return await answer_unidentified(request)
            request.url = client_request.url
            return await self._answer(request, client_request)

        return answer

    def _pop_client_request(self, request: AiointerceptRequest) -> OutgoingRequest | None:
        if self._redirection is None:
            return None
        client, server = request.peername, request.sockname
        return self._redirection.pop_request(client, server) if client and server else None

    async def _answer(self, request: AiointerceptRequest, client_request: OutgoingRequest | None = None) -> Reply:
        """Return the reply to `request`, of which only the head has arrived, and record both."""
        received = _clock()
        search: NestedSearch[RunningMock] | None = None
        if client_request is not None and self._forwards(request):
            search = self._search(request, client_request)
        if search is not None and not search.may_answer():
            record = self.registry.record(request, _FORWARDED)
            reply = await self._forward(record, client_request, None if request.complete else request.stream())
        else:
            complete = False
            try:
                complete = await request.receive()
            finally:
                # A client that leaves cancels this task.
                if not complete:
                    self.routing.record(client_request, request)
                    self.registry.record(request, "the client left before its whole body had arrived")
            if not complete:
                return CloseConnection()
            mock, record = self._match(request, client_request, search)
            reply = await mock._reply(record, client_request)
        record.status = None if isinstance(reply, CloseConnection) else reply.status
        record.seconds = _clock() - received
        return reply

    def _search(self, request: AiointerceptRequest, client_request: OutgoingRequest) -> "NestedSearch[RunningMock]":
        return NestedSearch(self, RUNNING_MOCKS.around(self), request, client_request)

    def _match(
        self,
        request: AiointerceptRequest,
        client_request: OutgoingRequest | None,
        search: "NestedSearch[RunningMock] | None",
    ) -> "tuple[RunningMock, Record[AiointerceptRequest]]":
        """Return the mock that answers `request`, this one or one around it, and the record there."""
        if client_request is None:
            return self, self.registry.match(request)
        search = search or self._search(request, client_request)
        mock, matching, route = search.answering_mock()
        mock.routing.record(client_request, request)
        record = mock.registry.match(matching, route)
        if record.unmatched:
            record.explanation = f"{record.explanation}{search.explain_outer()}"
        return mock, record

    async def _reply(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Reply:
        if record.route is None:
            return await self._reply_to_unmatched(record, client_request)
        try:
            reply = await self._replies.reply(record, client_request)
        except CallbackCancelledError:
            reply = CloseConnection()
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            reply = self._replies.reply_to_error(exc, record, client_request)
        if isinstance(reply, FaultReply):
            return fail(reply, client_request)
        if isinstance(reply, Stream):
            return reply._replace(body=keep_body_errors(self.errors, reply, record, client_request))
        if isinstance(reply, WebSocket):
            return reply._replace(handler=functools.partial(keep_handler_errors, self.errors, reply.handler, record))
        if isinstance(reply, CloseConnection):
            set_disconnect(client_request)
        return reply

    async def _reply_to_unmatched(
        self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None
    ) -> Reply:
        if client_request is not None and self._forwards(record.request):
            # The body was needed, or another request used the last reply before the body had arrived.
            record.unmatched = False
            record.explanation = _FORWARDED
            return await self._forward(record, client_request, record.request.encoded_body)
        return self._report_unmatched(record, client_request)

    def _report_unmatched(self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None) -> Reply:
        reply = self._replies.reply_to_unmatched(record, client_request)
        # The exception at the caller has the explanation already.
        is_raised = client_request is not None and client_request.exception is not None
        logger.log(logging.DEBUG if is_raised else logging.WARNING, "%s", record.explanation)
        return reply

    def _forwards(self, request: AiointerceptRequest) -> bool:
        """Return whether an unmatched `request` of a client of this process is forwarded."""
        return self._forwarder is not None and self._forwarder.takes(request)

    async def _forward(
        self, record: Record[AiointerceptRequest], client_request: OutgoingRequest | None, body: Body
    ) -> Reply:
        assert self._forwarder is not None
        try:
            return await self._forwarder.forward(record.request, client_request, body)
        except OwnPortError as exc:
            record.unmatched = True
            record.explanation = str(exc)
            return self._report_unmatched(record, client_request)


RUNNING_MOCKS: RunningMocks[RunningMock] = RunningMocks()
