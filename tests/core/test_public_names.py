"""What core publishes, and what it does not bring along."""

import importlib
import pkgutil
import subprocess
import sys
from importlib.metadata import requires
from inspect import getmodule, isclass, isfunction

import pytest

import aiointercept_core

MODULES = sorted(module.name for module in pkgutil.walk_packages(aiointercept_core.__path__, "aiointercept_core."))


def test_the_package_publishes_what_it_imports():
    modules = {name.rpartition(".")[2] for name in MODULES}
    public = {name for name in vars(aiointercept_core) if not name.startswith("__")} - modules
    assert aiointercept_core.__all__ == sorted(public, key=lambda name: (not name[0].isupper(), name))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_publishes_what_it_defines(name):
    module = importlib.import_module(name)
    defined = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and (isclass(value) or isfunction(value)) and getmodule(value) is module
    }
    # Memoised functions, type aliases and constants are no functions and name no module.
    assert defined <= set(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(key in vars(module) for key in module.__all__)
    assert module.__all__ == sorted(module.__all__, key=lambda key: (not key.isupper(), not key[0].isupper(), key))


def test_whatever_is_published_says_what_it_is():
    for name in aiointercept_core.__all__:
        value = getattr(aiointercept_core, name)
        assert not (isclass(value) or isfunction(value)) or value.__doc__, name


def test_a_module_opens_with_its_purpose():
    for name in ["aiointercept_core", *MODULES]:
        assert importlib.import_module(name).__doc__.strip().endswith("."), name


def test_importing_it_brings_no_http_library_and_no_event_loop():
    code = "import sys, aiointercept_core; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "aiointercept_core" in loaded
    unwanted = {"aiohttp", "asyncio", "httpx", "requests", "urllib3", "socket", "ssl", "http.client", "multiprocessing"}
    # `yarl` may import what it likes.
    yarl = subprocess.run(
        [sys.executable, "-I", "-c", code.replace("aiointercept_core", "yarl")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded & unwanted <= set(yarl.stdout.split())
    assert "aiohttp" not in loaded


def test_it_depends_on_yarl_and_multidict_alone():
    names = sorted(requirement.partition(">=")[0] for requirement in requires("aiointercept-core"))
    assert names == ["multidict", "yarl"]
