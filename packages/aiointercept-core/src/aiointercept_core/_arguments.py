"""Checks of the arguments of `add` that do not depend on the content of the reply."""

import difflib
import sys
from collections.abc import AsyncIterator, Collection, Mapping

from ._faults import Fault
from ._format import describe_value
from ._headers import TOKEN

__all__ = ["check_behaviour", "check_delay", "check_method", "check_repeat", "check_shortcut", "reject_unknown"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

# What the arguments are called in other libraries.
_OTHER_NAMES = {
    "code": "status",
    "content": "body",
    "data": "body",
    "delay_seconds": "delay",
    "error": "fault",
    "exc": "fault",
    "form": "match_form",
    "html": "body",
    "match_content": "match_body",
    "match_data": "match_form",
    "match_params": "match_query",
    "match_querystring": "match_query",
    "matcher": "match",
    "query": "params",
    "raises": "fault",
    "request_headers": "match_headers",
    "response": "body",
    "return_value": "payload",
    "side_effect": "callback",
    "status_code": "status",
    "text": "body",
    "timeout": "fault",
    "times": "repeat",
}


def reject_unknown(unknown: Mapping[str, object], known: Collection[str]) -> None:
    """Raise `TypeError` for the first unknown keyword argument, naming the known one that it resembles."""
    for name in unknown:
        similar = (
            [_OTHER_NAMES[name]] if _OTHER_NAMES.get(name) in known else difflib.get_close_matches(name, known, n=1)
        )
        hint = f"did you mean {similar[0]!r}?" if similar else f"the known ones are {', '.join(known)}"
        raise TypeError(f"unknown argument {name!r}; {hint}")


def check_shortcut(name: str, positional: tuple[object, ...], options: Mapping[str, object]) -> None:
    """Raise `TypeError` for positional arguments after the URL of the shortcut `name`, and for another method."""
    if "method" in options:
        method = describe_value(options["method"])
        raise TypeError(f"{name}() has a method already, got method={method}; write add(url, method={method})")
    if positional:
        given = positional[0]
        value = str(given) if isinstance(given, Fault) else describe_value(given)
        if isinstance(given, Fault) or _is_exception(given):
            argument = "fault"
        else:
            argument = "body" if isinstance(given, str | bytes) else "payload"
        raise TypeError(
            f"{name}() takes only the URL by position, got {value} too; name the argument, for example "
            f"{argument}={value}"
        )


def check_method(method: object) -> str:
    """Return the method in upper case, `"ANY"` for `"*"`; raise `ValueError` if it is not an HTTP method."""
    if not isinstance(method, str) or not TOKEN.fullmatch(method):
        raise ValueError(
            f"method must be an HTTP method as a str without spaces, such as 'GET', got {describe_value(method)}"
        )
    return "ANY" if method == "*" else method.upper()


def check_behaviour(callback: object, exception: object, fault: object, sse: object = None) -> None:
    """Raise `TypeError` for a callback, an exception or a fault that is none, `ValueError` for a fault beside these.

    A fault beside a stream of events is a `ValueError` too.
    """
    if fault is not None and not _is_exception(fault) and not isinstance(fault, Fault):
        raise TypeError(
            f"fault must be a Fault, an exception or an exception class, got {describe_value(fault)}; "
            "for example fault=Fault.RESET"
        )
    if fault is not None and (callback is not None or exception or sse is not None):
        other = "callback" if callback is not None else "exception" if exception else "sse"
        raise ValueError(f"fault and {other} contradict each other: pass one of them")
    if callback is not None and not callable(callback):
        raise TypeError(
            f"callback must be a function, sync or async, got {describe_value(callback)}; "
            "pass the function itself, without calling it"
        )
    if not _is_exception(exception) and not isinstance(exception, bool | None):
        raise TypeError(
            f"exception must be True, an exception or an exception class, got {describe_value(exception)}; "
            "pass True to close the connection"
        )


def check_delay(delay: object) -> float:
    """Return the delay in seconds; raise `TypeError` or `ValueError` if it is no length of time."""
    if isinstance(delay, bool) or not isinstance(delay, int | float):
        raise TypeError(f"delay must be a number of seconds, got {describe_value(delay)}; for example delay=0.2")
    if not 0 <= delay <= sys.float_info.max:
        raise ValueError(f"delay must be a finite number of seconds that is not negative, got {describe_value(delay)}")
    return float(delay)


def _is_exception(value: object) -> bool:
    return isinstance(value, BaseException) or (isinstance(value, type) and issubclass(value, BaseException))


def check_repeat(repeat: object, body: object, argument: str = "body") -> int | None:
    """Return how many requests are answered with `body`, `None` for no limit; `argument` is its name in messages."""
    if not isinstance(repeat, int):
        raise TypeError(f"repeat must be True, False or a positive number, got {describe_value(repeat)}; pass an int")
    if repeat < 0:
        raise ValueError(f"repeat must be True, False or a positive number, got {repeat!r}")
    count = None if repeat is True else int(repeat) or 1
    if count != 1 and isinstance(body, AsyncIterator):
        name = getattr(body, "__name__", "")
        if name.isidentifier():
            kind, advice = "a generator", f"pass the function itself: {argument}={name}, not {argument}={name}()"
        else:
            kind, advice = "an iterator", "pass a function that returns a new one"
        raise ValueError(f"{argument}: {kind} can be sent only once, but repeat={repeat!r}; {advice}")
    return count
