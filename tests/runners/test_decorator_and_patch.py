"""The decorator beside itself and `unittest.mock.patch`, in any order: each gives what it is there for."""

import inspect
from unittest import mock
from unittest.mock import patch

import pytest

from aiointercept import aiointercept


class Target:
    """What is patched."""

    one = "one"
    two = "two"
    table = {"key": "value"}  # noqa: RUF012
    functions = None


def is_mock(value):
    return isinstance(value, aiointercept)


def is_patch(value):
    return isinstance(value, mock.MagicMock)


@aiointercept()
@patch.object(Target, "one")
def test_patch_inside(m, one):
    assert is_mock(m)
    assert one is Target.one
    assert is_patch(one)


@patch.object(Target, "one")
@aiointercept()
def test_patch_outside(one, m):
    assert is_mock(m)
    assert one is Target.one
    assert is_patch(one)


@aiointercept()
@patch.object(Target, "one")
async def test_patch_inside_an_async_test(tmp_path, m, one):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one


@patch.object(Target, "one")
@aiointercept()
async def test_patch_outside_an_async_test(one, tmp_path, m):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one


@patch.object(Target, "two")
@aiointercept()
@patch.object(Target, "one")
def test_patches_on_both_sides(two, tmp_path, m, one):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one
    assert two is Target.two


@aiointercept()
@patch.object(Target, "two")
@patch.object(Target, "one")
@pytest.mark.parametrize("number", [1, 2])
async def test_several_patches_inside(number, m, one, two):
    assert number in {1, 2}
    assert is_mock(m)
    assert one is Target.one
    assert two is Target.two


@patch.object(Target, "two")
@pytest.mark.parametrize("number", [1, 2])
@patch.object(Target, "one")
@aiointercept()
async def test_several_patches_outside(one, two, number, m):
    assert number in {1, 2}
    assert is_mock(m)
    assert one is Target.one
    assert two is Target.two


@aiointercept()
@patch.object(Target, "one", new="new")
@patch.object(Target, "two", "newer")
def test_patch_with_a_value_of_its_own_inside(tmp_path, m):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert (Target.one, Target.two) == ("new", "newer")


@patch.object(Target, "one", new="new")
@aiointercept()
async def test_patch_with_a_value_of_its_own_outside(tmp_path, m):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert Target.one == "new"


@aiointercept()
@patch(f"{__name__}.is_patch")
def test_patch_by_name_inside(m, patched):
    assert is_mock(m)
    assert patched is is_patch


@patch(f"{__name__}.is_patch")
@aiointercept()
def test_patch_by_name_outside(patched, m):
    assert is_mock(m)
    assert patched is is_patch


@aiointercept()
@patch.dict(Target.table, key="patched")
@patch.object(Target, "one")
async def test_patch_of_a_dict_inside(m, one):
    assert is_mock(m)
    assert one is Target.one
    assert Target.table == {"key": "patched"}


@patch.dict(Target.table, key="patched")
@aiointercept()
async def test_patch_of_a_dict_outside(tmp_path, m):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert Target.table == {"key": "patched"}


@aiointercept()
@patch.multiple(Target, one=mock.DEFAULT, two=mock.DEFAULT)
def test_several_at_once_by_keyword(tmp_path, m, one, two):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one
    assert two is Target.two


@aiointercept()
@patch.multiple(Target, one=mock.DEFAULT, two="new")
@patch.object(Target, "functions")
def test_several_at_once_beside_a_positional_one(tmp_path, m, functions, one):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one
    assert functions is Target.functions
    assert Target.two == "new"


@aiointercept(param="m")
@patch.object(Target, "one")
def test_param_before_what_patch_gives(m, tmp_path, one):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one


@aiointercept(param="m")
@patch.object(Target, "one")
def test_param_behind_what_patch_gives(tmp_path, one, m):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one


@aiointercept(param="m")
@patch.object(Target, "one")
def test_param_by_keyword_only(tmp_path, one, *, m):
    assert tmp_path.is_dir()
    assert is_mock(m)
    assert one is Target.one


@aiointercept(mock_external_urls=True)
@aiointercept()
async def test_itself(tmp_path, external, local):
    assert tmp_path.is_dir()
    assert is_mock(external)
    assert is_mock(local)
    external.get("https://api.example.test/")
    with pytest.raises(RuntimeError, match="running"):
        external.start()
    assert external is not local


@aiointercept()
@patch.object(Target, "one")
@aiointercept(param="named")
@aiointercept()
def test_itself_with_a_patch_between(outer, one, inner, *, named):
    assert all(map(is_mock, (outer, inner, named)))
    assert len({id(outer), id(inner), id(named)}) == 3
    assert one is Target.one


def test_variable_arguments_take_all_in_order():
    @aiointercept()
    @patch.object(Target, "one")
    def inside(a, *args):
        return a, [is_mock(arg) for arg in args], [is_patch(arg) for arg in args]

    @patch.object(Target, "one")
    @aiointercept()
    def outside(*args):
        return [is_mock(arg) for arg in args], [is_patch(arg) for arg in args]

    assert inside(1) == (1, [True, False], [False, True])
    assert inside(a=1) == (1, [True, False], [False, True])
    assert outside() == ([False, True], [True, False])


def test_a_function_stays_as_it_was_when_it_is_decorated_twice():
    @patch.object(Target, "one")
    def function(m, one):
        return is_mock(m), is_patch(one)

    decorated = aiointercept()(function)
    again = patch.object(Target, "two")(
        aiointercept()(patch.object(Target, "two")(lambda two, m, inner: is_patch(two)))
    )
    assert decorated() == decorated() == (True, True)
    assert again() is True
    assert len(function.patchings) == 1
    assert str(inspect.signature(decorated)) == "()"


@patch.object(Target, "one")
@aiointercept()
class TestPatchOutsideOfAClass:
    def test_sync(self, one, tmp_path, m):
        assert tmp_path.is_dir()
        assert is_mock(m)
        assert one is Target.one


@aiointercept()
@patch.object(Target, "one")
class TestPatchInsideOfAClass:
    async def test_async(self, tmp_path, m, one):
        assert tmp_path.is_dir()
        assert is_mock(m)
        assert one is Target.one
