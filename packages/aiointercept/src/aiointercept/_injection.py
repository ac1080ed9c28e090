"""Which parameter of a decorated function gets the mock, and the signature that is left."""

import functools
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Injection"]

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

if sys.version_info >= (3, 14):
    import annotationlib

    # Names that only a type checker can find are no reason to fail.
    _signature = functools.partial(inspect.signature, annotation_format=annotationlib.Format.FORWARDREF)
else:
    _signature = inspect.signature


class Injection:
    """The place of the mock among the parameters of `function`.

    It is the parameter `param`, or else the last positional one before those that `unittest.mock.patch` fills inside,
    or else the end of `*args`. `signature` is what callers see: the function's own without all these. Raises
    `TypeError` where there is no such place.
    """

    def __init__(self, function: Callable[..., Any], param: str | None) -> None:
        signature = _signature(function)
        parameters = list(signature.parameters.values())
        positional = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
        variadic = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
        patched = _patched(function, [one.name for one in positional if one.name != param], variadic)
        if param is not None:
            _check_param(param, function, signature)
            self._injected: str | None = param
        elif variadic:
            self._injected = None
        else:
            self._injected = _last_place([one.name for one in positional if one.name not in patched])
            if self._injected is None:
                raise TypeError(
                    f"expected a positional parameter for the mock, {function!r} has {signature}; "
                    "add one at the end, or name a keyword argument with param="
                )
        # pytest passes fixtures by keyword, patch appends to what is passed by position: what comes before the mock
        # or before what patch appends is passed by position.
        self._leading = list(itertools.takewhile(lambda one: one.name not in patched, positional))
        self._by_keyword = self._injected not in [None, *(one.name for one in self._leading)]
        self._function = function
        hidden = {self._injected, *patched}
        self.signature = signature.replace(parameters=[one for one in parameters if one.name not in hidden])

    def arguments(
        self, mock: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with the mock among them; `TypeError` where one is missing."""
        rest, kwargs = list(args), dict(kwargs)
        leading = []
        for parameter in self._leading:
            if parameter.name == self._injected:
                leading.append(mock)
            elif rest:
                leading.append(rest.pop(0))
            elif parameter.name in kwargs:
                leading.append(kwargs.pop(parameter.name))
            elif parameter.default is not inspect.Parameter.empty:
                leading.append(parameter.default)
            else:
                raise TypeError(f"{self._function!r}: missing the argument {parameter.name!r}")
        if self._injected is None:
            rest.append(mock)
        elif self._by_keyword:
            kwargs[self._injected] = mock
        return (*leading, *rest), kwargs


def _last_place(names: list[str]) -> str | None:
    """Return the last of `names`, unless it is what a method is bound to."""
    if not names or (len(names) == 1 and names[0] in {"self", "cls"}):
        return None
    return names[-1]


def _check_param(param: str, function: Callable[..., Any], signature: inspect.Signature) -> None:
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    if kinds.get(param) not in _BY_NAME and inspect.Parameter.VAR_KEYWORD not in kinds.values():
        raise TypeError(f"param: expected a keyword argument of {function!r}, got {param!r}; it has {signature}")


def _patched(function: Callable[..., Any], names: list[str], variadic: bool) -> set[str]:
    """Return the parameters that `unittest.mock.patch` inside `function` fills."""
    appended = 0
    by_name: set[str] = set()
    for patching in getattr(function, "patchings", ()):
        default = sys.modules[type(patching).__module__].DEFAULT
        if patching.attribute_name is None:
            appended += patching.new is default
            continue
        several = (patching, *patching.additional_patchers)
        by_name.update(one.attribute_name for one in several if one.new is default)
    names = [name for name in names if name not in by_name]
    # Into `*args` they go behind the mock.
    return by_name if variadic else by_name.union(names[max(0, len(names) - appended) :])
