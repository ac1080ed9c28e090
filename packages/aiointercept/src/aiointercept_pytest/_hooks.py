"""The hooks: the marker, the settings, and the section in the report of a failed test.

Written so that any release of pytest can import them.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from ._evidence import begin_evidence, end_evidence, evidence_of
from ._fixtures import check_server
from ._options import CHECKS, MARKER
from ._test_run import TEST_RUN

if TYPE_CHECKING:
    from pluggy import Result

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_unconfigure",
]

_HELP = {
    "raise_callback_errors": "raise what callbacks of a mock raised when the test ends",
    "assert_all_called": "fail a test that leaves a registration unused",
    "assert_all_matched": "fail a test that makes a request which nothing registered matches",
}


def pytest_addoption(parser: "pytest.Parser") -> None:
    """Add the project's settings."""
    for name in CHECKS:
        parser.addini(f"{MARKER}_{name}", _HELP[name], type="bool", default=name == "raise_callback_errors")


def pytest_configure(config: "pytest.Config") -> None:
    """Register the marker, and have mocks know the project's settings."""
    config.addinivalue_line(
        "markers", f"{MARKER}(**options): arguments of the mock that the aiointercept fixtures give to this test"
    )
    TEST_RUN.configure({name: config.getini(f"{MARKER}_{name}") for name in CHECKS})


def pytest_unconfigure() -> None:
    """Forget the project's settings."""
    TEST_RUN.unconfigure()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: "pytest.Item") -> None:
    """Begin a test that has used no mock so far."""
    begin_evidence(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: "pytest.Item") -> None:
    """Have what the session's mock is told in this test raised when it ends."""
    check_server(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: "pytest.Item") -> Generator[None, "Result[pytest.TestReport]", None]:
    """Add to the report of a failed test what its mocks received."""
    outcome = yield
    if outcome.excinfo is not None:
        return
    report = outcome.get_result()
    evidence = evidence_of(item)
    # Once for each test is enough, and what was there when it failed says most.
    if report.failed and (report.when != "teardown" or not evidence.failed):
        # Not imported in each run of pytest: most tests pass.
        from ._report import describe  # noqa: PLC0415

        _add_section(report, describe(evidence.views()))
    evidence.failed = evidence.failed or report.failed
    evidence.passed = evidence.passed or (report.when == "call" and report.passed)
    if report.when == "teardown":
        end_evidence(item)


def _add_section(report: Any, text: str) -> None:
    if text:
        report.sections.append((MARKER, text))
