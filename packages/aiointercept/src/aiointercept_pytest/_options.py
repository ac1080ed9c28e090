"""The options of a test's mock: from the markers around it and from the project's settings."""

from typing import Any

import pytest

__all__ = ["CHECKS", "MARKER", "mock_options"]

MARKER = "aiointercept"

# What is looked at when a test ends. Each is an ini option as well, under the marker's name.
CHECKS = ("raise_callback_errors", "assert_all_called", "assert_all_matched")


def mock_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the constructor's arguments for a test: its nearest marker counts, for each of them, then the settings."""
    options: dict[str, Any] = {}
    for name in CHECKS:
        options[name] = request.config.getini(f"{MARKER}_{name}")
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        if marker.args:
            raise pytest.UsageError(
                f"@pytest.mark.{MARKER}: expected keyword arguments only, got {marker.args!r}; "
                "write passthrough=[...] and the like"
            )
        options.update(marker.kwargs)
    return options
