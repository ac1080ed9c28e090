"""A failed test's report shows what its mocks received, and what was registered and never used; a good one nothing."""

import re

import pytest
from pytest_runs import report_sections as sections
from pytest_runs import run_in_process

pytest_plugins = ["pytester"]

COMMON = """
import asyncio
import unittest

import aiohttp
import pytest
import requests

from aiointercept import aiointercept

URL = "https://api.example.test/users"


async def ask(*urls):
    async with aiohttp.ClientSession() as session:
        for url in urls:
            try:
                async with session.get(url) as response:
                    await response.read()
            except aiohttp.ClientError:
                pass


def use(m):
    m.get(URL, status=201)
    m.get(f"{URL}/closed", exception=True)
    m.post("https://api.example.test/never")
    asyncio.run(ask(URL, f"{URL}/closed", "https://api.example.test/user"))

"""

# What `use` leaves in a report.
USED = [
    r"<aiointercept http://127\.0\.0\.1:\d+( \(stopped\))?, (started at|fixture) .*> received 3 requests",
    r"  GET  https://api\.example\.test/users         201     \d+\.\d\d ms +matched",
    r"  GET  https://api\.example\.test/users/closed  closed  \d+\.\d\d ms +matched",
    r"  GET  https://api\.example\.test/user          closed  \d+\.\d\d ms +unmatched: nearest: .*/users.*",
    r"registered, but never used:",
    r"  POST https://api\.example\.test/never",
]


@pytest.fixture
def run(pytester):
    def run(source, *args):
        pytester.makepyfile(COMMON + source)
        return run_in_process(pytester, "--tb=short", *args)

    return run


def matches(lines, patterns):
    return len(lines) == len(patterns) and all(map(re.fullmatch, patterns, lines))


@pytest.mark.parametrize(
    "source",
    [
        """
def test_it(aiointercept_external):
    use(aiointercept_external)
    assert False
""",
        """
@pytest.mark.aiointercept(mock_external_urls=True)
def test_it(aiointercept_mock):
    use(aiointercept_mock)
    assert False
""",
        """
def test_it():
    with aiointercept(mock_external_urls=True) as m:
        use(m)
    assert False
""",
        """
def deep_inside():
    with aiointercept(mock_external_urls=True) as m:
        use(m)


def test_it():
    deep_inside()
    assert False
""",
        """
@aiointercept(mock_external_urls=True)
def test_it(m):
    use(m)
    assert False
""",
        """
@aiointercept(mock_external_urls=True)
class TestIt(unittest.IsolatedAsyncioTestCase):
    def test_it(self, m):
        use(m)
        self.fail()
""",
        """
@pytest.fixture
def started():
    m = aiointercept(mock_external_urls=True)
    m.start()
    yield m
    m.stop()


def test_it(started):
    use(started)
    assert False
""",
        """
@pytest.fixture(scope="module")
def shared():
    with aiointercept(mock_external_urls=True) as m:
        m.get("https://api.example.test/before")
        asyncio.run(ask("https://api.example.test/before"))
        yield m


def test_before(shared):
    asyncio.run(ask("https://api.example.test/before"))


def test_it(shared):
    use(shared)
    assert False


def test_after(shared):
    assert shared
""",
    ],
    ids=["external", "marked", "block", "helper", "decorator", "unittest", "fixture", "module"],
)
def test_wherever_the_mock_comes_from(run, source):
    result = run(source)
    result.assert_outcomes(failed=1, passed=source.count("def test_") - 1)
    (lines,) = sections(result)
    assert matches(lines, USED), lines


def test_nothing_on_success_and_nothing_of_other_tests(run):
    result = run(
        """
def test_good(aiointercept_external, aiointercept_mock):
    use(aiointercept_external)
    with aiointercept(mock_external_urls=True) as m:
        use(m)


@aiointercept()
def test_bad_without_requests(m):
    assert False


def test_bad_without_a_mock():
    assert False


@pytest.mark.xfail
def test_expected_to_fail(aiointercept_external):
    use(aiointercept_external)
    assert False


def test_skipped(aiointercept_external):
    use(aiointercept_external)
    pytest.skip()
""",
        "-rA",
    )
    result.assert_outcomes(passed=1, failed=2, xfailed=1, skipped=1)
    (lines,) = sections(result)
    assert matches(lines, [r"<aiointercept http://127\.0\.0\.1:\d+ \(stopped\), started at .*> received 0 requests"])


def test_a_failure_at_the_end_shows_it_once_with_what_was_there(run):
    result = run(
        """
@pytest.fixture
def broken(aiointercept_mock):
    yield
    requests.get(f"{aiointercept_mock.server_url}/at-teardown")
    raise RuntimeError("while it was torn down")


@pytest.fixture
def broken_outside():
    yield
    raise RuntimeError("when the mock was gone")


def test_it(aiointercept_mock, broken):
    aiointercept_mock.get(f"{aiointercept_mock.server_url}/at-teardown")


def test_outside(broken_outside, aiointercept_mock):
    aiointercept_mock.get(f"{aiointercept_mock.server_url}/used", repeat=True)
    requests.get(f"{aiointercept_mock.server_url}/used")


def test_block(broken_outside):
    with aiointercept() as m:
        m.get(f"{m.server_url}/in-a-block")
        requests.get(f"{m.server_url}/in-a-block")


@pytest.mark.aiointercept(assert_all_called=True)
def test_with_assert_all_called(aiointercept_mock):
    aiointercept_mock.get(f"{aiointercept_mock.server_url}/never")


def test_both(aiointercept_mock, broken):
    aiointercept_mock.get(f"{aiointercept_mock.server_url}/at-teardown")
    assert False


@pytest.fixture
def broken_at_first(aiointercept_mock):
    aiointercept_mock.get(f"{aiointercept_mock.server_url}/at-setup")
    requests.get(f"{aiointercept_mock.server_url}/at-setup")
    raise RuntimeError("at first")


def test_setup(broken_at_first):
    pass
"""
    )
    result.assert_outcomes(passed=4, failed=1, errors=6)
    shown = sections(result)
    assert [
        line.split("127.0.0.1")[1].split("/")[1].split()[0] for lines in shown for line in lines[1:2] if "GET" in line
    ] == [
        "at-teardown",
        "used",
        "in-a-block",
        "at-setup",
    ]
    # The errors come before the failures. What is registered and unused has its heading first.
    assert len(shown) == 6
    # The error has named this one.
    assert not [line for lines in shown for line in lines if line.endswith("/never")]
    assert shown[-1][1:2] == ["registered, but never used:"]


def test_several_mocks_in_order(run):
    result = run(
        """
def test_it(aiointercept_mock):
    ports = [aiointercept_mock.server_port]
    with aiointercept() as outer, aiointercept() as inner:
        ports += [outer.server_port, inner.server_port]
        for m in (inner, outer, aiointercept_mock):
            requests.get(f"{m.server_url}/unknown") if m is None else None
    assert False, ports
"""
    )
    (lines,) = sections(result)
    ports = re.findall(r"\d+", re.search(r"\[(\d+, \d+, \d+)\]", result.stdout.str()).group(1))
    assert [line.split(":")[2].split()[0].strip(">,") for line in lines if line] == ports


@pytest.mark.long
def test_the_report_is_bounded(run):
    result = run(
        """
def test_many_requests(aiointercept_mock):
    m = aiointercept_mock
    with requests.Session() as session:
        m.get(f"{m.server_url}/long?" + "x" * 10_000)
        session.get(f"{m.server_url}/long?" + "x" * 10_000)
        m.get(f"{m.server_url}/x", repeat=True)
        for _ in range(120):
            session.get(f"{m.server_url}/x")
    for number in range(120):
        m.post(f"{m.server_url}/unused/{number}")
    assert False


def test_many_mocks():
    for number in range(100):
        with aiointercept() as m:
            m.get(f"{m.server_url}/{number}")
    assert False


def test_a_long_url(aiointercept_mock):
    requests.get(f"{aiointercept_mock.server_url}/long?" + "x" * 10_000)
"""
    )
    many, mocks, long = sections(result)
    assert many[0].endswith("received 121 requests")
    assert many[1] == "  (71 earlier requests are left out)"
    assert len([line for line in many if "GET" in line]) == 50
    assert many[-1] == "  (and 70 more)"
    assert len(many) == 2 + 50 + 1 + 50 + 1
    assert len([line for line in mocks if "received" in line]) == 10
    assert mocks[0] == "(earlier mocks are left out)"
    assert mocks[-1].endswith("/99")
    assert max(len(line) for line in [*many, *mocks, *long]) < 500


def test_what_is_still_under_way_and_what_was_forwarded(run):
    result = run(
        """
import socket
import threading

from aiohttp import web


async def forward(m):
    async def real(request):
        return web.Response(status=202)

    runner = web.ServerRunner(web.Server(real))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://localhost:{runner.addresses[0][1]}"
    m.get(f"{origin}/never")
    await ask(f"{origin}/forwarded")
    await runner.cleanup()


@pytest.mark.aiointercept(passthrough_unmatched=True)
def test_it(aiointercept_external):
    m = aiointercept_external
    asyncio.run(forward(m))
    started = threading.Event()

    async def hang(url, **_):
        started.set()
        await asyncio.Event().wait()

    m.get(f"{m.server_url}/hangs", callback=hang)
    host = f"{m.server_host}:{m.server_port}"
    with socket.create_connection((m.server_host, m.server_port)) as client:
        client.sendall(f"GET /hangs HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
        assert started.wait(10)
        m.still_open = client.dup()
    assert False


@pytest.fixture(autouse=True)
def _close(aiointercept_external):
    yield
    aiointercept_external.still_open.close()
"""
    )
    (lines,) = sections(result)
    forwarded, hanging = lines[1:3]
    assert re.search(r"/forwarded +202 +\d+\.\d\d ms +forwarded to the real network", forwarded)
    assert re.search(r"/hangs +- +- +matched", hanging)


def test_subtests_show_it_as_well(run):
    result = run(
        """
def test_it(aiointercept_mock, subtests):
    m = aiointercept_mock
    m.get(f"{m.server_url}/x", repeat=True)
    with subtests.test("good"):
        requests.get(f"{m.server_url}/x")
    with subtests.test("bad"):
        requests.get(f"{m.server_url}/x")
        assert False
"""
    )
    assert sections(result)[0][0].endswith("received 2 requests")
