"""A pytest run of many async tests with two requests each: what a library costs the people who use it.

Each run is a process of its own, with pytest-asyncio, the plugin of the library if it has one, and no other plugin.
"""

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import variables
from benchmarks.results import Measured

__all__ = ["PROCESSOR", "PYTEST_RUNS", "WALL", "Cost", "Project", "PytestRun", "measure_pytest_runs"]

# The names of the two scenarios that a pytest run is measured as.
PROCESSOR, WALL = "pytest run, processor time", "pytest run, wall time"

# What is tested in every run: a client with a session of its own, which fetches an item and orders it.
_CLIENT = """\
import aiohttp

API = "https://api.service.test"
ITEM = {"id": 1, "name": "small"}


async def order(base, number):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/items/{number}") as response:
            assert response.status == 200
            item = await response.json()
        async with session.post(f"{base}/orders", json=item) as response:
            assert response.status == 200
            return await response.json()

"""

_SERVER = """
import asyncio
import threading

import pytest
from aiohttp import web


async def answer(request):
    return web.Response(body=await request.read() or b'{"id": 1, "name": "small"}', content_type="application/json")


@pytest.fixture(scope="session")
def server():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen():
        return await loop.create_server(web.Server(answer, access_log=None), "127.0.0.1", 0)

    listening = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    yield "http://127.0.0.1:%d" % listening.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()

"""

# For libraries with aioresponses's verbs.
_REGISTER_AND_ASSERT = """\
m.get(f"{BASE}/items/NUMBER", payload=ITEM)
m.post(f"{BASE}/orders", payload=ITEM)
assert await order(BASE, NUMBER) == ITEM
m.assert_called_with(f"{BASE}/orders", "POST", json=ITEM)
"""


@dataclass(frozen=True)
class PytestRun:
    """What the tests of one library look like: the text before them, and one test, which has a NUMBER.

    `subject` tells whose environment it runs in, and `mode` is ours in the mode that works as this one does.
    """

    title: str
    subject: str
    test: str
    head: str = ""
    plugin: str | None = None
    mode: str = "ours_external"


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


def _in_fixture(name: str, base: str) -> str:
    lines = _REGISTER_AND_ASSERT.replace("m.", f"{name}.").replace("BASE", base)
    return f"async def test_NUMBER({name}):\n{_indented(lines, 4)}"


def _in_block(block: str) -> str:
    return f"async def test_NUMBER():\n    {block} as m:\n{_indented(_REGISTER_AND_ASSERT.replace('BASE', 'API'), 8)}"


_FIXTURE_AT_SERVER_URL = _in_fixture("aiointercept_mock", "aiointercept_mock.server_url")

_ARESPONSES = """\
async def test_NUMBER(aresponses):
    aresponses.add("api.service.test", "/items/NUMBER", "GET", response=ITEM)
    aresponses.add("api.service.test", "/orders", "POST", response=ITEM)
    assert await order(API, NUMBER) == ITEM
    aresponses.assert_plan_strictly_followed()
"""

_PYTEST_HTTPSERVER = """\
async def test_NUMBER(httpserver):
    httpserver.expect_request("/items/NUMBER").respond_with_json(ITEM)
    httpserver.expect_request("/orders", method="POST", json=ITEM).respond_with_json(ITEM)
    assert await order(httpserver.url_for(""), NUMBER) == ITEM
    httpserver.check()
"""

# Each library as its documentation shows it first.
PYTEST_RUNS = {
    "floor": PytestRun(
        "no mock: a bare aiohttp server for all tests",
        "floor",
        "async def test_NUMBER(server):\n    assert await order(server, NUMBER) == ITEM\n",
        head=_SERVER,
    ),
    "ours": PytestRun(
        "aiointercept, `aiointercept_mock`", "ours", _FIXTURE_AT_SERVER_URL, plugin="aiointercept_pytest"
    ),
    "ours_external": PytestRun(
        "aiointercept, `aiointercept_external`",
        "ours_external",
        _in_fixture("aiointercept_external", "API"),
        plugin="aiointercept_pytest",
    ),
    "namesake": PytestRun(
        "aiointercept 1.0.0, `aiointercept_mock`",
        "namesake",
        _FIXTURE_AT_SERVER_URL,
        plugin="aiointercept.pytest_plugin",
        mode="ours",
    ),
    "namesake_external": PytestRun(
        "aiointercept 1.0.0, block with `mock_external_urls`",
        "namesake",
        _in_block("async with aiointercept(mock_external_urls=True)"),
        head="from aiointercept import aiointercept\n\n",
    ),
    "aioresponses": PytestRun(
        "aioresponses-ng, block",
        "aioresponses",
        _in_block("with aioresponses()"),
        head="from aioresponses import aioresponses\n\n",
    ),
    "aresponses": PytestRun("aresponses, `aresponses`", "aresponses", _ARESPONSES, plugin="aresponses.main"),
    "pytest_httpserver": PytestRun(
        "pytest-httpserver, `httpserver`",
        "pytest_httpserver",
        _PYTEST_HTTPSERVER,
        plugin="pytest_httpserver.pytest_plugin",
        mode="ours",
    ),
}


# A run that takes longer than this many seconds hangs, and is killed. Under callgrind everything is 50 times slower.
_TIMEOUT = 120.0


@dataclass(frozen=True)
class Cost:
    """Processor time (of user and system) and wall time of one process, in seconds."""

    processor: float
    wall: float


class Project:
    """A folder with the test file of one `PytestRun`, and the Python that runs it."""

    def __init__(self, folder: Path, run: PytestRun, tests: int, python: Path, packages: tuple[Path, ...] = ()) -> None:
        folder.mkdir(parents=True)
        (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
        numbered = (f"\n{run.test.replace('NUMBER', str(number))}" for number in range(1, tests + 1))
        (folder / "test_orders.py").write_text(_CLIENT + run.head + "\n".join(numbered), encoding="utf-8")
        self._folder = folder
        self._plugins = ["pytest_asyncio.plugin", *([run.plugin] if run.plugin else [])]
        self._python = str(python)
        self._environment = {
            **variables(python),
            **({"PYTHONPATH": os.pathsep.join(map(str, packages))} if packages else {}),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONHASHSEED": "0",
            # Nothing is written beside the sources that are measured.
            "PYTHONPYCACHEPREFIX": str(folder.parent / "pycache"),
        }

    def warm_up(self) -> Cost:
        """Run the first test alone: what is compiled once is compiled then."""
        return self.run(only="::test_1")

    def run(self, *, only: str = "", before: tuple[str, ...] = (), timeout: float = _TIMEOUT) -> Cost:
        """Run the tests, with the command `before` Python; raise `RuntimeError` with the output if they do not pass."""
        plugins = [argument for plugin in self._plugins for argument in ("-p", plugin)]
        command = [*before, self._python, "-m", "pytest", "-q", *plugins, "-p", "no:cacheprovider"]
        output, start = self._folder / "output", time.perf_counter()
        with output.open("w") as file:
            process = subprocess.Popen(
                [*command, f"test_orders.py{only}"],
                cwd=self._folder,
                env=self._environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            watchdog = threading.Timer(timeout, process.kill)
            watchdog.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)
            finally:
                watchdog.cancel()
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(output.read_text(errors="replace"))
        return Cost(usage.ru_utime + usage.ru_stime, wall)

    def instructions(self, *, only: str = "") -> int:
        """Run the tests under callgrind, and return how many instructions they took."""
        file = self._folder / "callgrind.out"
        valgrind = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={file}")
        self.run(only=only, before=valgrind, timeout=50 * _TIMEOUT)
        counted = re.findall(r"^(?:summary|totals): (\d+)", file.read_text(errors="replace"), re.MULTILINE)
        return int(counted[-1])


def measure_pytest_runs(
    pythons: Mapping[str, Path], *, tests: int, runs: int, tell: Callable[[str], None] = print
) -> list[Measured]:
    """Measure the pytest run of each subject in `pythons`, `runs` times in rotating order."""
    processor, wall = Measured(PROCESSOR, "s", ""), Measured(WALL, "s", "")
    with tempfile.TemporaryDirectory() as folder:
        projects = {}
        for name, run in PYTEST_RUNS.items():
            if run.subject not in pythons:
                continue
            projects[name] = Project(Path(folder, name), run, tests, pythons[run.subject])
        names = list(projects)
        for turn in range(runs + 1):
            tell(f"pytest run of {tests:,} tests, {turn} of {runs}" if turn else "pytest run: the first test alone")
            first = turn % max(1, len(names))
            for name in (*names[first:], *names[:first]):
                if name in processor.missing:
                    continue
                try:
                    cost = projects[name].run() if turn else projects[name].warm_up()
                except RuntimeError as exc:
                    tell(f"{PYTEST_RUNS[name].title} fails:\n{exc}")
                    for measured in (processor, wall):
                        measured.missing[name] = "fails"
                        measured.values.pop(name, None)
                    continue
                if turn:
                    processor.values.setdefault(name, []).append(cost.processor)
                    wall.values.setdefault(name, []).append(cost.wall)
    return [processor, wall]
