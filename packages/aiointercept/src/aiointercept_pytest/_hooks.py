"""The hooks: the marker, the settings, and the section in the report of a failed test."""

from collections.abc import Generator

import pytest

from ._options import CHECKS, MARKER
from ._report import forget_started, note_outcome, section

__all__ = ["pytest_addoption", "pytest_configure", "pytest_runtest_makereport", "pytest_runtest_setup"]

_HELP = {
    "raise_callback_errors": "raise what callbacks of a mock raised when the test ends",
    "assert_all_called": "fail a test that leaves a registration unused",
    "assert_all_matched": "fail a test that makes a request which nothing registered matches",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the project's settings."""
    for name in CHECKS:
        parser.addini(f"{MARKER}_{name}", _HELP[name], type="bool", default=name == "raise_callback_errors")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}(**options): arguments of the mock that the aiointercept fixtures give to this test"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin a test with no mock started."""
    forget_started()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what its mocks received."""
    report = yield
    note_outcome(item, report)
    if report.failed and (text := section(item)):
        report.sections.append(("aiointercept", text))
    return report
