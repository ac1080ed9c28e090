"""What users import, and from where."""

import inspect
import types

import aiohttp.web

import aiointercept
import aiointercept_core
import aiointercept_server


def test_the_names_that_users_import():
    assert aiointercept.__all__ == ["AiointerceptRequest", "CallbackResult", "MockResponse", "aiointercept"]
    for name in aiointercept.__all__:
        assert inspect.isclass(getattr(aiointercept, name))


def test_nothing_else_looks_public():
    public = {
        name
        for name, value in vars(aiointercept).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(aiointercept.__all__)


def test_the_names_are_those_of_the_packages_they_come_from():
    assert aiointercept.CallbackResult is aiointercept_core.CallbackResult
    assert aiointercept.MockResponse is aiointercept_core.MockResponse
    assert aiointercept.AiointerceptRequest is aiointercept_server.AiointerceptRequest
    assert issubclass(aiointercept.AiointerceptRequest, aiohttp.web.Request)


def test_urls_are_normalised_by_a_public_function():
    assert str(aiointercept_core.normalize_url("HTTP://API.example.com:80/x?b=1&a=2#top")) == (
        "http://api.example.com/x?a=2&b=1"
    )


def test_each_public_name_has_a_docstring():
    for name in aiointercept.__all__:
        assert inspect.getdoc(getattr(aiointercept, name))
    for name, member in vars(aiointercept.aiointercept).items():
        if not name.startswith("_") and callable(member):
            assert inspect.getdoc(member), name
