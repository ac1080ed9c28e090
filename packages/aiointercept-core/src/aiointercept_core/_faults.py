"""The ways in which a request can fail instead of being answered."""

import enum

__all__ = ["Fault"]


class Fault(enum.Enum):
    """A failure of the connection or of the reply.

    A server can show some faults to any client. The others happen before a server sees the request, so only a client
    can raise them; a server closes the connection instead.
    """

    #: The connection is closed without a response.
    DISCONNECT = "disconnect"
    #: The connection is reset without a response.
    RESET = "reset"
    #: The response begins with a line that is not an HTTP status line.
    MALFORMED = "malformed"
    #: The connection is closed after the head and the first half of the body.
    TRUNCATED = "truncated"
    #: The connection is reset after the head and the first half of the body.
    RESET_IN_BODY = "reset in body"
    #: The response has `Content-Encoding: gzip`, but its body is not gzip.
    CORRUPT_ENCODING = "corrupt encoding"
    #: Nothing is sent, and the connection stays open until the client closes it.
    HANG = "hang"
    #: The host refuses the connection.
    CONNECTION_REFUSED = "connection refused"
    #: The name of the host cannot be resolved.
    DNS_FAILURE = "DNS failure"
    #: The client's time limit for connecting is exceeded.
    CONNECT_TIMEOUT = "connect timeout"
    #: The client's time limit for reading is exceeded.
    READ_TIMEOUT = "read timeout"
    #: The client's time limit for the whole request is exceeded.
    TOTAL_TIMEOUT = "total timeout"
    #: The certificate of the host cannot be verified.
    CERTIFICATE = "certificate"
    #: The TLS handshake fails.
    TLS = "TLS"

    def __str__(self) -> str:
        return f"Fault.{self.name}"

    @property
    def is_sent_by_server(self) -> bool:
        """Whether a server can show the fault; the others only a client can raise."""
        return self in _SENT_BY_SERVER

    @property
    def has_body(self) -> bool:
        """Whether the head and some of the body of a response are sent."""
        return self in _WITH_BODY

    @property
    def needs_https(self) -> bool:
        """Whether only requests for https URLs can fail in this way."""
        return self in _HTTPS_ONLY


_WITH_BODY = frozenset({Fault.TRUNCATED, Fault.RESET_IN_BODY, Fault.CORRUPT_ENCODING})
_SENT_BY_SERVER = _WITH_BODY | {Fault.DISCONNECT, Fault.RESET, Fault.MALFORMED, Fault.HANG}
_HTTPS_ONLY = frozenset({Fault.CERTIFICATE, Fault.TLS})
