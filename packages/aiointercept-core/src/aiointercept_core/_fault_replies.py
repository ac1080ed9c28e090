"""The reply to a request that is meant to fail, checked when it is registered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._faults import Fault
from ._format import describe_value
from ._matchers import ExactURL, Matcher
from ._replies import CallbackResult, FaultReply, Response, WebSocket

__all__ = ["FaultTemplate", "build_fault"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True


@dataclass(slots=True)
class FaultTemplate:
    """A fault, or the exception that callers get; for an exception class, each caller gets a new instance."""

    fault: Fault | BaseException | type[BaseException]
    response: Response | None

    def make(self) -> FaultReply:
        """Return the reply to one request."""
        fault = self.fault
        return FaultReply(fault() if isinstance(fault, type) else fault, self.response)


def build_fault(
    fault: Fault | BaseException | type[BaseException],
    result: CallbackResult,
    reply: object,
    method: str,
    matcher: Matcher,
    bodies: Mapping[str, object],
) -> FaultTemplate:
    """Return the template for `fault`; raise `TypeError` or `ValueError` if it cannot happen to such requests.

    `reply` was built from `result`, which has the other arguments of `add`, except for those in `bodies`.
    """
    name = f"fault={fault}" if isinstance(fault, Fault) else "an exception as fault"
    if not isinstance(fault, Fault) or not fault.has_body:
        _refuse_response(name, result, bodies)
        is_http = isinstance(matcher, ExactURL) and matcher.url.scheme == "http"
        if is_http and isinstance(fault, Fault) and fault.needs_https:
            raise ValueError(f"{name} needs an https URL, got {str(matcher)!r}")
        return FaultTemplate(fault, None)
    if isinstance(reply, WebSocket):
        raise ValueError(f"{name} sends a part of the body, and the reply to a WebSocket handshake has none: use get()")
    if not isinstance(reply, Response):
        raise TypeError(f"{name} sends a part of the body: pass a str, bytes or payload=, not a stream or a function")
    if method == "HEAD" or reply.status in (204, 304):
        raise ValueError(f"{name} sends a part of the body, and a reply to HEAD or with status 204 or 304 has none")
    if fault is not Fault.CORRUPT_ENCODING and not reply.body:
        raise ValueError(f"{name} sends the first half of the body: pass it with body= or payload=")
    return FaultTemplate(fault, reply)


def _refuse_response(name: str, result: CallbackResult, bodies: Mapping[str, object]) -> None:
    given: dict[str, Any] = {
        "status": result.status if result.status != 200 else None,
        **bodies,
        "headers": result.headers,
        "content_type": result.content_type if result.content_type != "application/json" else None,
        "reason": result.reason,
    }
    for argument, value in given.items():
        if value is not None:
            raise ValueError(f"{name} sends no response: leave {argument} out, got {describe_value(value)}")
