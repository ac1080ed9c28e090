"""The arguments of `add` are spelt once: the options and the shortcuts agree with it."""

import inspect
import pydoc
import re

import pytest

from aiointercept_core import MethodShortcuts, Registry, Route, RouteOptions

SHORTCUTS = ["get", "post", "put", "patch", "delete", "head", "options", "any"]


def options_of(function):
    """Return the parameters after the URL and the method, with their annotations."""
    parameters = inspect.signature(function).parameters.values()
    return {
        parameter.name: parameter.annotation
        for parameter in parameters
        if parameter.name not in ("self", "url", "method", "unknown")
    }


def test_the_options_are_those_of_add():
    assert options_of(Registry.add) == RouteOptions.__annotations__


@pytest.mark.parametrize("name", SHORTCUTS)
@pytest.mark.parametrize("owner", [Registry, MethodShortcuts])
def test_help_shows_the_arguments_of_a_shortcut(owner, name):
    shortcut = getattr(owner, name)
    signature, add = inspect.signature(shortcut), inspect.signature(Registry.add)
    assert signature.return_annotation is Route
    assert list(signature.parameters.values()) == [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in add.parameters.items()
        if name not in ("method", "unknown")
    ]
    # Python 3.13 writes each parameter on a line of its own.
    shown = "".join(pydoc.plain(pydoc.render_doc(shortcut)).split())
    assert f"{name}(self,url,status=200,body=b'',json=None," in shown
    assert "unknown" not in shown
    assert f'Example:`m.{name}("https://' in shown


@pytest.mark.parametrize("name", SHORTCUTS)
def test_help_has_a_line_for_each_argument_of_a_shortcut(name):
    lines = getattr(Registry, name).__doc__.partition("Arguments::")[2].splitlines()
    named = [argument for line in lines if line for argument in re.match(r"    (\w+(?:, \w+)*)  ", line)[1].split(", ")]
    assert named == ["url", *RouteOptions.__annotations__]


def test_help_on_add_does_not_show_what_catches_misspelt_names():
    assert "unknown" not in inspect.signature(Registry.add).parameters
    with pytest.raises(TypeError, match="stauts"):
        Registry().add("https://api.example.com/", stauts=404)


def test_the_signature_of_a_bound_shortcut():
    parameters = inspect.signature(Registry().post).parameters
    assert list(parameters)[:3] == ["url", "status", "body"]
    assert parameters["status"].default == 200
    assert list(parameters)[-1] == "sse"


def test_shortcuts_are_for_any_class_with_add():
    calls = []

    class Other(MethodShortcuts):
        def add(self, *args, **kwargs):
            calls.append((args, kwargs))

    for name in SHORTCUTS:
        getattr(Other(), name)("http://h.test/", status=404)
    assert calls == [(("http://h.test/",), {"method": name.upper(), "status": 404}) for name in SHORTCUTS]


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_shortcut_with_another_method_points_to_add(name):
    with pytest.raises(
        TypeError, match=rf"^{name}\(\) has a method already, got method='PURGE'; write add\(url, method='PURGE'\)$"
    ):
        getattr(Registry(), name)("http://h.test/", method="PURGE")
