"""Runs of pytest with nothing in them but our plugin and those that are named."""

import re

import pytest

# A run within this process forgets what it was the first to import: these may not be there twice.
import requests  # noqa: F401

import aiointercept  # noqa: F401

__all__ = ["report_sections", "run_in_process", "run_in_subprocess"]

OURS = "aiointercept_pytest"


def run_in_process(pytester: pytest.Pytester, *args: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
    """Run pytest on the files of `pytester` within this process, which is quick."""
    return pytester.runpytest_inprocess(*_arguments(pytester, plugins), *args)


def run_in_subprocess(
    pytester: pytest.Pytester, *args: str, plugins: tuple[str, ...] = (), timeout: float = 60
) -> pytest.RunResult:
    """Run pytest on the files of `pytester` in a process of its own, where `plugins` may do as they like."""
    return pytester.runpytest_subprocess(*_arguments(pytester, plugins), *args, timeout=timeout)


def report_sections(result: pytest.RunResult) -> list[list[str]]:
    """Return the lines of each section of ours in the report of a run with `--tb=short`."""
    found = []
    lines = result.outlines
    for number, line in enumerate(lines):
        if re.fullmatch(r"-+ aiointercept -+", line):
            end = next(i for i in range(number + 1, len(lines)) if re.match(r"[-_=]{3}", lines[i]))
            found.append(lines[number + 1 : end])
    return found


def _arguments(pytester: pytest.Pytester, plugins: tuple[str, ...]) -> list[str]:
    # This run is about what is named, whatever else is installed.
    pytester._monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # The summary has one line for each test, cut to the width of the terminal.
    pytester._monkeypatch.setenv("COLUMNS", "300")
    loaded = [argument for name in (OURS, *plugins) for argument in ("-p", name)]
    return [*loaded, "-p", "no:cacheprovider", "-W", "error", "-ra"]
