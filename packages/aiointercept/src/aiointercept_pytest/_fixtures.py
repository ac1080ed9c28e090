"""The fixtures. They are synchronous, so they work with any async plugin and without one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ._mock_usage import usage_of
from ._options import CHECKS, mock_options, usage_error
from ._pytest_run import PYTEST_RUN

if TYPE_CHECKING:
    from aiointercept import aiointercept

__all__ = ["aiointercept_external", "aiointercept_mock", "aiointercept_server", "check_server", "note_callback_errors"]

# A check that fails says what is wrong: the code of a fixture says nothing.
__tracebackhide__ = True

_NO_CHECKS: dict[str, Any] = dict.fromkeys(CHECKS, False)


@pytest.fixture(scope="session")
def aiointercept_server() -> "Iterator[aiointercept]":
    """A mock that runs for the whole session, in the default mode; its type is `aiointercept.aiointercept`."""
    from aiointercept import aiointercept  # noqa: PLC0415

    with aiointercept(raise_callback_errors=True, assert_all_called=False, assert_all_matched=False) as mock:
        yield mock
        # Errors after the last test, which may be the first ones of the session.
        mock.check(raise_callback_errors=PYTEST_RUN.ini_option("raise_callback_errors"))


@pytest.fixture
def aiointercept_mock(
    request: "pytest.FixtureRequest", aiointercept_server: "aiointercept"
) -> "Iterator[aiointercept]":
    """The session's mock, in the default mode, for one test; it is cleared after the test.

    Its type is `aiointercept.aiointercept`: `def test_users(aiointercept_mock: aiointercept)`.
    """
    options = mock_options(request.node)
    if options.keys() - set(CHECKS):
        # The marker has options that the session's mock does not have.
        yield from _own_mock(request.node, options)
        return
    usage = usage_of(request.node)
    usage.use(aiointercept_server)
    yield aiointercept_server
    try:
        aiointercept_server.check(**_checks(request.node, options))
    finally:
        usage.keep_snapshot(aiointercept_server)
        aiointercept_server.clear()


@pytest.fixture
def aiointercept_external(request: "pytest.FixtureRequest") -> "Iterator[aiointercept]":
    """A mock for one test to which every aiohttp client in the process is redirected.

    Its type is `aiointercept.aiointercept`: `def test_users(aiointercept_external: aiointercept)`.
    """
    yield from _own_mock(request.node, {"mock_external_urls": True, **mock_options(request.node)})


def check_server(item: "pytest.Item") -> None:
    """Raise the callback errors of the session's mock at the end of a test that uses `aiointercept_server` directly."""
    fixtures = getattr(item, "funcargs", {})
    server = fixtures.get("aiointercept_server")
    if server is not None and "aiointercept_mock" not in fixtures:
        checks = _callback_errors_only(mock_options(item))
        item.addfinalizer(lambda: server.check(**checks))


def note_callback_errors(item: "pytest.Item", exc: BaseException) -> None:
    """Add the callback errors of a failed test as notes to its exception, instead of a second error at teardown."""
    server = getattr(item, "funcargs", {}).get("aiointercept_server")
    given = [*usage_of(item).used_fixtures(), *([] if server is None else [server])]
    # An invalid marker may be the failure: a second one, in a hook, would end the run.
    raises = bool(mock_options(item, check=False)["raise_callback_errors"])
    for mock in given:
        mock._note_callback_errors(exc, raises)
    # The mocks of the user's own fixtures have options of their own.
    for mock in PYTEST_RUN.started():
        if mock not in given:
            mock._note_callback_errors(exc)


def _own_mock(item: "pytest.Item", options: dict[str, Any]) -> "Iterator[aiointercept]":
    from aiointercept import aiointercept  # noqa: PLC0415

    made = {name: value for name, value in options.items() if name not in CHECKS}
    try:
        mock = aiointercept(**made, **_callback_errors_only(options))
    except (TypeError, ValueError) as exc:
        usage_error(str(exc))
    with mock:
        usage_of(item).use(mock)
        yield mock
        mock.check(**_checks(item, options))


def _checks(item: "pytest.Item", options: dict[str, Any]) -> dict[str, Any]:
    """Return the checks for the end of a test: all after it passed, only callback errors after it failed.

    After a test that was skipped, or failed as expected, nothing is checked.
    """
    usage = usage_of(item)
    if usage.failed:
        return _callback_errors_only(options)
    return {name: options[name] for name in CHECKS} if usage.passed else _NO_CHECKS


def _callback_errors_only(options: dict[str, Any]) -> dict[str, Any]:
    return {**_NO_CHECKS, "raise_callback_errors": options["raise_callback_errors"]}
