"""What a person reads when a test of theirs is wrong: short, said once, and no frame of ours."""

import re

import pytest
from pytest_runs import run_in_process

pytest_plugins = ["pytester"]

URL = "https://api.example.test/users"
COMMON = """
import asyncio
import unittest

import aiohttp
import pytest
import requests

from aiointercept import CallbackResult, aiointercept
from aiointercept.compat import aioresponses

URL = "https://api.example.test/users"


async def fetch(method="GET", url=URL, **options):
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, **options) as response:
            response.raise_for_status()
            return await response.json()


def ask(*args, **options):
    return asyncio.run(fetch(*args, **options))

"""


@pytest.fixture
def run(pytester):
    def run(source, *args):
        pytester.makepyfile(test_wrong=COMMON + source)
        return run_in_process(pytester, *args)

    return run


def shown_by(result):
    """Return the report without the summary, which repeats the messages by intention."""
    return result.stdout.str().partition("short test summary info")[0]


# A frame in a traceback of pytest or of Python.
OURS = re.compile(r'aiointercept(_core|_dns|_server)?/_\w+\.py(:\d+: |", line)')


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param(
            """
def test_it(aiointercept_external):
    aiointercept_external.get(f"{URL}/1")
    ask()
""",
            "no route matches GET https://api.example.test/users; nearest: GET https://api.example.test/users/1",
            id="wrong-url",
        ),
        pytest.param(
            """
def test_it(aiointercept_external):
    aiointercept_external.get(URL)
    ask("POST", json={"name": "Ada"})
""",
            "no route matches POST https://api.example.test/users; nearest: GET https://api.example.test/users",
            id="wrong-method",
        ),
        pytest.param(
            """
def test_it(aiointercept_external):
    aiointercept_external.get(URL, payload=1)
    ask()
    ask()
""",
            "no reply is left for GET https://api.example.test/users: it was registered for 1 call and answered 1",
            id="exhausted",
        ),
        pytest.param(
            """
def test_it():
    with aiointercept() as m:
        requests.get(f"{m.server_url}/users")
""",
            "no route matches GET http://127.0.0.1",
            id="another-client",
        ),
        pytest.param(
            """
def test_it(aiointercept_external):
    aiointercept_external.post(URL, payload=1)
    ask("POST", json={"name": "Ada"})
    aiointercept_external.assert_called_once_with(URL, "POST", json={"name": "Bob"})
""",
            "expected json {'name': 'Bob'}, got {'name': 'Ada'}",
            id="wrong-json",
        ),
        pytest.param(
            """
def test_it(aiointercept_external):
    aiointercept_external.get(URL, repeat=-1)
""",
            "repeat must be True, False or a positive number, got -1",
            id="wrong-argument",
        ),
        pytest.param(
            """
def test_it():
    with aiointercept() as m:
        pass
    m.get(f"{m.server_url}/users")
""",
            "the mock was stopped: register inside its `with` / `async with` block, or call start() again",
            id="after-the-block",
        ),
        pytest.param(
            """
def test_it():
    m = aiointercept()
    m.get("http://localhost/users")
""",
            "the mock is not running: register inside its `with` / `async with` block, or call start() first",
            id="before-the-block",
        ),
        pytest.param(
            """
def test_it(aiointercept_mock):
    with asyncio.Runner() as runner:
        runner.run(aiointercept_mock.wait_for_requests(2, timeout=0.01))
""",
            "expected 2 requests within 0.01 s, got 0",
            id="waiting",
        ),
        pytest.param(
            """
def test_it(aiointercept_mock):
    aiointercept_mock.get(URL)
""",
            "will not reach the mock, because nothing is redirected without mock_external_urls=True",
            id="warning-as-error",
        ),
    ],
)
def test_the_reason_is_said_once_and_without_our_frames(run, source, reason):
    result = run(source)
    result.assert_outcomes(failed=1)
    shown = shown_by(result)
    said = [line for line in shown.splitlines() if reason in line and "exception=" not in line]
    # A log line ends with it, an exception is shown behind an E.
    assert [line.split()[0] in ("E", "WARNING") for line in said] == [True]
    assert not OURS.search(shown)


CALLBACK = """
def answer(url, *, json):
    return CallbackResult(payload=json["id"])

"""


@pytest.mark.parametrize(
    "test",
    [
        """
def test_it(aiointercept_external):
    aiointercept_external.post(URL, callback=answer)
    ask("POST", json={})
""",
        """
def test_it():
    with aiointercept(True) as m:
        m.post(URL, callback=answer)
        ask("POST", json={})
""",
        """
class TestIt(unittest.TestCase):
    def setUp(self):
        self.m = self.enterContext(aiointercept(True, assert_all_called=True))

    def test_it(self):
        self.m.post(URL, callback=answer)
        self.m.get(URL)
        ask("POST", json={})
""",
        """
class TestIt(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.m = await self.enterAsyncContext(aiointercept(True))

    async def test_it(self):
        self.m.post(URL, callback=answer)
        await fetch("POST", json={})
""",
        """
class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _mock(self, aiointercept_external):
        self.m = aiointercept_external

    def test_it(self):
        self.m.post(URL, callback=answer)
        ask("POST", json={})
""",
    ],
    ids=["fixture", "block", "TestCase", "IsolatedAsyncioTestCase", "fixture of a TestCase"],
)
def test_the_error_of_a_callback_heads_the_failure_that_it_causes(run, test):
    result = run(CALLBACK + test)
    # It is told with the failure, and not as an error of its own.
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *ClientResponseError: 500, message=\"your callback answer() raised KeyError: 'id'\"*",
            'E *File "*test_wrong.py", line *, in answer',
            "E *KeyError: 'id'",
            "E *your callback answer() raised this for POST https://api.example.test/users",
        ]
    )
    shown = shown_by(result)
    assert shown.count("raised this for") == 1
    assert "Captured log" not in shown
    assert not OURS.search(shown)


@pytest.mark.parametrize(
    ("registration", "who", "error"),
    [
        ("m.get(URL, callback=wrong)", "your callback wrong()", "ZeroDivisionError"),
        ("m.get(URL, body=wrong)", "your body function wrong()", "ZeroDivisionError"),
        ("m.get(URL, match=wrong)", "your condition wrong()", "ZeroDivisionError"),
    ],
)
def test_an_error_that_the_code_under_test_swallows_is_the_error_of_the_test(run, registration, who, error):
    result = run(f"""
def wrong(*args, **kwargs):
    return 1 / 0


def test_it():
    with aiointercept(mock_external_urls=True) as m:
        {registration}
        with pytest.raises(aiohttp.ClientError):
            ask()
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E *{error}: division by zero", f"E *{who} raised this for GET {URL}"])
    shown = shown_by(result)
    assert "Captured log" not in shown
    assert not OURS.search(shown)


@pytest.mark.parametrize("mock", ["TestCase", "aiointercept_mock", "aiointercept_external"])
def test_an_error_in_a_test_that_passes_otherwise_is_told_once(run, mock):
    test = f"""
def test_it({mock}):
    {mock}.get(f"{{{mock}.server_url}}/", callback=wrong)
    assert requests.get({mock}.server_url).status_code == 500
"""
    test_case = """
class TestIt(unittest.TestCase):
    def test_it(self):
        m = self.enterContext(aiointercept())
        m.get(f"{m.server_url}/", callback=wrong)
        self.assertEqual(requests.get(m.server_url).status_code, 500)
"""
    result = run(f"""
def wrong(url):
    return 1 / 0

{test_case if mock == "TestCase" else test}
""")
    shown = shown_by(result)
    assert len(re.findall("^E .*ZeroDivisionError", shown, re.MULTILINE)) == 1
    assert "Captured log" not in shown
    assert not OURS.search(shown)


def test_an_error_of_a_callback_of_compat_is_named_with_its_place(run):
    result = run("""
def wrong(url, **kwargs):
    return 1 / 0


@aioresponses()
def test_it(m):
    m.get(URL, callback=wrong)
    ask()
""")
    shown = shown_by(result)
    assert re.search(r"^E +your callback wrong\(\) raised this \(.*test_wrong\.py:26\)$", shown, re.MULTILINE)
    # The route has no reply less, but it was asked.
    assert "matched" in shown
    assert "never used" not in shown


def test_an_error_that_is_not_raised_is_told_by_the_log(run):
    result = run("""
def wrong(url):
    return 1 / 0


@pytest.mark.aiointercept(raise_callback_errors=False)
def test_it(aiointercept_mock, aiointercept_external):
    for m in (aiointercept_mock, aiointercept_external):
        m.get(f"{m.server_url}/", callback=wrong)
        assert requests.get(m.server_url).status_code == 500
    assert False
""")
    result.assert_outcomes(failed=1)
    lines = re.findall(r"^ERROR .* your callback wrong\(\) raised ZeroDivisionError", shown_by(result), re.MULTILINE)
    assert len(lines) == 2


@pytest.mark.parametrize(
    "test",
    [
        """
def test_it(aiointercept_external):
    aiointercept_external.get(URL, callback=lambda url: {})
    with pytest.raises(aiohttp.ClientError):
        ask()
""",
        """
def test_it(aiointercept_external):
    aiointercept_external.get(URL, callback=lambda url: {})
    ask()
""",
        """
def test_it(aiointercept_external):
    aiointercept_external.get(URL, callback=lambda url: {})
    with pytest.raises(aiohttp.ClientError):
        ask()
    assert False
""",
    ],
    ids=["swallowed", "raised", "another failure"],
)
def test_a_callback_with_a_wrong_result_is_shown_by_its_place(run, test):
    result = run(test)
    shown = shown_by(result)
    assert re.search(r"^E? +your callback <lambda>\(\) \(.*test_wrong\.py:26\) failed for GET", shown, re.MULTILINE)
    said = [line for line in shown.splitlines() if line.startswith("E ") and "must return a CallbackResult" in line]
    assert len(said) == 1
    assert not OURS.search(shown)


def test_the_error_of_a_websocket_handler_names_it(run):
    result = run("""
async def chat(ws):
    await ws.receive_json()


async def talk():
    async with aiohttp.ClientSession() as session, session.ws_connect(URL) as ws:
        await ws.send_str("no JSON")
        await ws.receive()


def test_it():
    with aiointercept(mock_external_urls=True) as m:
        m.ws(URL, chat)
        asyncio.run(talk())
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E *your WebSocket handler chat() raised this for GET {URL}"])
    assert not OURS.search(shown_by(result))


def test_two_mocks_are_named_by_the_lines_that_started_them(run):
    result = run("""
def test_it(aiointercept_external):
    with aiointercept() as users:
        with aiointercept() as orders:
            for m in (users, orders, aiointercept_external):
                m.get(f"{m.server_url}/x")
            assert False


@aiointercept(param="m")
@aiointercept()
def test_decorated(m, n):
    m.get(f"{m.server_url}/x")
    n.get(f"{n.server_url}/x")
    assert False


class TestCase(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.enterContext(aiointercept(True)).get(URL)

    async def asyncSetUp(self):
        (await self.enterAsyncContext(aiointercept(True))).get(URL)

    async def test_entered(self):
        self.fail()


@aioresponses()
def test_compat(m):
    m.get(URL)
    assert False
""")
    result.assert_outcomes(failed=4)
    names = re.findall(r"^<aiointercept \S+,? ?(?:\(stopped\), )?(.*)> received", result.stdout.str(), re.MULTILINE)
    file = "test_wrong.py"
    assert [name.replace("started at ", "").rpartition("/")[2] for name in names] == [
        "fixture aiointercept_external",
        *(f"{file}:{line}" for line in (26, 27, 33, 34, 43, 46, 52)),
    ]


def test_a_marker_without_a_mock_warns_and_says_what_to_write(run):
    result = run(
        """
@pytest.mark.aiointercept(assert_all_called=True)
def test_it():
    pass


@pytest.mark.aiointercept(assert_all_called=True)
class TestSome:
    def test_without(self):
        pass

    @pytest.mark.aiointercept(assert_all_matched=True)
    def test_with(self, aiointercept_mock):
        pass
""",
        "-W",
        "default",
    )
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines(
        ["*PytestWarning: @pytest.mark.aiointercept has no effect, because the test has no mock of its own: add a *"]
    )


@pytest.mark.parametrize(("option", "warned"), [("raise_callback_errors", 0), ("assert_all_called", 1)])
def test_a_marker_on_a_test_with_the_mock_of_the_session_warns_where_it_has_no_effect(run, option, warned):
    result = run(
        f"""
@pytest.mark.aiointercept({option}=False)
def test_it(aiointercept_server):
    pass
""",
        "-W",
        "default",
    )
    result.assert_outcomes(passed=1, warnings=warned)


def test_an_argument_that_pytest_takes_for_a_fixture(run):
    result = run("""
@aiointercept()
def test_it(m, tmp_path):
    pass
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["pytest takes the argument 'm' for a fixture: the decorator passes its mock as 'tmp_path'; make the mock *"]
    )


def test_a_check_at_the_end_of_a_test_shows_no_code_of_a_fixture(run):
    result = run("""
@pytest.mark.aiointercept(assert_all_matched=True)
def test_it(aiointercept_mock):
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{aiointercept_mock.server_url}/users")
""")
    result.assert_outcomes(passed=1, errors=1)
    shown = shown_by(result)
    assert "E   AssertionError: expected every request to match a route, 1 did not: no route matches GET" in shown
    assert "_fixtures.py" not in shown
    assert "unmatched, for the reason above" in shown


def test_what_no_exception_and_no_log_says_is_in_the_report(run):
    result = run("""
def test_it(aiointercept_external):
    aiointercept_external.get(f"{URL}/1")
    with pytest.raises(aiohttp.ClientError):
        ask()
    assert False
""")
    result.stdout.re_match_lines(
        [r"  GET  https://api\.example\.test/users  closed .* unmatched: nearest: GET .*/users/1 .*"]
    )
