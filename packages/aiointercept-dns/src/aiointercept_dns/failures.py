"""The exceptions of aiohttp for failures that only a client meets, made for a request that is being sent.

Each has the attributes and the text of a real one. Pass it to `OutgoingRequest.set_exception`, or return it as a
decision.
"""

import errno
import os
import socket
import ssl
from typing import TypeVar

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientOSError,
    ConnectionTimeoutError,
    SocketTimeoutError,
)

from ._outgoing import OutgoingRequest

__all__ = [
    "certificate_error",
    "connect_timeout",
    "connection_refused",
    "connection_reset",
    "dns_failure",
    "read_timeout",
    "tls_error",
    "total_timeout",
]

_E = TypeVar("_E", bound=Exception)
_SSLError = TypeVar("_SSLError", bound=ssl.SSLError)


def connection_refused(request: OutgoingRequest) -> ClientConnectorError:
    """Return the error for a host that refuses connections."""
    url = request.client_request.url
    address = (url.host, url.port, 0, 0) if ":" in (url.host or "") else (url.host, url.port)
    error = ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed {address}")
    return _caused(ClientConnectorError(request.client_request.connection_key, error), error)


def dns_failure(request: OutgoingRequest) -> ClientConnectorDNSError:
    """Return the error for a host whose name cannot be resolved."""
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _caused(ClientConnectorDNSError(request.client_request.connection_key, error), error)


def connect_timeout(request: OutgoingRequest) -> ConnectionTimeoutError:
    """Return the error for a connection that is not made within `ClientTimeout.connect` or `sock_connect`."""
    return _caused(ConnectionTimeoutError(f"Connection timeout to host {request.client_request.url}"), TimeoutError())


def read_timeout(request: OutgoingRequest) -> SocketTimeoutError:
    """Return the error for a response that does not arrive within `ClientTimeout.sock_read`."""
    return SocketTimeoutError("Timeout on reading data from socket")


def total_timeout(request: OutgoingRequest) -> TimeoutError:
    """Return the error for a request that takes longer than `ClientTimeout.total`."""
    return TimeoutError()


def certificate_error(request: OutgoingRequest) -> ClientConnectorCertificateError:
    """Return the error for a host whose certificate is self-signed."""
    text = "certificate verify failed: self-signed certificate"
    error = _ssl_error(ssl.SSLCertVerificationError, "CERTIFICATE_VERIFY_FAILED", text)
    error.verify_code, error.verify_message = 18, "self-signed certificate"
    return _caused(ClientConnectorCertificateError(request.client_request.connection_key, error), error)


def tls_error(request: OutgoingRequest) -> ClientConnectorSSLError:
    """Return the error for a host that does not speak TLS."""
    error = _ssl_error(ssl.SSLError, "WRONG_VERSION_NUMBER", "wrong version number")
    return _caused(ClientConnectorSSLError(request.client_request.connection_key, error), error)


def connection_reset(request: OutgoingRequest) -> ClientOSError:
    """Return the error for a connection that is reset before the response."""
    error = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    return _caused(ClientOSError(*error.args), error)


def _ssl_error(kind: type[_SSLError], reason: str, text: str) -> _SSLError:
    # The line of CPython's source differs between releases.
    error = kind(int(ssl.SSL_ERROR_SSL), f"[SSL: {reason}] {text} (_ssl.c:1000)")
    error.library, error.reason = "SSL", reason
    return error


def _caused(error: _E, cause: BaseException) -> _E:
    """Return `error` as if it had been raised from `cause`."""
    error.__cause__ = cause
    return error
