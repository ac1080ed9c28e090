"""The hooks: the marker, the ini options, and the section in the report of a failed test.

Any release of pytest can import this module.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from ._fixtures import check_server, note_callback_errors
from ._misuse import explain_arguments, warn_of_unused_marker
from ._mock_usage import begin_usage, end_usage, usage_of
from ._options import CHECKS, MARKER
from ._pytest_run import PYTEST_RUN, test_case_exception

if TYPE_CHECKING:
    from pluggy import Result

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_unconfigure",
]

_HELP = {
    "raise_callback_errors": "raise the errors of a mock's callbacks at the end of the test",
    "assert_all_called": "fail a test that leaves a route unused",
    "assert_all_matched": "fail a test that makes an unmatched request",
}


def pytest_addoption(parser: "pytest.Parser") -> None:
    """Add the ini options."""
    for name in CHECKS:
        parser.addini(f"{MARKER}_{name}", _HELP[name], type="bool", default=name == "raise_callback_errors")
    help_text = "answer unmatched requests with this status instead of closing the connection"
    parser.addini(f"{MARKER}_unmatched_status", help_text, default="")


def pytest_configure(config: "pytest.Config") -> None:
    """Register the marker, and pass the ini options to mocks."""
    config.addinivalue_line(
        "markers", f"{MARKER}(**options): arguments of the mock that the aiointercept fixtures give to this test"
    )
    options = {name: config.getini(f"{MARKER}_{name}") for name in CHECKS}
    PYTEST_RUN.configure({**options, "unmatched_status": _unmatched_status(config)})


def _unmatched_status(config: "pytest.Config") -> int | None:
    name = f"{MARKER}_unmatched_status"
    value = config.getini(name)
    if not value:
        return None
    from aiointercept._pytest_bridge import check_unmatched_status  # noqa: PLC0415

    try:
        return check_unmatched_status(int(value) if value.isdecimal() else value, name)
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from None


def pytest_unconfigure() -> None:
    """Forget the ini options."""
    PYTEST_RUN.unconfigure()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: "pytest.Item") -> None:
    """Begin to note the mocks of a test."""
    begin_usage(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: "pytest.Item") -> None:
    """Raise the callback errors of the session's mock at the end of the test."""
    check_server(item)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: "pytest.Item") -> None:
    """Warn of a marker without effect; where warnings are errors, this is an error of the test."""
    warn_of_unused_marker(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: "pytest.Item", call: "pytest.CallInfo[None]"
) -> Generator[None, "Result[pytest.TestReport]", None]:
    """Add a section to the report of a failed test: the requests that its mocks received."""
    usage = usage_of(item)
    exception = call.excinfo.value if call.excinfo is not None else test_case_exception(item)
    if call.when != "teardown" and exception is not None:
        PYTEST_RUN.fail()
        note_callback_errors(item, exception)
    outcome = yield
    if outcome.excinfo is not None:
        return
    report = outcome.get_result()
    # One section for each test, with the mocks as they were when the test failed.
    if report.failed and (report.when != "teardown" or not usage.failed):
        # Imported only for failed tests.
        from ._report import describe  # noqa: PLC0415

        _add_section(report, explain_arguments(item, call.excinfo))
        _add_section(report, describe(usage.snapshots(), _shown(item, report)))
    usage.called = usage.called or (report.when == "call" and not report.skipped)
    usage.failed = usage.failed or report.failed
    usage.passed = usage.passed or (report.when == "call" and report.passed)
    if report.when == "teardown":
        end_usage(item)


def _shown(item: "pytest.Item", report: "pytest.TestReport") -> str:
    """Return what pytest itself shows of a failed test: the exception and the captured log."""
    is_log_shown = item.config.getoption("showcapture", "all") in ("all", "log")
    sections = [text for name, text in report.sections if is_log_shown and "log" in name]
    return "\n".join([report.longreprtext, *sections])


def _add_section(report: Any, text: str) -> None:
    if text:
        report.sections.append((MARKER, text))
