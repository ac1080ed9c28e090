"""The fixtures: plain synchronous ones, which need no async plugin and work with any."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ._options import CHECKS, mock_options
from ._report import failed, freeze_section, remember_mock

if TYPE_CHECKING:
    from aiointercept import aiointercept

__all__ = ["aiointercept_external", "aiointercept_mock", "aiointercept_server"]


@pytest.fixture(scope="session")
def aiointercept_server() -> "Iterator[aiointercept]":
    """A mock that runs for the whole session, in the default mode."""
    from aiointercept import aiointercept  # noqa: PLC0415

    with aiointercept() as mock:
        yield mock


@pytest.fixture
def aiointercept_mock(request: pytest.FixtureRequest, aiointercept_server: "aiointercept") -> "Iterator[aiointercept]":
    """The mock of the session, in the default mode, for one test; it is empty before and after it."""
    options = mock_options(request)
    checks = {name: options.pop(name) for name in CHECKS}
    if options:
        yield from _own_mock(request, **options, **checks)
        return
    remember_mock(request.node, aiointercept_server)
    yield aiointercept_server
    try:
        aiointercept_server.check(**_after(request, checks))
    except BaseException:
        freeze_section(request.node)
        raise
    finally:
        aiointercept_server.clear()


@pytest.fixture
def aiointercept_external(request: pytest.FixtureRequest) -> "Iterator[aiointercept]":
    """A mock for one test to which every aiohttp client of the process is redirected."""
    yield from _own_mock(request, **{"mock_external_urls": True, **mock_options(request)})


def _own_mock(request: pytest.FixtureRequest, **options: Any) -> "Iterator[aiointercept]":
    from aiointercept import aiointercept  # noqa: PLC0415

    checks = {name: options.pop(name) for name in CHECKS}
    with aiointercept(**options, raise_callback_errors=False) as mock:
        remember_mock(request.node, mock)
        yield mock
        mock.check(**_after(request, checks))


def _after(request: pytest.FixtureRequest, checks: dict[str, bool]) -> dict[str, bool]:
    """Return the checks for the end of a test: of one that failed, nothing more is asked."""
    if not failed(request.node):
        return checks
    return {**checks, "assert_all_called": False, "assert_all_matched": False}
