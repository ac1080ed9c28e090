"""The arguments of callbacks: a callback gets those of its keyword arguments that its signature takes."""

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
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def check_callback(callback: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the arguments that `callback` takes; raise `TypeError` if it cannot be called."""
    try:
        parameters = list(inspect.signature(callback).parameters.values())
    except (TypeError, ValueError):
        # Some functions written in C have no signature.
        return _EVERY_ARGUMENT
    name = describe_function(callback)
    kinds = {parameter.kind for parameter in parameters}
    positional = [p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    if not positional and Parameter.VAR_POSITIONAL not in kinds:
        raise TypeError(f"callback {name} has no parameter for the URL: write its first parameter as url")
    others = [p for p in parameters if p not in positional[:1] and p.kind not in _VARIADIC]
    for parameter in others:
        is_given = parameter.name in ARGUMENTS and parameter.kind is not Parameter.POSITIONAL_ONLY
        if not is_given and parameter.default is Parameter.empty:
            raise TypeError(
                f"callback {name} needs the argument {parameter.name!r}, which is not passed: a callback gets the URL "
                f"by position, and by name those of {', '.join(ARGUMENTS)} that it takes"
            )
    if Parameter.VAR_KEYWORD in kinds:
        return _EVERY_ARGUMENT - {p.name for p in positional[:1]}
    return _EVERY_ARGUMENT & {p.name for p in others if p.kind is not Parameter.POSITIONAL_ONLY}


def callback_arguments(request: Request, route_matcher: Matcher, names: Collection[str]) -> dict[str, Any]:
    """Return the keyword arguments of a callback that are among `names`."""
    arguments = request_details(request, names)
    if "match" in names:
        arguments["match"] = route_matcher.match(request.url) if isinstance(route_matcher, URLPattern) else None
    return arguments
