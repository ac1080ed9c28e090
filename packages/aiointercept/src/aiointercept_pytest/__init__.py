"""The pytest plugin of aiointercept: fixtures, a marker for their options, and a report section for failed tests.

It is a package of its own because pytest imports a plugin in every run: this one imports neither aiohttp nor
aiointercept until a fixture is used.
"""

from ._fixtures import aiointercept_external, aiointercept_mock, aiointercept_server
from ._hooks import (
    pytest_addoption,
    pytest_configure,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_runtest_teardown,
    pytest_unconfigure,
)
from ._pytest_run import PYTEST_RUN

__all__ = [
    "PYTEST_RUN",
    "aiointercept_external",
    "aiointercept_mock",
    "aiointercept_server",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_unconfigure",
]
