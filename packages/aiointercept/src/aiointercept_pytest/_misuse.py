"""Explain why a test does not get its mock: a marker or a decorator without effect."""

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from ._mock_usage import usage_of
from ._options import MARKER

if TYPE_CHECKING:
    from _pytest._code import ExceptionInfo

__all__ = ["explain_arguments", "warn_of_unused_marker"]


def warn_of_unused_marker(item: "pytest.Item") -> None:
    """Warn of a marker on a test function that has run, if no fixture has given it a mock."""
    usage = usage_of(item)
    # A marker on a class or a module may be meant for other tests in it.
    markers = [marker for marker in item.own_markers if marker.name == MARKER]
    # See `check_server`: it looks at no other option.
    is_server_checked = "aiointercept_server" in getattr(item, "funcargs", {}) and any(
        "raise_callback_errors" in marker.kwargs for marker in markers
    )
    if markers and usage.called and not usage.used_fixtures() and not is_server_checked:
        item.warn(
            pytest.PytestWarning(
                "@pytest.mark.aiointercept has no effect, because the test has no mock of its own: add a fixture to "
                "its arguments, for example aiointercept_external"
            )
        )


def explain_arguments(item: "pytest.Item", excinfo: "ExceptionInfo[BaseException] | None") -> str:
    """Return why pytest takes an argument of a decorated test for a fixture, empty if that is not what has failed."""
    error: Any = excinfo.value if excinfo is not None else None
    tested: Any = getattr(item, "obj", None)
    function = inspect.unwrap(tested, stop=lambda each: hasattr(each, "__aiointercept_decorated__"))
    parameter = getattr(function, "__aiointercept_decorated__", None)
    if parameter is None or not isinstance(error, pytest.FixtureLookupError):
        return ""
    return (
        f"pytest takes the argument {error.argname!r} for a fixture: the decorator passes its mock as "
        f"{parameter.mock_name!r}; make the mock the last argument, or write @aiointercept(param={error.argname!r})"
    )
