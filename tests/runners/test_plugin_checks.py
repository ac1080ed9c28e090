"""What is checked at the end of a test: callback errors, unused routes and unmatched requests."""

import pytest
from pytest_runs import run_in_process

pytest_plugins = ["pytester"]

COMMON = """
import unittest

import pytest
import requests

from aiointercept import aiointercept


def fail(url, **_):
    raise LookupError(f"failed at {url.path}")


def ask_failing(m, path="/x"):
    m.get(f"{m.server_url}{path}", callback=fail)
    assert requests.get(f"{m.server_url}{path}").status_code == 500


def leave_unused(m):
    m.get(f"{m.server_url}/never")


def ask_unmatched(m):
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{m.server_url}/unknown")

"""


@pytest.fixture
def run(pytester):
    def run(source, *args):
        pytester.makepyfile(COMMON + source)
        return run_in_process(pytester, "--tb=short", *args)

    return run


def test_a_callbacks_error_is_the_error_of_its_test_at_teardown(run):
    result = run(
        """
@pytest.mark.parametrize("fixture", ["aiointercept_mock", "aiointercept_external", "aiointercept_server"])
class TestIt:
    def test_one(self, fixture, request):
        ask_failing(request.getfixturevalue(fixture))

    def test_several(self, fixture, request):
        ask_failing(request.getfixturevalue(fixture), "/y")
        ask_failing(request.getfixturevalue(fixture), "/z")

    def test_next(self, fixture, request):
        pass


def test_server_by_name(aiointercept_server):
    ask_failing(aiointercept_server, "/by-name")


def test_next(aiointercept_mock):
    pass


@pytest.mark.aiointercept(raise_callback_errors=False)
def test_marked(aiointercept_mock, aiointercept_external):
    ask_failing(aiointercept_mock)
    ask_failing(aiointercept_external)


def test_failed(aiointercept_mock):
    ask_failing(aiointercept_mock, "/failed")
    assert False, "by itself"
""",
        "-rA",
        "-k",
        "not (TestIt and aiointercept_server)",
    )
    result.assert_outcomes(passed=9, failed=1, errors=5, deselected=3)
    result.stdout.re_match_lines_random(
        [
            r"ERROR .*::TestIt::test_one\[aiointercept_mock\] - LookupError: failed at /x",
            r"ERROR .*::TestIt::test_several\[aiointercept_mock\] - \w*ExceptionGroup: several .*",
            r"ERROR .*::TestIt::test_one\[aiointercept_external\] - LookupError: failed at /x",
            r"ERROR .*::TestIt::test_several\[aiointercept_external\] - \w*ExceptionGroup: several .*",
            r"ERROR .*::test_server_by_name - LookupError: failed at /by-name",
            r"FAILED .*::test_failed - AssertionError: by itself",
            # Told with the failure, and not as a second error.
            r"E +your callback fail\(\) raised this for GET http://127\.0\.0\.1:\d+/failed",
            r" +\| LookupError: failed at /z",
            r"_+ ERROR at teardown of TestIt.test_one\[aiointercept_mock\] _+",
        ]
    )


def test_unused_routes_and_unmatched_requests(run):
    result = run(
        """
@pytest.mark.aiointercept(assert_all_called=True, assert_all_matched=True)
@pytest.mark.parametrize("fixture", ["aiointercept_mock", "aiointercept_external"])
class TestAsked:
    def test_unused(self, fixture, request):
        m = request.getfixturevalue(fixture)
        leave_unused(m)
        m.post(f"{m.server_url}/nor-this")

    def test_unmatched(self, fixture, request):
        ask_unmatched(request.getfixturevalue(fixture))

    def test_optional(self, fixture, request):
        m = request.getfixturevalue(fixture)
        m.get(f"{m.server_url}/never", optional=True)
        m.get(f"{m.server_url}/used")
        requests.get(f"{m.server_url}/used")

    def test_failed(self, fixture, request):
        leave_unused(request.getfixturevalue(fixture))
        assert False, "by itself"

    def test_skipped(self, fixture, request):
        leave_unused(request.getfixturevalue(fixture))
        pytest.skip("half way")

    @pytest.mark.xfail
    def test_expected_to_fail(self, fixture, request):
        m = request.getfixturevalue(fixture)
        leave_unused(m)
        ask_failing(m)
        assert False

    @pytest.fixture
    def broken(self, fixture, request):
        leave_unused(request.getfixturevalue(fixture))
        raise RuntimeError("in a fixture")

    def test_set_up_in_vain(self, broken):
        pass

    @pytest.fixture
    def skips(self, fixture, request):
        leave_unused(request.getfixturevalue(fixture))
        pytest.skip("before the start")

    def test_skipped_in_a_fixture(self, skips):
        pass


@pytest.mark.parametrize("fixture", ["aiointercept_mock", "aiointercept_external"])
def test_a_call_of_assert_all_called(fixture, request):
    m = request.getfixturevalue(fixture)
    leave_unused(m)
    with pytest.raises(AssertionError, match="/never"):
        m.assert_all_called()
""",
    )
    # test_unused and test_unmatched pass and have an error then; test_set_up_in_vain has its own alone.
    result.assert_outcomes(passed=2 * 4, failed=2, skipped=4, xfailed=2, errors=2 * 3)
    for fixture in ("aiointercept_mock", "aiointercept_external"):
        result.stdout.fnmatch_lines_random(
            [
                f"ERROR *::TestAsked::test_unused[[]{fixture}[]] - AssertionError: 2 routes were never used*",
                f"ERROR *::TestAsked::test_unmatched[[]{fixture}[]] - AssertionError: *",
                f"ERROR *::TestAsked::test_set_up_in_vain[[]{fixture}[]] - RuntimeError: in a fixture",
                f"FAILED *::TestAsked::test_failed[[]{fixture}[]] - AssertionError: by itself",
            ]
        )
    result.stdout.fnmatch_lines(
        ["E *AssertionError: *never used: GET http://127.0.0.1:*/never; POST http://127.0.0.1:*/nor-this"]
    )


def test_blocks_and_decorators_check_by_themselves(run):
    result = run(
        """
def test_block():
    with aiointercept(assert_all_called=True) as m:
        leave_unused(m)


@aiointercept(assert_all_matched=True)
def test_decorator(m):
    ask_unmatched(m)


def test_stop():
    m = aiointercept(assert_all_called=True)
    m.start()
    leave_unused(m)
    m.stop()


@aiointercept(assert_all_called=True)
def test_failed(m):
    leave_unused(m)
    assert False, "by itself"


@aiointercept(assert_all_called=True)
def test_optional(m):
    m.get(f"{m.server_url}/never", optional=True)
"""
    )
    result.assert_outcomes(failed=4, passed=1)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::test_block - AssertionError: 1 route was never used*",
            "FAILED *::test_decorator - AssertionError: *",
            "FAILED *::test_stop - AssertionError: 1 route was never used*",
            "FAILED *::test_failed - AssertionError: by itself*",
        ]
    )


def test_a_fixture_of_the_users_own_tells_the_reason_of_a_failed_test_once(run):
    result = run(
        """
@pytest.fixture
def own():
    with aiointercept(assert_all_called=True, assert_all_matched=True) as m:
        yield m


@pytest.fixture(scope="module")
def shared():
    with aiointercept(assert_all_matched=True) as m:
        yield m


def test_failed_callback(own):
    ask_failing(own)
    assert False, "by itself"


def test_unmatched(own):
    leave_unused(own)
    ask_unmatched(own)
    assert False, "by itself"


def test_skipped(own):
    leave_unused(own)
    pytest.skip("half way")


@pytest.mark.xfail
def test_expected_to_fail(own):
    ask_failing(own)
    assert False


@pytest.fixture
def broken(own):
    leave_unused(own)
    raise RuntimeError("in a fixture")


def test_set_up_in_vain(broken):
    pass


def test_passed(own):
    leave_unused(own)


def test_shared(shared):
    ask_failing(shared)
    ask_unmatched(shared)


def test_shared_too(shared):
    assert False, "by itself"
"""
    )
    result.assert_outcomes(failed=3, skipped=1, xfailed=1, passed=2, errors=3)
    result.stdout.re_match_lines_random(
        [
            r"E +your callback fail\(\) raised this for GET http://127\.0\.0\.1:\d+/x",
            r"FAILED .*::test_failed_callback - AssertionError: by itself",
            r"FAILED .*::test_unmatched - AssertionError: by itself",
            r"ERROR .*::test_set_up_in_vain - RuntimeError: in a fixture",
            r"ERROR .*::test_passed - AssertionError: 1 route was never used.*",
            # What earlier tests have done with a mock is told at its end.
            r"FAILED .*::test_shared_too - AssertionError: by itself",
            r"ERROR .*::test_shared_too - LookupError: failed at /x",
        ]
    )


def test_a_test_case_that_is_skipped_shows_its_error(run):
    result = run(
        """
class TestIt(unittest.TestCase):
    def test_it(self):
        ask_failing(self.enterContext(aiointercept()))
        self.skipTest("for another reason")
"""
    )
    result.assert_outcomes(skipped=1, errors=1)
    result.stdout.fnmatch_lines(["ERROR *::TestIt::test_it - LookupError: failed at /x"])


def test_a_mistake_in_a_marker_is_told_once(run):
    result = run(
        """
@pytest.mark.aiointercept(unmatched_status=42)
def test_value(aiointercept_external):
    pass


@pytest.mark.aiointercept(passthrough=["x.test"])
def test_combination(aiointercept_mock):
    pass


@pytest.mark.aiointercept(raise_callback_error=False)
class TestName:
    def test_server_by_name(self, aiointercept_server):
        pass
"""
    )
    result.assert_outcomes(errors=2, failed=1)
    shown = result.stdout.str().partition("short test summary info")[0]
    for reason in ("unmatched_status must be", "passthrough has no effect", "unknown option 'raise_callback_error'"):
        assert shown.count(reason) == 1
    assert "During handling" not in shown


UNMATCHED_STATUS = """
from aiointercept import aiointercept

def test_ini(aiointercept_mock):
    assert requests.get(f"{aiointercept_mock.server_url}/unknown").status_code == 501


def test_ini_without_a_fixture():
    with aiointercept() as m:
        assert requests.get(m.server_url).status_code == 501


@pytest.mark.aiointercept(unmatched_status=404)
def test_marker(aiointercept_mock):
    response = requests.get(f"{aiointercept_mock.server_url}/unknown")
    assert (response.status_code, response.text.split(" ")[0]) == (404, "no")


@pytest.mark.aiointercept(unmatched_status=False)
def test_marker_without_a_status(aiointercept_mock):
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{aiointercept_mock.server_url}/unknown")


def test_argument_without_a_status():
    with aiointercept(unmatched_status=False) as m, pytest.raises(requests.ConnectionError):
        requests.get(m.server_url)
"""


def test_the_status_of_unmatched_requests_is_an_option_and_an_argument_of_the_marker(run):
    result = run(UNMATCHED_STATUS, "-o", "aiointercept_unmatched_status=501")
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("value", ["abc", "99", "204", "304"])
def test_another_status_of_unmatched_requests_is_a_usage_error(run, value):
    result = run(UNMATCHED_STATUS, "-o", f"aiointercept_unmatched_status={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*aiointercept_unmatched_status must be a status from 200 to 599 *, got *{value}*"])
