"""The fixtures: plain synchronous ones, which need no async plugin and work with any."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ._evidence import evidence_of
from ._options import CHECKS, mock_options, refuse

if TYPE_CHECKING:
    from aiointercept import aiointercept

__all__ = ["aiointercept_external", "aiointercept_mock", "aiointercept_server", "check_server"]

# The fixtures ask at the end of a test, by themselves.
_NO_CHECKS: dict[str, Any] = dict.fromkeys(CHECKS, False)


@pytest.fixture(scope="session")
def aiointercept_server() -> "Iterator[aiointercept]":
    """A mock that runs for the whole session, in the default mode."""
    from aiointercept import aiointercept  # noqa: PLC0415

    with aiointercept(assert_all_called=False, assert_all_matched=False) as mock:
        yield mock


@pytest.fixture
def aiointercept_mock(
    request: "pytest.FixtureRequest", aiointercept_server: "aiointercept"
) -> "Iterator[aiointercept]":
    """The mock of the session, in the default mode, for one test; it is emptied after it."""
    options = mock_options(request.node)
    if options.keys() - set(CHECKS):
        # The marker asks for a mock that was made otherwise.
        yield from _own_mock(request.node, options)
        return
    evidence = evidence_of(request.node)
    evidence.use(aiointercept_server)
    yield aiointercept_server
    try:
        aiointercept_server.check(**_checks(request.node, options))
    finally:
        evidence.keep(aiointercept_server)
        aiointercept_server.clear()


@pytest.fixture
def aiointercept_external(request: "pytest.FixtureRequest") -> "Iterator[aiointercept]":
    """A mock for one test to which every aiohttp client of the process is redirected."""
    yield from _own_mock(request.node, {"mock_external_urls": True, **mock_options(request.node)})


def check_server(item: "pytest.Item") -> None:
    """Have the callback errors of the session's mock raised at the end of the test that uses it directly."""
    fixtures = getattr(item, "funcargs", {})
    server = fixtures.get("aiointercept_server")
    if server is not None and "aiointercept_mock" not in fixtures:
        raises = mock_options(item)["raise_callback_errors"]
        item.addfinalizer(lambda: server.check(**{**_NO_CHECKS, "raise_callback_errors": raises}))


def _own_mock(item: "pytest.Item", options: dict[str, Any]) -> "Iterator[aiointercept]":
    from aiointercept import aiointercept  # noqa: PLC0415

    made = {name: value for name, value in options.items() if name not in CHECKS}
    try:
        mock = aiointercept(**made, **_NO_CHECKS)
    except (TypeError, ValueError) as exc:
        refuse(str(exc))
    with mock:
        evidence_of(item).use(mock)
        yield mock
        mock.check(**_checks(item, options))


def _checks(item: "pytest.Item", options: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked at the end of a test: all of one that passed, only the callbacks' errors of one that failed.

    Of one that was skipped, or expected to fail, nothing is asked.
    """
    evidence = evidence_of(item)
    if evidence.failed:
        return {**_NO_CHECKS, "raise_callback_errors": options["raise_callback_errors"]}
    return {name: options[name] for name in CHECKS} if evidence.passed else _NO_CHECKS
