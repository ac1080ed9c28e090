"""The pytest plugin of aiointercept: fixtures with a mock, a marker for its options, and a report of what it received.

A package of its own, because a plugin is imported in every run of pytest: this one imports neither aiohttp nor
aiointercept until a fixture is used.
"""

from ._fixtures import aiointercept_external, aiointercept_mock, aiointercept_server
from ._hooks import (
    pytest_addoption,
    pytest_configure,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_unconfigure,
)
from ._test_run import TEST_RUN

__all__ = [
    "TEST_RUN",
    "aiointercept_external",
    "aiointercept_mock",
    "aiointercept_server",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_unconfigure",
]
