"""Checks of the arguments of `add` that do not depend on the content of the reply."""

import difflib
import inspect
import sys
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping
from typing import TypeVar

from ._faults import Fault
from ._format import describe_value
from ._headers import TOKEN

__all__ = [
    "check_behaviour",
    "check_delay",
    "check_method",
    "check_repeat",
    "check_shortcut",
    "is_exception",
    "reject_unknown",
    "without_class_names",
]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

C = TypeVar("C")

# The names of each argument in other libraries. A word with two underscores at its end is a prefix.
_OTHER_NAMES = {
    "body": "content data html reply respond response response_data stream text",
    "callback": "handler side_effect",
    "content_type": "mimetype",
    "delay": "delay_seconds",
    "fault": "error exc raises side_effect timeout",
    "headers": "adding_headers cookies forcing_headers",
    "json": "json_data",
    "match": "additional_matcher matcher",
    "match_body": "body_pattern content content__ match_content",
    "match_form": "data data__ form match_data match_files",
    "match_headers": "cookies cookies__ headers__ request_headers",
    "match_json": "json__",
    "match_query": "match_params match_querystring params__",
    "optional": "is_optional",
    "params": "params__eq qs query query_string",
    "payload": "reply respond response response_json return_value",
    "repeat": "is_reusable times",
    "status": "code status_code",
}
# The advice for arguments of other libraries that do not exist here.
_NO_ARGUMENT = {
    "complete_qs": "the whole query of the URL is compared, unless match_query= is given",
    "passthrough": "it is an argument of the mock, not of a route",
    "real_http": "pass passthrough_unmatched=True to the mock",
    "regex": "pass re.compile(...) as the URL",
    "response_class": "pass it to the session of the client",
    "url__": "pass re.compile(...) as the URL",
}


def reject_unknown(unknown: Mapping[str, object], known: Collection[str]) -> None:
    """Raise `TypeError` for the first unknown keyword argument, with the name that is meant."""
    for name in unknown:
        prefix = name[: name.find("__") + 2] if "__" in name else name
        if prefix in _NO_ARGUMENT:
            hint = _NO_ARGUMENT[prefix]
        elif (
            meant := _called(name, known)
            or _called(prefix, known)
            or difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        ):
            hint = f"did you mean {' or '.join(map(repr, meant))}?"
        else:
            hint = f"the known ones are {', '.join(known)}"
        raise TypeError(f"unknown argument {name!r}; {hint}")


def _called(word: str, known: Collection[str]) -> list[str]:
    """Return the arguments among `known` that other libraries call `word`."""
    return [name for name, others in _OTHER_NAMES.items() if name in known and word in others.split()]


def without_class_names(cls: type[C]) -> type[C]:
    """Have Python's errors about a wrong call of a method say `get()`, without the class that defines it."""
    for name, function in vars(cls).items():
        if inspect.isfunction(function):
            function.__qualname__ = name
    return cls


def check_shortcut(name: str, positional: tuple[object, ...], options: Mapping[str, object]) -> None:
    """Raise `TypeError` for positional arguments after the URL of the shortcut `name`, and for another method."""
    if "method" in options:
        method = describe_value(options["method"])
        raise TypeError(f"{name}() has a method already, got method={method}; write add(url, method={method})")
    if positional:
        given = positional[0]
        # A class or a function as it is called in the code, the number of an `http.HTTPStatus`.
        value = getattr(given, "__name__", None) or (
            str(given) if isinstance(given, Fault | int) else describe_value(given)
        )
        raise TypeError(
            f"{name}() takes only the URL by position, got {value} too; name the argument, for example "
            f"{_likely_argument(given)}={value}"
        )


def _likely_argument(value: object) -> str:
    """Return the argument that is likely meant by a value without a name."""
    if isinstance(value, Fault) or is_exception(value):
        return "fault"
    if isinstance(value, int) and not isinstance(value, bool):
        return "status"
    if isinstance(value, str | bytes | AsyncIterable) or inspect.isasyncgenfunction(value):
        return "body"
    return "callback" if callable(value) else "payload"


def check_method(method: object) -> str:
    """Return the method in upper case, `"ANY"` for `"*"`; raise `ValueError` if it is not an HTTP method."""
    if not isinstance(method, str) or not TOKEN.fullmatch(method):
        raise ValueError(
            f"method must be an HTTP method as a str without spaces, such as 'GET', got {describe_value(method)}"
        )
    return "ANY" if method == "*" else method.upper()


def check_behaviour(callback: object, exception: object, fault: object, sse: object = None) -> None:
    """Raise `TypeError` for a callback, exception or fault of a wrong type, `ValueError` for contradicting ones.

    A fault contradicts a callback, an exception and a stream of events.
    """
    if fault is not None and not is_exception(fault) and not isinstance(fault, Fault):
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
    if not is_exception(exception) and not isinstance(exception, bool | None):
        raise TypeError(
            f"exception must be True, an exception or an exception class, got {describe_value(exception)}; "
            "pass True to close the connection"
        )


def check_delay(delay: object) -> float:
    """Return the delay in seconds; raise `TypeError` or `ValueError` if it is not a length of time."""
    if isinstance(delay, bool) or not isinstance(delay, int | float):
        raise TypeError(f"delay must be a number of seconds, got {describe_value(delay)}; for example delay=0.2")
    if not 0 <= delay <= sys.float_info.max:
        raise ValueError(f"delay must be a finite number of seconds that is not negative, got {describe_value(delay)}")
    return float(delay)


def is_exception(value: object, kind: type[BaseException] = BaseException) -> bool:
    """Return whether `value` is an exception or an exception class of that kind."""
    return isinstance(value, kind) or (isinstance(value, type) and issubclass(value, kind))


def check_repeat(repeat: object, body: object, argument: str = "body") -> int | None:
    """Return how many requests are answered with `body`, `None` for no limit; `argument` is its name in messages."""
    if not isinstance(repeat, int):
        raise TypeError(f"repeat must be True, False or a positive number, got {describe_value(repeat)}; pass an int")
    if repeat < 0:
        raise ValueError(f"repeat must be True, False or a positive number, got {repeat!r}; pass True for no limit")
    count = None if repeat is True else int(repeat) or 1
    if count != 1 and isinstance(body, AsyncIterator):
        name = getattr(body, "__name__", "")
        if name.isidentifier():
            kind, advice = "a generator", f"pass the function itself: {argument}={name}, not {argument}={name}()"
        else:
            kind, advice = "an iterator", "pass a function that returns a new one"
        raise ValueError(f"{argument}: {kind} can be sent only once, but repeat={repeat!r}; {advice}")
    return count
