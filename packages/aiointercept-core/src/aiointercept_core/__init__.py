"""Routes, matching, replies, recorded requests and assertions of a mock HTTP server, without the server.

Nothing here opens a socket, starts a thread or an event loop, or imports an HTTP library. A transport calls
`await registry.answer(request)` and sends the reply.
"""

from ._assertions import CallAssertions
from ._callback_context import CallbackContext
from ._chunks import checked_chunks, close_iterable
from ._content_coding import decode_body
from ._faults import Fault
from ._journal import Journal, Record, RequestLog
from ._matchers import Difference, ExactURL, Matcher, URLPattern, build_matcher
from ._matching import Matching
from ._registration import RegistryRules
from ._registry import Registry
from ._replies import (
    Body,
    BodySource,
    Callback,
    CallbackResult,
    CloseConnection,
    FaultReply,
    Reply,
    Response,
    Stream,
    Upgrade,
    UpgradedConnection,
    WebSocket,
    WebSocketConnection,
    error_response,
    format_error,
)
from ._request import PlainRequest, Request, request_details
from ._route import Route
from ._server_sent_events import Events, ServerSentEvent, sse_stream
from ._shortcuts import MethodShortcuts, RouteOptions
from ._urls import Origin, normalize_url, origin_of

__all__ = [
    "Body",
    "BodySource",
    "CallAssertions",
    "Callback",
    "CallbackContext",
    "CallbackResult",
    "CloseConnection",
    "Difference",
    "Events",
    "ExactURL",
    "Fault",
    "FaultReply",
    "Journal",
    "Matcher",
    "Matching",
    "MethodShortcuts",
    "Origin",
    "PlainRequest",
    "Record",
    "Registry",
    "RegistryRules",
    "Reply",
    "Request",
    "RequestLog",
    "Response",
    "Route",
    "RouteOptions",
    "ServerSentEvent",
    "Stream",
    "URLPattern",
    "Upgrade",
    "UpgradedConnection",
    "WebSocket",
    "WebSocketConnection",
    "build_matcher",
    "checked_chunks",
    "close_iterable",
    "decode_body",
    "error_response",
    "format_error",
    "normalize_url",
    "origin_of",
    "request_details",
    "sse_stream",
]
