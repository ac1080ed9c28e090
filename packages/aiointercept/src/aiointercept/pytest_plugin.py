"""The pytest plugin: fixtures with a mock, without any async plugin."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aiointercept import aiointercept

__all__ = ["aiointercept_mock", "aiointercept_server"]


@pytest.fixture(scope="session")
def aiointercept_server() -> "Iterator[aiointercept]":
    """A mock that runs for the whole session, in the default mode."""
    # A plugin is imported in every run of pytest, and aiohttp takes a while: only who uses a fixture pays for it.
    from aiointercept import aiointercept  # noqa: PLC0415

    with aiointercept() as mock:
        yield mock


@pytest.fixture
def aiointercept_mock(aiointercept_server: "aiointercept") -> "Iterator[aiointercept]":
    """The mock of the session for one test: cleared after it, when what its callbacks raised is raised too."""
    try:
        yield aiointercept_server
    finally:
        aiointercept_server.clear()
    aiointercept_server.check()
