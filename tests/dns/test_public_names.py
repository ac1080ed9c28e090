"""The package offers what it names, and brings none of the other packages with it."""

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import aiointercept_dns

MODULES = [f"aiointercept_dns.{module.name}" for module in pkgutil.iter_modules(aiointercept_dns.__path__)]


def test_all_names_what_is_there():
    exported = {name for name in vars(aiointercept_dns) if not name.startswith("_")}
    exported -= {name for name, value in vars(aiointercept_dns).items() if inspect.ismodule(value)}
    assert len(aiointercept_dns.__all__) == len(exported)
    assert set(aiointercept_dns.__all__) == exported


@pytest.mark.parametrize("name", MODULES)
def test_a_module_names_what_it_defines(name):
    module = import_module(name)
    defined = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == name
    }
    assert defined <= set(module.__all__)
    assert all(hasattr(module, each) for each in module.__all__)


def test_importing_it_imports_nothing_else_of_ours_and_patches_nothing():
    code = (
        "import sys, aiohttp\n"
        "owners = aiohttp.TCPConnector, aiohttp.BaseConnector, aiohttp.ClientSession\n"
        "before = [dict(vars(owner)) for owner in owners]\n"
        "import aiointercept_dns\n"
        "assert before == [dict(vars(owner)) for owner in owners]\n"
        "print({name.partition('.')[0] for name in sys.modules if name.startswith('aiointercept')})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'aiointercept_dns'}"
