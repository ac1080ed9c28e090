"""What the packages publish: each `__all__` is sorted and says what is there, and nothing is public by accident."""

import importlib
import inspect
import pkgutil
import types

import pytest

import aiointercept
import aiointercept.compat
import aiointercept_core
import aiointercept_server

PACKAGES = [
    "aiointercept",
    "aiointercept.compat",
    "aiointercept_core",
    "aiointercept_dns",
    "aiointercept_pytest",
    "aiointercept_server",
]
PUBLIC_MODULES = ["aiointercept_dns.failures"]
MODULES = [
    f"{package}.{info.name}"
    for package in PACKAGES
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__)
    if not info.ispkg
]


def order(name):
    """Constants first, then classes, then functions, as the linter sorts them."""
    return not name.isupper(), not name[0].isupper(), name


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_publishes_what_it_imports_and_nothing_else(package):
    module = importlib.import_module(package)
    public = {
        key
        for key, value in vars(module).items()
        if not isinstance(value, types.ModuleType) or value.__name__ in PUBLIC_MODULES
    }
    assert module.__all__ == sorted((key for key in public if not key.startswith("_")), key=order)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_public_name_has_a_docstring(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        ours = inspect.isfunction(value) or (inspect.isclass(value) and value.__module__.startswith("aiointercept"))
        assert value.__doc__ or not ours, name


def test_the_names_of_a_module_are_sorted_and_there():
    for name in MODULES:
        module = importlib.import_module(name)
        assert module.__all__ == sorted(set(module.__all__), key=order), name
        assert set(module.__all__) <= set(vars(module)), name


def test_the_names_that_users_import():
    assert aiointercept.__all__ == [
        "AiointerceptRequest",
        "AiointerceptWarning",
        "CallbackResult",
        "Fault",
        "Route",
        "ServerSentEvent",
        "ServerWebSocket",
        "aiointercept",
    ]
    assert aiointercept.CallbackResult is aiointercept.compat.CallbackResult is aiointercept_core.CallbackResult
    assert aiointercept.Route is aiointercept_core.Route
    assert aiointercept.AiointerceptRequest is aiointercept_server.AiointerceptRequest


def test_each_member_of_a_mock_has_a_docstring():
    for name, member in inspect.getmembers(aiointercept.aiointercept):
        assert name.startswith("_") or inspect.getdoc(member), name
