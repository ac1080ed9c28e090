"""Registry, matching, replies and assertions of a mock HTTP server, without a server.

Values in, values out: nothing here opens a socket, starts a thread or a loop, or imports an HTTP library. A
transport asks `await registry.answer(request)` and puts the reply on its wire.
"""

from ._assertions import CallAssertions
from ._content_coding import decode_body
from ._journal import Journal, Record, RequestLog
from ._mock_response import MockResponse
from ._registration import MethodShortcuts, RegistrationOptions
from ._registry import Registry
from ._reply import (
    Body,
    BodySource,
    CallbackResult,
    CloseConnection,
    Reply,
    Response,
    Stream,
    Upgrade,
    UpgradedConnection,
    error_response,
    format_error,
)
from ._request import PlainRequest, Request, request_details
from ._url import Origin, normalize_url, origin_of, plain_url

__all__ = [
    "Body",
    "BodySource",
    "CallAssertions",
    "CallbackResult",
    "CloseConnection",
    "Journal",
    "MethodShortcuts",
    "MockResponse",
    "Origin",
    "PlainRequest",
    "Record",
    "RegistrationOptions",
    "Registry",
    "Reply",
    "Request",
    "RequestLog",
    "Response",
    "Stream",
    "Upgrade",
    "UpgradedConnection",
    "decode_body",
    "error_response",
    "format_error",
    "normalize_url",
    "origin_of",
    "plain_url",
    "request_details",
]
