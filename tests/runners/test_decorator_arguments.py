"""Where a decorated function gets the mock among its arguments, and what signature it shows to its callers."""

import inspect
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from aiointercept import aiointercept

if TYPE_CHECKING:
    from somewhere import OnlyForTypeCheckers


class _Mock:
    """What stands for the mock in an expectation."""

    def __eq__(self, other):
        return isinstance(other, aiointercept)

    __hash__ = None


MOCK = _Mock()


def only(m):
    return (m,)


def last(a, b, m):
    return a, b, m


def with_default(a, b=2, m=None):
    return a, b, m


def positional_only(a, m, /):
    return a, m


def keyword_only(a, m, *, k, k2="k2"):
    return a, m, k, k2


def variadic(*args):
    return args


def more_variadic(a, b=2, *args, k=None, **kwargs):
    return a, b, args, k, kwargs


def any_keywords(a, m, **kwargs):
    return a, m, kwargs


@pytest.mark.parametrize(
    ("function", "signature", "args", "kwargs", "expected"),
    [
        (only, "()", (), {}, (MOCK,)),
        (last, "(a, b)", (1, 2), {}, (1, 2, MOCK)),
        (last, "(a, b)", (1,), {"b": 2}, (1, 2, MOCK)),
        (last, "(a, b)", (), {"b": 2, "a": 1}, (1, 2, MOCK)),
        (with_default, "(a, b=2)", (1,), {}, (1, 2, MOCK)),
        (with_default, "(a, b=2)", (), {"a": 1}, (1, 2, MOCK)),
        (with_default, "(a, b=2)", (1, 3), {}, (1, 3, MOCK)),
        (positional_only, "(a, /)", (1,), {}, (1, MOCK)),
        (keyword_only, "(a, *, k, k2='k2')", (1,), {"k": 3}, (1, MOCK, 3, "k2")),
        (variadic, "(*args)", (), {}, (MOCK,)),
        (variadic, "(*args)", (1, 2), {}, (1, 2, MOCK)),
        (more_variadic, "(a, b=2, *args, k=None, **kwargs)", (), {"a": 1, "x": 5}, (1, 2, (MOCK,), None, {"x": 5})),
        (more_variadic, "(a, b=2, *args, k=None, **kwargs)", (1, 0, 7), {"k": 3}, (1, 0, (7, MOCK), 3, {})),
        (any_keywords, "(a, **kwargs)", (), {"a": 1, "x": 5}, (1, MOCK, {"x": 5})),
    ],
)
def test_the_mock_is_the_last_positional_argument(function, signature, args, kwargs, expected):
    decorated = aiointercept()(function)
    assert str(inspect.signature(decorated)) == signature
    assert decorated(*args, **kwargs) == expected


@pytest.mark.parametrize(
    ("function", "param", "signature", "args", "kwargs", "expected"),
    [
        (last, "m", "(a, b)", (1, 2), {}, (1, 2, MOCK)),
        (last, "a", "(b, m)", (2, 3), {}, (MOCK, 2, 3)),
        (last, "a", "(b, m)", (), {"b": 2, "m": 3}, (MOCK, 2, 3)),
        (last, "b", "(a, m)", (1, 3), {}, (1, MOCK, 3)),
        (with_default, "b", "(a, m=None)", (1,), {}, (1, MOCK, None)),
        (keyword_only, "k", "(a, m, *, k2='k2')", (1, 2), {}, (1, 2, MOCK, "k2")),
        (more_variadic, "k", "(a, b=2, *args, **kwargs)", (1, 2, 3), {}, (1, 2, (3,), MOCK, {})),
        (any_keywords, "other", "(a, m, **kwargs)", (1, 2), {"x": 5}, (1, 2, {"x": 5, "other": MOCK})),
        (partial(last, 1), "m", "(b)", (2,), {}, (1, 2, MOCK)),
    ],
)
def test_param_names_the_argument(function, param, signature, args, kwargs, expected):
    decorated = aiointercept(param=param)(function)
    assert str(inspect.signature(decorated)) == signature
    assert decorated(*args, **kwargs) == expected


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (last, (1,), {}),
        (last, (), {"b": 2}),
        (last, (1, 2, 3), {}),
        (last, (1, 2), {"a": 1}),
        (last, (1, 2), {"m": 3}),
        (with_default, (), {}),
        (keyword_only, (1,), {}),
        (only, (), {"unknown": 1}),
    ],
)
def test_wrong_arguments_are_a_type_error(function, args, kwargs):
    with pytest.raises(TypeError):
        aiointercept()(function)(*args, **kwargs)


def nothing():
    pass


def only_keywords(*, m):
    pass


def method_without_room(self):
    pass


@pytest.mark.parametrize(
    ("target", "param", "message"),
    [
        (nothing, None, r"^nothing\(\) has no parameter .*`def nothing\(m\)`, or use param="),
        (only_keywords, None, r"^only_keywords\(\) has no parameter .*param="),
        (
            method_without_room,
            None,
            r"^method_without_room\(\) has .*`def method_without_room\(self, m\)`",
        ),
        (last, "other", r"param='other' is no keyword argument of last\(a, b, m\)"),
        (positional_only, "m", "param='m' is no keyword argument of positional_only"),
        (variadic, "args", "param='args' is no keyword argument of variadic"),
        (3, None, "only functions, methods and classes can be decorated, got 3"),
        (pytest.fixture(only), None, "a fixture cannot be decorated, got .*only.*: put @pytest.fixture above"),
    ],
)
def test_no_place_for_the_mock_is_said_where_it_is_decorated(target, param, message):
    with pytest.raises(TypeError, match=message):
        aiointercept(param=param)(target)


def test_the_parentheses_are_missed_where_they_are_left_out():
    with pytest.raises(TypeError, match=r"must be True or False, got .*only.*write @aiointercept\(\)"):
        aiointercept(only)


def test_a_decorated_function_is_known_by_its_own_name_and_words():
    @aiointercept()
    def documented(a: int, m: aiointercept) -> str:
        """What it does."""
        return f"{a}"

    assert (documented.__name__, documented.__doc__) == ("documented", "What it does.")
    assert documented.__qualname__.endswith(".documented")
    assert documented.__module__ == __name__
    assert str(inspect.signature(documented)) == "(a: int) -> str"
    assert documented.__wrapped__(3, None) == "3"


def test_annotations_that_only_a_type_checker_can_resolve():
    @aiointercept()
    def annotated(a: "OnlyForTypeCheckers", m: "OnlyForTypeCheckers"):
        return a, m

    assert annotated(1) == (1, MOCK)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated when a function is defined")
def test_annotations_that_nobody_quoted():
    namespace = {}
    exec("def annotated(a: OnlyForTypeCheckers, m: OnlyForTypeCheckers): return a, m", namespace)
    assert aiointercept()(namespace["annotated"])(1) == (1, MOCK)


@aiointercept()
def test_pytest_supplies_the_other_arguments(tmp_path, request, m):
    assert tmp_path.is_dir()
    assert request.node.name == "test_pytest_supplies_the_other_arguments"
    assert m == MOCK


@aiointercept(param="m")
def test_pytest_supplies_the_others_where_param_is_first(m, tmp_path):
    assert tmp_path.is_dir()
    assert m == MOCK


@aiointercept()
def test_pytest_supplies_what_comes_before_variable_arguments(tmp_path, *args):
    assert tmp_path.is_dir()
    assert args == (MOCK,)


@pytest.mark.parametrize("number", [1, 2])
@aiointercept()
@pytest.mark.parametrize("letter", "ab")
async def test_parametrized_on_both_sides(letter, tmp_path, number, m):
    assert letter in "ab"
    assert number in {1, 2}
    assert tmp_path.is_dir()
    assert m == MOCK
