"""The decorator: a function is called with a mock that lives as long as the call."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, ExitStack, aclosing
from typing import Any, TypeVar

from ._injection import Injection

__all__ = ["decorate"]

F = TypeVar("F", bound=Callable[..., Any])

# Both kinds of block: async code uses the one that may wait.
MakeMock = Callable[[], Any]

_MARK = "__aiointercept_decorated__"


def decorate(target: F, make_mock: MakeMock, param: str | None) -> F:
    """Return `target` with a fresh mock from `make_mock` injected at each call.

    `target` is a function, method, generator function or coroutine function of either kind, or a class, whose
    methods named `test*` are decorated. The mock is the keyword argument `param`, or else the last positional one.
    What is returned publishes a signature without it, so that pytest does not look for a fixture of that name.
    Raises `TypeError` where there is no parameter for the mock.
    """
    if isinstance(target, type):
        _decorate_tests(target, make_mock, param)
        return target
    if isinstance(target, staticmethod | classmethod):
        return type(target)(decorate(target.__func__, make_mock, param))
    if type(target).__module__.startswith("_pytest.") or hasattr(target, "_pytestfixturefunction"):
        raise TypeError(f"expected a function to decorate, got the fixture {target!r}; put @pytest.fixture above")
    if not callable(target):
        raise TypeError(f"expected a function, method or class to decorate, got {target!r}")
    injection = Injection(target, param)
    decorated: Any = functools.wraps(target)(_wrap(target, make_mock, injection))
    # pytest and unittest.mock would read the patches of a decorated function off its wrapper as well.
    vars(decorated).pop("patchings", None)
    vars(decorated)[_MARK] = True
    decorated.__signature__ = injection.signature
    return decorated  # type: ignore[no-any-return]


def _decorate_tests(cls: type, make_mock: MakeMock, param: str | None) -> None:
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        function = method.__func__ if isinstance(method, staticmethod | classmethod) else method
        if not name.startswith("test") or not inspect.isfunction(function):
            continue
        # The nearest decorator counts, unless the function has room for one mock more.
        is_decorated = hasattr(function, _MARK)
        if is_decorated and name not in vars(cls):
            continue
        try:
            setattr(cls, name, decorate(method, make_mock, param))
        except TypeError:
            if not is_decorated:
                raise


def _wrap(function: Callable[..., Any], make_mock: MakeMock, injection: Injection) -> Any:
    """Return a function of the same kind as `function`: fixtures and runners ask which kind it is."""

    async def coroutine_function(*args: Any, **kwargs: Any) -> Any:
        async with make_mock() as mock:
            args, kwargs = injection.arguments(mock, args, kwargs)
            return await function(*args, **kwargs)

    async def async_generator_function(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with make_mock() as mock:
            args, kwargs = injection.arguments(mock, args, kwargs)
            async with aclosing(function(*args, **kwargs)) as items:
                # What `yield from` does, which async generators lack: what is sent or thrown in reaches the function.
                step = anext(items)
                while True:
                    try:
                        item = await step
                    except StopAsyncIteration:
                        return
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as exc:
                        step = items.athrow(exc)
                    else:
                        step = items.asend(sent)

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


async def _await_within(block: AbstractContextManager[Any], result: Coroutine[Any, Any, Any]) -> Any:
    with block:
        return await result
