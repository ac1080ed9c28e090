"""The options of a test's mock, from its markers and from pytest's configuration."""

import difflib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from ._pytest_run import PYTEST_RUN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

__all__ = ["CHECKS", "MARKER", "mock_options", "usage_error"]

MARKER = "aiointercept"

# The checks at the end of a test. Each is an ini option as well, with the marker's name as its prefix.
CHECKS = ("raise_callback_errors", "assert_all_called", "assert_all_matched")


def mock_options(item: "pytest.Item", *, check: bool = True) -> dict[str, Any]:
    """Return the constructor's arguments for a test: for each, the nearest marker counts, then the ini option.

    An invalid marker fails the test, with `check`.
    """
    options: dict[str, Any] = {name: PYTEST_RUN.ini_option(name) for name in CHECKS}
    for node in item.listchain():
        for marker in _farthest_first(node):
            if check:
                _check_marker(marker)
            options.update(marker.kwargs)
    return options


def usage_error(message: str) -> "NoReturn":
    """Fail the test because of its marker, without a traceback, which would show none of the user's code."""
    # Not by `pytest.fail`: the message of an exception that is being handled would be shown too.
    raise pytest.fail.Exception(f"@pytest.mark.{MARKER}: {message}", pytrace=False) from None


def _check_marker(marker: "pytest.Mark") -> None:
    if marker.args:
        usage_error(
            f"options must be keyword arguments, got {', '.join(map(repr, marker.args))}; "
            "write for example mock_external_urls=True"
        )
    from aiointercept import aiointercept  # noqa: PLC0415

    known = [name for name in inspect.signature(aiointercept).parameters if name != "param"]
    for name in marker.kwargs:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"the options are {', '.join(known)}"
            usage_error(f"unknown option {name!r}; {hint}")


def _farthest_first(node: Any) -> "Iterable[pytest.Mark]":
    """Return the markers of a node in the order of base classes, the node itself and its set of parameters.

    If a class or function has several markers, the lowest is the nearest.
    """
    markers: list[pytest.Mark] = [marker for marker in node.own_markers if marker.name == MARKER]
    if len(markers) < 2:
        return markers
    classes = node.obj.__mro__ if isinstance(node, pytest.Class) else ()
    bases = [vars(cls).get("pytestmark", ()) for cls in classes]
    of_parameters = getattr(getattr(node, "callspec", None), "marks", ())

    def distance(marker: "pytest.Mark") -> int:
        if any(getattr(one, "mark", one) is marker for one in of_parameters):
            return -1
        for position, marks in enumerate(bases):
            if any(getattr(one, "mark", one) is marker for one in _listed(marks)):
                return position
        return 0

    # At the same distance, the first marker is the nearest.
    nearest_first = sorted(markers, key=distance)
    return nearest_first[::-1]


def _listed(marks: Any) -> "Iterable[Any]":
    return marks if isinstance(marks, list | tuple) else (marks,)
