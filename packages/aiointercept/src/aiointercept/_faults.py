"""Faults: which of them a mock can have, and what the caller gets."""

from collections.abc import Callable

from aiohttp import ServerDisconnectedError

from aiointercept_core import CloseConnection, Fault, FaultReply, Reply
from aiointercept_dns import OutgoingRequest, failures

from ._core import is_exception

__all__ = ["check_fault", "fail", "set_disconnect"]

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


def check_fault(fault: object, *, is_redirecting: bool) -> None:
    """Raise `ValueError` for a fault that callers can never get: some need `mock_external_urls=True`."""
    if is_exception(fault, StopIteration):
        raise ValueError(
            "fault: no coroutine can raise StopIteration, Python makes a RuntimeError of it; pass another exception"
        )
    if is_redirecting or (isinstance(fault, Fault) and fault.is_sent_by_server):
        return
    # Core says what is wrong with other values.
    if isinstance(fault, Fault) or is_exception(fault):
        name = f"fault={fault}" if isinstance(fault, Fault) else "an exception as fault"
        possible = ", ".join(other.name for other in Fault if other.is_sent_by_server)
        raise ValueError(
            f"{name} needs mock_external_urls=True, because no server can show it; without that, fault must be one of "
            f"{possible}"
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


def set_disconnect(client_request: OutgoingRequest | None) -> None:
    """Have the caller get a disconnect, so that aiohttp does not retry the request; a known error stays."""
    if client_request is not None and client_request.exception is None:
        client_request.set_exception(ServerDisconnectedError())
