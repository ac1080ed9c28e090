"""The decorator: a function is called with a mock that lives as long as the call."""

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, ExitStack, aclosing
from typing import Any, TypeVar
from unittest.mock import DEFAULT

__all__ = ["decorate"]

F = TypeVar("F", bound=Callable[..., Any])

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

# Both kinds of block: async code uses the one that may wait.
MakeMock = Callable[[], Any]


def decorate(target: F, make_mock: MakeMock, param: str | None) -> F:
    """Return `target` with a fresh mock from `make_mock` injected at each call.

    `target` is a function, method, generator function or coroutine function of either kind, or a class, whose
    methods named `test*` are decorated. The mock is the keyword argument `param`, or else the last positional one.
    What is returned publishes a signature without it, so that pytest does not look for a fixture of that name.
    Raises `TypeError` where there is no parameter for the mock.
    """
    if isinstance(target, type):
        for name in dir(target):
            method = inspect.getattr_static(target, name)
            if name.startswith("test") and inspect.isfunction(method):
                setattr(target, name, decorate(method, make_mock, param))
        return target
    if not callable(target):
        raise TypeError(f"expected a function, method or class to decorate, got {target!r}")
    injection = _Injection(target, param)
    decorated: Any = functools.wraps(target)(_wrap(target, make_mock, injection))
    # pytest and unittest.mock would read the patches of a decorated function off its wrapper as well.
    vars(decorated).pop("patchings", None)
    decorated.__signature__ = injection.signature
    return decorated  # type: ignore[no-any-return]


def _wrap(function: Callable[..., Any], make_mock: MakeMock, injection: "_Injection") -> Any:
    """Return a function of the same kind as `function`: fixtures and runners ask which kind it is."""

    async def coroutine_function(*args: Any, **kwargs: Any) -> Any:
        async with make_mock() as mock:
            args, kwargs = injection.arguments(mock, args, kwargs)
            return await function(*args, **kwargs)

    async def async_generator_function(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async with make_mock() as mock:
            args, kwargs = injection.arguments(mock, args, kwargs)
            async with aclosing(function(*args, **kwargs)) as items:
                async for item in items:
                    yield item

    def generator_function(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with make_mock() as mock:
            args, kwargs = injection.arguments(mock, args, kwargs)
            return (yield from function(*args, **kwargs))

    def plain_function(*args: Any, **kwargs: Any) -> Any:
        with ExitStack() as block:
            mock = block.enter_context(make_mock())
            args, kwargs = injection.arguments(mock, args, kwargs)
            result = function(*args, **kwargs)
            if inspect.iscoroutine(result):
                # Another decorator hid that this is async: the block lasts until the coroutine is done.
                return _await_within(block.pop_all(), result)
            return result

    if inspect.iscoroutinefunction(function):
        return coroutine_function
    if inspect.isasyncgenfunction(function):
        return async_generator_function
    if inspect.isgeneratorfunction(function):
        return generator_function
    return plain_function


async def _await_within(block: AbstractContextManager[Any], result: Awaitable[Any]) -> Any:
    with block:
        return await result


class _Injection:
    """Which parameter of a function gets the mock, and the signature that is left."""

    def __init__(self, function: Callable[..., Any], param: str | None) -> None:
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        kinds = {parameter.kind for parameter in parameters}
        # The arguments of unittest.mock.patch come behind those that its caller passes: they are not ours to give.
        patched = [one for one in getattr(function, "patchings", ()) if one.new is DEFAULT and not one.attribute_name]
        positional = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
        own = positional[: len(positional) - len(patched)]
        self._keyword: str | None = None
        self._before: list[inspect.Parameter] = []
        if param is not None:
            if param not in signature.parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
                raise TypeError(f"param: expected a parameter of {function!r}, got {param!r}; it has {signature}")
            self._keyword = injected = param
        elif inspect.Parameter.VAR_POSITIONAL in kinds:
            injected = None
            self._before = own
        elif own:
            injected = own[-1].name
            self._before = own[:-1]
        else:
            raise TypeError(
                f"expected a positional parameter for the mock, {function!r} has {signature}; "
                "add one at the end, or name a keyword argument with param="
            )
        hidden = {injected, *(parameter.name for parameter in positional[len(own) :])}
        self.signature = signature.replace(parameters=[one for one in parameters if one.name not in hidden])

    def arguments(
        self, mock: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with the mock among them."""
        if self._keyword is not None:
            return args, {**kwargs, self._keyword: mock}
        # pytest passes fixtures by keyword. Those before the mock become positional, so that it gets its place.
        kwargs = dict(kwargs)
        before = [
            kwargs.pop(parameter.name, parameter.default)
            for parameter in self._before[len(args) :]
            if parameter.name in kwargs or parameter.default is not inspect.Parameter.empty
        ]
        return (*args, *before, mock), kwargs
