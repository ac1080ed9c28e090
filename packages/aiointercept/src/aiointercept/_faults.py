"""Faults: which modes have them, and what the caller gets."""

from collections.abc import Callable

from aiohttp import ServerDisconnectedError

from aiointercept_core import CloseConnection, Fault, FaultReply, Reply
from aiointercept_dns import OutgoingRequest
from aiointercept_dns import _failures as failures

__all__ = ["check_mode", "fail"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_CALLER_ERRORS: dict[Fault, Callable[[OutgoingRequest], BaseException]] = {
    Fault.DISCONNECT: lambda request: ServerDisconnectedError(),
    Fault.RESET: failures.connection_reset,
    Fault.CONNECTION_REFUSED: failures.connection_refused,
    Fault.DNS_FAILURE: failures.dns_failure,
    Fault.CONNECT_TIMEOUT: failures.connect_timeout,
    Fault.READ_TIMEOUT: failures.read_timeout,
    Fault.TOTAL_TIMEOUT: failures.total_timeout,
    Fault.CERTIFICATE: failures.certificate_error,
    Fault.TLS: failures.tls_error,
}


def check_mode(fault: object) -> None:
    """Raise `ValueError` for a fault that needs `mock_external_urls=True`."""
    if isinstance(fault, Fault):
        if fault.is_sent_by_server:
            return
        name = str(fault)
    elif isinstance(fault, BaseException | type):
        name = "an exception"
    else:
        # Core says what is wrong with it.
        return
    possible = ", ".join(other.name for other in Fault if other.is_sent_by_server)
    raise ValueError(
        f"fault: only the client of the caller can raise {name}, which needs mock_external_urls=True; without it a "
        f"fault is one of {possible}"
    )


def fail(reply: FaultReply, client_request: OutgoingRequest | None) -> Reply:
    """Choose the exception that the caller of a failing request gets, if any, and return the reply to send.

    A client that is not known, because it is not aiohttp's, gets a closed connection where only a client can fail.
    """
    fault = reply.fault
    if client_request is not None:
        if isinstance(fault, BaseException):
            # Without this an exception that is raised many times collects the frames of all its callers.
            client_request.set_exception(fault.with_traceback(None))
        elif fault in _CALLER_ERRORS:
            client_request.set_exception(_CALLER_ERRORS[fault](client_request))
    is_sent = isinstance(fault, Fault) and fault.is_sent_by_server
    return reply if is_sent else CloseConnection(delay=reply.delay)
