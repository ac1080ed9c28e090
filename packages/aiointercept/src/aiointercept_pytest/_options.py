"""The options of a test's mock: from the markers around it and from the project's settings."""

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from ._test_run import TEST_RUN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

__all__ = ["CHECKS", "MARKER", "mock_options", "refuse"]

MARKER = "aiointercept"

# What is looked at when a test ends. Each is an ini option as well, under the marker's name.
CHECKS = ("raise_callback_errors", "assert_all_called", "assert_all_matched")


def mock_options(item: "pytest.Item") -> dict[str, Any]:
    """Return the constructor's arguments for a test: its nearest marker counts, for each of them, then the settings.

    A marker that does not name them fails the test.
    """
    options: dict[str, Any] = {name: TEST_RUN.setting(name) for name in CHECKS}
    for node in item.listchain():
        for marker in _farthest_first(node):
            _check_marker(marker)
            options.update(marker.kwargs)
    return options


def refuse(message: str) -> "NoReturn":
    """Fail the test with what is wrong about its marker, and no traceback: it would show none of the user's code."""
    pytest.fail(f"@pytest.mark.{MARKER}: {message}", pytrace=False)


def _check_marker(marker: "pytest.Mark") -> None:
    if marker.args:
        refuse(
            f"expected keyword arguments only, got {', '.join(map(repr, marker.args))}; "
            "write passthrough=[...] and the like"
        )
    from aiointercept import aiointercept  # noqa: PLC0415

    known = [name for name in inspect.signature(aiointercept).parameters if name != "param"]
    if unknown := sorted(set(marker.kwargs) - set(known)):
        refuse(f"expected options among {', '.join(known)}; got {', '.join(unknown)}")


def _farthest_first(node: Any) -> "Iterable[pytest.Mark]":
    """Return the markers of one node: those of base classes, of its own, of a set of parameters.

    Of several on one class or function, the one next to it is the nearest.
    """
    markers: list[pytest.Mark] = [marker for marker in node.own_markers if marker.name == MARKER]
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

    # Of two at the same distance, the first is the nearest.
    nearest_first = sorted(markers, key=distance)
    return nearest_first[::-1]


def _listed(marks: Any) -> "Iterable[Any]":
    return marks if isinstance(marks, list | tuple) else (marks,)
