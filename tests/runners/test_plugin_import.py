"""The plugin is part of every run of pytest: it costs nothing until a fixture is used, and its import never fails."""

import subprocess
import sys

from pytest_runs import run_in_subprocess

pytest_plugins = ["pytester"]


def test_nothing_is_imported_until_a_fixture_is_used(pytester):
    pytester.makepyfile(
        """
        import sys

        import pytest

        OURS = {"aiohttp", "yarl", "multidict", "aiointercept", "aiointercept_core", "aiointercept_dns"}


        def test_before():
            assert "aiointercept_pytest" in sys.modules
            assert not OURS & set(sys.modules)


        @pytest.mark.aiointercept(passthrough=["api.example.test"])
        def test_marked_without_a_fixture():
            assert False


        def test_still_nothing_after_a_failure(request):
            assert not OURS & set(sys.modules)


        def test_missing(monkeypatch, request):
            # As where aiohttp is not installed: whoever does not ask for a mock is not concerned.
            for name in ("aiohttp", "yarl"):
                monkeypatch.setitem(sys.modules, name, None)
            with pytest.raises(ImportError):
                request.getfixturevalue("aiointercept_external")


        def test_used(aiointercept_external):
            assert OURS <= set(sys.modules)
        """
    )
    run_in_subprocess(pytester, "-p", "no:randomly", "-W", "ignore::pytest.PytestWarning").assert_outcomes(
        passed=4, failed=1
    )


def test_pytest_finds_it_by_itself(pytester, monkeypatch):
    """By its entry point, with whatever else is installed that does not change the run."""
    pytester.makepyfile(
        """
        def test_it(aiointercept_mock):
            assert aiointercept_mock.server_port
        """
    )
    others = ("aiohttp", "anyio", "asyncio", "hypothesispytest", "pytest_httpserver", "randomly", "socket", "xdist")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    result = pytester.runpytest_inprocess(*(f"-pno:{name}" for name in others), "-pno:cacheprovider", "-rA")
    result.assert_outcomes(passed=1)


# pytest as it was before it had the types and the kinds of hooks that it has now, and nothing else to import.
OLD_AND_MISSING = """
import sys
import types

pytest = types.ModuleType("pytest")


def hookimpl(function=None, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False):
    return function if function is not None else lambda function: function


def fixture(function=None, scope="function", params=None, autouse=False, ids=None, name=None):
    return function if function is not None else lambda function: function


pytest.hookimpl, pytest.fixture = hookimpl, fixture
sys.modules["pytest"] = pytest
for name in ("aiohttp", "aiointercept", "aiointercept_core", "multidict", "pluggy", "yarl"):
    sys.modules[name] = None
import aiointercept_pytest
assert callable(aiointercept_pytest.pytest_addoption)
"""


def test_an_old_pytest_and_whatever_is_missing_is_no_reason_to_fail():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", OLD_AND_MISSING], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
