"""Harnesses that ban sockets, with what the offline page says for them: pytest-socket and one like Home Assistant's."""

import re

import pytest
from pytest_runs import run_in_subprocess

pytest_plugins = ["pytester"]

TESTS = """
import asyncio
import socket

import aiohttp
import pytest

from aiointercept import CallbackResult, aiointercept

URL = "https://api.example.test/x"


async def ask():
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        return await response.json()


def use_a_mock():
    with aiointercept(mock_external_urls=True) as m:
        m.get(URL, callback=lambda url, **kwargs: CallbackResult(payload=1))
        assert asyncio.run(ask()) == 1


def test_loop():
    asyncio.run(asyncio.sleep(0))


def test_mock():
    use_a_mock()


@pytest.mark.allow_hosts(["127.0.0.1", "::1"])
def test_allowed_by_marker():
    use_a_mock()


@pytest.mark.allow_hosts(["127.0.0.1", "::1"])
def test_other_address_despite_the_marker():
    socket.create_connection(("127.0.0.2", 9))


def test_enabled_by_fixture(socket_enabled):
    use_a_mock()


@pytest.mark.enable_socket
def test_enabled_by_marker():
    use_a_mock()


def test_disabled_by_fixture(socket_disabled):
    use_a_mock()


@pytest.mark.disable_socket
def test_disabled_by_marker():
    use_a_mock()


def test_other_address():
    socket.create_connection(("127.0.0.2", 9))


def test_mock_after_those_that_failed(socket_enabled):
    use_a_mock()
"""

NO_SOCKET, NO_CONNECTION = "SocketBlockedError", "SocketConnectBlockedError"
# In every mode, unless a mode says otherwise.
ALWAYS = {
    "test_other_address_despite_the_marker": NO_CONNECTION,
    "test_disabled_by_fixture": NO_SOCKET,
    "test_disabled_by_marker": NO_SOCKET,
}
MODES = {
    "": {**ALWAYS, "test_other_address": "ConnectionRefusedError"},
    "--disable-socket": {
        **ALWAYS,
        "test_loop": NO_SOCKET,
        "test_mock": NO_SOCKET,
        "test_other_address": NO_SOCKET,
    },
    "--disable-socket --allow-unix-socket": {
        **ALWAYS,
        "test_mock": NO_SOCKET,
        "test_other_address": NO_SOCKET,
    },
    "--disable-socket --allow-hosts=127.0.0.1,::1": {**ALWAYS, "test_other_address": NO_CONNECTION},
    "--allow-hosts=192.0.2.7": {**ALWAYS, "test_mock": NO_CONNECTION, "test_other_address": NO_CONNECTION},
    "--disable-socket --force-enable-socket": {
        "test_other_address_despite_the_marker": "ConnectionRefusedError",
        "test_disabled_by_fixture": NO_SOCKET,
        "test_other_address": "ConnectionRefusedError",
    },
}


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_what_a_mode_of_pytest_socket_lets_through(pytester, mode):
    pytester.makepyfile(TESTS)
    # pytest-socket warns of what it refuses, and a refused event loop is only half there when it is collected.
    quiet = ("-W", "ignore:A test tried", "-W", "ignore::pytest.PytestUnraisableExceptionWarning")
    result = run_in_subprocess(pytester, *mode.split(), *quiet, "--tb=no", plugins=("pytest_socket",))
    failed = re.findall(r"^FAILED \S+::(\w+) - (?:\w+\.)*(\w+)", result.stdout.str(), re.MULTILINE)
    assert dict(failed) == MODES[mode]
    result.assert_outcomes(passed=10 - len(MODES[mode]), failed=len(MODES[mode]), warnings=0)


# What Home Assistant's harness does before and after each test, and a resolver that knows addresses only.
HOME_ASSISTANT = """
import asyncio
import ipaddress
import socket
import threading

import aiohttp.resolver
import pytest
import pytest_asyncio
import pytest_socket


def pytest_runtest_setup():
    pytest_socket.socket_allow_hosts(["127.0.0.1"])
    pytest_socket.disable_socket(allow_unix_socket=True)


async def resolve_addresses(resolver, host, port=0, family=socket.AF_INET):
    ipaddress.ip_address(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return [{"hostname": host, "host": host, "port": port, "family": family, "proto": 0, "flags": 0}]


@pytest.fixture(autouse=True)
def addresses_only(monkeypatch):
    monkeypatch.setattr(aiohttp.resolver.ThreadedResolver, "resolve", resolve_addresses)


@pytest_asyncio.fixture(autouse=True)
async def verify_cleanup():
    loop, threads = asyncio.get_running_loop(), {*threading.enumerate()}
    yield
    await loop.shutdown_default_executor()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [handle for handle in loop._scheduled if not handle.cancelled()]
    assert {*threading.enumerate()} == threads
"""

START_THE_THREAD = """

def pytest_sessionstart():
    with aiointercept.aiointercept():
        pass
"""

INTEGRATION_TESTS = """
import asyncio
import socket

import aiohttp
import pytest
import pytest_socket

from aiointercept import CallbackResult, aiointercept

URL = "https://api.example.test/x"


async def ask(url=URL):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()


async def test_fixture(socket_enabled, aiointercept_external):
    aiointercept_external.get(URL, payload=1)
    assert await ask() == 1


@pytest.mark.usefixtures("socket_enabled")
@aiointercept(mock_external_urls=True)
async def test_decorator(m):
    async def answer(url, **kwargs):
        return CallbackResult(payload=2)

    m.get(URL, callback=answer)
    assert await ask() == 2


@pytest.fixture
def cloud(socket_enabled):
    with aiointercept(mock_external_urls=True) as m:
        yield m


async def test_fixture_of_the_project(cloud):
    cloud.get(URL, payload=3)
    assert await ask() == 3
    with pytest.raises(aiohttp.ServerDisconnectedError, match="no route matches"):
        await ask("https://unknown.example.test/")


async def test_others_stay_banned(socket_enabled):
    with pytest.warns(UserWarning), pytest.raises(pytest_socket.SocketConnectBlockedError):
        socket.create_connection(("127.0.0.2", 9))


async def test_without_the_fixture():
    with pytest.warns(UserWarning), pytest.raises(pytest_socket.SocketBlockedError):
        async with aiointercept(mock_external_urls=True):
            pass
"""


@pytest.mark.long
@pytest.mark.parametrize("started", [True, False], ids=["thread started", "thread not started"])
def test_a_harness_like_that_of_home_assistant(pytester, started):
    """Its check of threads has nothing to say where the server's thread was there before the first test."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makeconftest(("import aiointercept\n" + HOME_ASSISTANT + START_THE_THREAD) if started else HOME_ASSISTANT)
    pytester.makepyfile(INTEGRATION_TESTS)
    result = run_in_subprocess(pytester, "--tb=short", plugins=("pytest_socket", "pytest_asyncio.plugin"))
    result.assert_outcomes(passed=5, errors=0 if started else 1)
    if not started:
        result.stdout.fnmatch_lines(["*aiointercept-server*"])
