"""Checks of the arguments of `add` that do not depend on the content of the reply."""

import difflib
from collections.abc import AsyncIterator, Collection, Mapping

from ._format import describe_value
from ._headers import TOKEN

__all__ = ["check_behaviour", "check_method", "check_repeat", "reject_unknown"]


def reject_unknown(unknown: Mapping[str, object], known: Collection[str]) -> None:
    """Raise `TypeError` for the first unknown keyword argument, naming the known one that it resembles."""
    for name in unknown:
        similar = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"the known ones are {', '.join(known)}"
        raise TypeError(f"unknown argument {name!r}; {hint}")


def check_method(method: object) -> str:
    """Return the method in upper case; raise `ValueError` if it is not an HTTP method."""
    if not isinstance(method, str) or not TOKEN.fullmatch(method):
        raise ValueError(
            f"method must be an HTTP method as a str without spaces, such as 'GET', got {describe_value(method)}"
        )
    return method.upper()


def check_behaviour(callback: object, exception: object) -> None:
    """Raise `TypeError` for a callback that is not a function, or for an exception that is none."""
    if callback is not None and not callable(callback):
        raise TypeError(
            f"callback must be a function, sync or async, got {describe_value(callback)}; "
            "pass the function itself, without calling it"
        )
    is_class = isinstance(exception, type) and issubclass(exception, BaseException)
    if not is_class and not isinstance(exception, bool | BaseException | None):
        raise TypeError(
            f"exception must be True, an exception or an exception class, got {describe_value(exception)}; "
            "pass True to close the connection"
        )


def check_repeat(repeat: object, body: object) -> int | None:
    """Return how many requests are answered with `body`, `None` for no limit."""
    if not isinstance(repeat, int):
        raise TypeError(f"repeat must be True, False or a positive number, got {describe_value(repeat)}; pass an int")
    if repeat < 0:
        raise ValueError(f"repeat must be True, False or a positive number, got {repeat!r}")
    count = None if repeat is True else int(repeat) or 1
    if count != 1 and isinstance(body, AsyncIterator):
        name = getattr(body, "__name__", "")
        if name.isidentifier():
            kind, advice = "a generator", f"pass the function itself: body={name}, not body={name}()"
        else:
            kind, advice = "an iterator", "pass a function that returns a new one"
        raise ValueError(f"body: {kind} can be sent only once, but repeat={repeat!r}; {advice}")
    return count
