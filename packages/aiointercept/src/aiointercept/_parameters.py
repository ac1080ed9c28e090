"""Find the parameter of a decorated function that receives the mock, and the signature without it."""

import functools
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any

from ._core import describe_function

__all__ = ["MockParameter"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

if sys.version_info >= (3, 14):
    import annotationlib

    # Annotations may contain names that exist for type checkers only.
    _signature = functools.partial(inspect.signature, annotation_format=annotationlib.Format.FORWARDREF)
else:
    _signature = inspect.signature


class MockParameter:
    """The parameter of `function` that receives the mock.

    It is the parameter `param`, or else the last positional one before those that `unittest.mock.patch` fills, or else
    the end of `*args`. `signature` is the function's signature without all these. Raises `TypeError` if there is no
    such parameter.
    """

    def __init__(self, function: Callable[..., Any], param: str | None) -> None:
        signature = _signature(function)
        parameters = list(signature.parameters.values())
        positional = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
        variadic = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
        patched = _patched(function, [each.name for each in positional if each.name != param], variadic)
        if param is not None:
            _check_param(param, function, signature)
            self._name_of_mock: str | None = param
        elif variadic:
            self._name_of_mock = None
        else:
            self._name_of_mock = _last_place([each.name for each in positional if each.name not in patched])
            if self._name_of_mock is None:
                example = ", ".join([*(each.name for each in positional), "m"])
                raise TypeError(
                    f"{describe_function(function)} has no parameter to receive the mock: add one at the end, for "
                    f"example `def {getattr(function, '__name__', 'test')}({example})`, or use param="
                )
        # pytest passes fixtures by keyword, and `patch` appends positional arguments: the parameters before the mock
        # and before those of `patch` have to be passed by position.
        self._leading = list(itertools.takewhile(lambda each: each.name not in patched, positional))
        self._by_keyword = self._name_of_mock not in [None, *(each.name for each in self._leading)]
        self._function = function
        hidden = {self._name_of_mock, *patched}
        self.signature = signature.replace(parameters=[each for each in parameters if each.name not in hidden])

    @property
    def mock_name(self) -> str:
        """The name of the parameter that receives the mock."""
        return self._name_of_mock or "*args"

    def arguments(
        self, mock: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with the mock among them; `TypeError` where one is missing."""
        rest, kwargs = list(args), dict(kwargs)
        leading = []
        for parameter in self._leading:
            if parameter.name == self._name_of_mock:
                leading.append(mock)
            elif rest:
                leading.append(rest.pop(0))
            elif parameter.name in kwargs:
                leading.append(kwargs.pop(parameter.name))
            elif parameter.default is not inspect.Parameter.empty:
                leading.append(parameter.default)
            else:
                raise TypeError(f"{describe_function(self._function)} is missing the argument {parameter.name!r}")
        if self._name_of_mock is None:
            rest.append(mock)
        elif self._by_keyword:
            kwargs[self._name_of_mock] = mock
        return (*leading, *rest), kwargs


def _last_place(names: list[str]) -> str | None:
    """Return the last of `names`, `None` if there is none besides `self` or `cls`."""
    if not names or (len(names) == 1 and names[0] in {"self", "cls"}):
        return None
    return names[-1]


def _check_param(param: str, function: Callable[..., Any], signature: inspect.Signature) -> None:
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    if kinds.get(param) not in _BY_NAME and inspect.Parameter.VAR_KEYWORD not in kinds.values():
        raise TypeError(
            f"param={param!r} is no keyword argument of {describe_function(function).removesuffix('()')}{signature}: "
            "add it to the signature, or correct param="
        )


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
        by_name.update(each.attribute_name for each in several if each.new is default)
    names = [name for name in names if name not in by_name]
    # In `*args` they come after the mock.
    return by_name if variadic else by_name.union(names[max(0, len(names) - appended) :])
