"""The decorator: call a function with a mock that runs for as long as the call."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, ExitStack, aclosing
from typing import Any, TypeAlias, TypeVar

from ._parameters import MockParameter
from ._started_at import StartedAt

__all__ = ["decorate"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

F = TypeVar("F", bound=Callable[..., Any])

# Returns a mock for one call of a function: a sync and an async context manager with a `_started_at`.
MakeMock: TypeAlias = Callable[[], Any]

_MARK = "__aiointercept_decorated__"


def decorate(target: F, make_mock: MakeMock, param: str | None) -> F:
    """Return `target` with a new mock from `make_mock` passed to each call.

    `target` is a function, method, generator function or coroutine function of either kind, or a class, whose
    methods named `test*` are decorated. The mock is the keyword argument `param`, or else the last positional one.
    The result has a signature without this argument, so that pytest does not look for a fixture of its name.
    Raises `TypeError` if there is no parameter for the mock.
    """
    if isinstance(target, type):
        _decorate_tests(target, make_mock, param)
        return target
    if isinstance(target, staticmethod | classmethod):
        return type(target)(decorate(target.__func__, make_mock, param))
    if type(target).__module__.startswith("_pytest.") or hasattr(target, "_pytestfixturefunction"):
        raise TypeError(f"a fixture cannot be decorated, got {target!r}: put @pytest.fixture above this decorator")
    if not callable(target):
        raise TypeError(f"only functions, methods and classes can be decorated, got {target!r}")
    parameter = MockParameter(target, param)
    decorated: Any = functools.wraps(target)(_wrap(target, make_mock, parameter))
    # Otherwise pytest and unittest.mock would apply the patches of the decorated function a second time.
    vars(decorated).pop("patchings", None)
    vars(decorated)[_MARK] = parameter
    decorated.__signature__ = parameter.signature
    return decorated  # type: ignore[no-any-return]


def _decorate_tests(cls: type, make_mock: MakeMock, param: str | None) -> None:
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        function = method.__func__ if isinstance(method, staticmethod | classmethod) else method
        if not name.startswith("test") or not inspect.isfunction(function):
            continue
        # The innermost decorator counts, unless the function has a parameter for another mock.
        is_decorated = hasattr(function, _MARK)
        if is_decorated and name not in vars(cls):
            continue
        try:
            setattr(cls, name, decorate(method, make_mock, param))
        except TypeError:
            if not is_decorated:
                raise


def _wrap(function: Callable[..., Any], make_mock: MakeMock, parameter: MockParameter) -> Any:
    """Return a function of the same kind as `function`: fixtures and test runners inspect the kind."""
    started_at = StartedAt()

    def new_mock() -> Any:
        mock = make_mock()
        mock._started_at = started_at
        return mock

    async def coroutine_function(*args: Any, **kwargs: Any) -> Any:
        async with new_mock() as mock:
            args, kwargs = parameter.arguments(mock, args, kwargs)
            return await function(*args, **kwargs)

    async def async_generator_function(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with new_mock() as mock:
            args, kwargs = parameter.arguments(mock, args, kwargs)
            async with aclosing(function(*args, **kwargs)) as items:
                # Async generators have no `yield from`: pass on the values and exceptions that are sent in.
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
        with new_mock() as mock:
            args, kwargs = parameter.arguments(mock, args, kwargs)
            return (yield from function(*args, **kwargs))

    def plain_function(*args: Any, **kwargs: Any) -> Any:
        with ExitStack() as block:
            mock = block.enter_context(new_mock())
            args, kwargs = parameter.arguments(mock, args, kwargs)
            result = function(*args, **kwargs)
            if inspect.iscoroutine(result):
                # Another decorator hides a coroutine function: the mock runs until the coroutine has ended.
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
