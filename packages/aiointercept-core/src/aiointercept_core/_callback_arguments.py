"""The arguments of callbacks: a callback gets those of its keyword arguments that its signature takes."""

import functools
import inspect
from collections.abc import Callable, Collection
from inspect import Parameter
from typing import Any

from ._format import describe_function
from ._matchers import Matcher, URLPattern
from ._request import DETAILS, Request, request_details

__all__ = ["callback_arguments", "check_callback"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

ARGUMENTS = (*DETAILS, "match")

_EVERY_ARGUMENT = frozenset(ARGUMENTS)
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def check_callback(callback: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the arguments that `callback` takes; raise `TypeError` if it cannot be called.

    A decorated function is called with what its decorator takes, which may add what else the function needs.
    """
    parameters = _parameters(callback, follow_wrapped=False)
    if parameters is None and (parameters := _parameters(callback)) is None:
        # Some functions written in C have no signature.
        return _EVERY_ARGUMENT
    name = describe_function(callback)
    kinds = {parameter.kind for parameter in parameters}
    positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    if not positional and Parameter.VAR_POSITIONAL not in kinds:
        raise TypeError(f"callback {name} has no parameter for the URL: write its first parameter as url")
    if positional and (first := positional[0].name) in ARGUMENTS:
        raise TypeError(
            f"callback {name} takes {first!r} as its first argument, which is the URL: "
            f"write def answer(url, *, {first})"
        )
    others = [p for p in parameters if p not in positional[:1] and p.kind not in _VARIADIC]
    for parameter in others:
        is_given = parameter.name in ARGUMENTS and parameter.kind is not Parameter.POSITIONAL_ONLY
        if not is_given and parameter.default is Parameter.empty:
            raise TypeError(
                f"callback {name} needs the argument {parameter.name!r}, which is not passed: a callback gets the URL "
                f"by position, and by name those of {', '.join(ARGUMENTS)} that it takes"
            )
    names = _names(others)
    if Parameter.VAR_KEYWORD in kinds:
        # A decorator passes them on to the function.
        names |= _names(_parameters(callback) or parameters)
    return names - callback.keywords.keys() if isinstance(callback, functools.partial) else names


def _parameters(callback: Callable[..., Any], *, follow_wrapped: bool = True) -> list[Parameter] | None:
    try:
        return list(inspect.signature(callback, follow_wrapped=follow_wrapped).parameters.values())
    except (TypeError, ValueError):
        return None


def _names(parameters: Collection[Parameter]) -> frozenset[str]:
    """Return the names of the arguments that can be passed by keyword."""
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
        return _EVERY_ARGUMENT
    return _EVERY_ARGUMENT & {p.name for p in parameters if p.kind is not Parameter.POSITIONAL_ONLY}


def callback_arguments(request: Request, route_matcher: Matcher, names: Collection[str]) -> dict[str, Any]:
    """Return the keyword arguments of a callback that are among `names`."""
    arguments = request_details(request, names)
    if "match" in names:
        arguments["match"] = route_matcher.match(request.url) if isinstance(route_matcher, URLPattern) else None
    return arguments
