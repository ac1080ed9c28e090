"""The decorator: a function is called with a mock that lives as long as the call."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

__all__ = ["decorate"]

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def decorate(function: F, make_mock: Callable[[], Any], param: str | None) -> F:
    """Return `function` with a fresh mock from `make_mock` injected at each call.

    The mock is the keyword argument `param`, or else the last positional one. The function that is returned
    publishes a signature without it, so that pytest does not look for a fixture of that name.
    """
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"expected an async function or method to decorate, got {function!r}")
    injection = _Injection(function, param)

    @functools.wraps(function)
    async def decorated(*args: Any, **kwargs: Any) -> Any:
        async with make_mock() as mock:
            args, kwargs = injection.arguments(mock, args, kwargs)
            return await function(*args, **kwargs)

    decorated.__signature__ = injection.signature  # type: ignore[attr-defined]
    return decorated  # type: ignore[return-value]


class _Injection:
    """Which parameter of a function gets the mock, and the signature that is left."""

    def __init__(self, function: Callable[..., Any], param: str | None) -> None:
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        positional = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
        takes_any = [parameter.kind for parameter in parameters]
        self.name: str | None
        if param is not None:
            if param not in signature.parameters and inspect.Parameter.VAR_KEYWORD not in takes_any:
                raise TypeError(f"expected {function!r} to have the parameter {param!r}, it has {signature}")
            self.name = param
        elif inspect.Parameter.VAR_POSITIONAL in takes_any:
            self.name = None
        elif positional:
            last = positional[-1]
            self.name = None if last.kind is inspect.Parameter.POSITIONAL_ONLY else last.name
            param = last.name
        else:
            raise TypeError(f"expected {function!r} to have a positional parameter for the mock, it has {signature}")
        self.signature = signature.replace(parameters=[p for p in parameters if p.name != param])

    def arguments(
        self, mock: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with the mock among them."""
        # By keyword, because pytest passes the other arguments, its fixtures, by keyword too.
        return ((*args, mock), kwargs) if self.name is None else (args, {**kwargs, self.name: mock})
