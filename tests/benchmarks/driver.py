"""One run: subject after subject in rotating rounds, so that whatever slows the machine down slows all of them."""

import importlib.metadata
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import environment, variables
from benchmarks.pytest_run import measure_pytest_runs
from benchmarks.results import Measured, Results
from benchmarks.scenarios import Scenario
from benchmarks.subjects import SUBJECTS

__all__ = ["measure"]

_TESTS = Path(__file__).parent.parent

# All peers have what decides the time of a request or of a test in the version that ours has.
_COMMON = ("aiohttp", "multidict", "yarl", "pytest", "pytest-asyncio")

# What does not answer within this many seconds is killed.
_TIMEOUT = 60.0

# A count or an amount of memory is nearly the same each time: one of so many rounds will do.
_FIGURES_SELDOM = 5

# What precedes the first round, as a share of one.
_WARM_UP = 0.3


class _Worker:
    """A process that measures one subject; it can be begun anew, and is after it had to be killed."""

    def __init__(self, subject: str, python: Path) -> None:
        self._command = [str(python), "-m", "benchmarks.worker", subject]
        self._variables = variables(python)
        self._process = self._start()

    def renew(self) -> None:
        self.close()
        self._process = self._start()

    def ask(self, **command: Any) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(_TIMEOUT, process.kill)
        watchdog.start()
        try:
            print(json.dumps(command), file=process.stdin, flush=True)
            answer = process.stdout.readline()
        finally:
            watchdog.cancel()
        if not answer:
            process.communicate()
            self._process = self._start()
            return {"missing": f"fails: ended with {process.returncode}, or no answer within {_TIMEOUT:g} s"}
        return dict(json.loads(answer))

    def close(self) -> None:
        self._process.communicate()

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._command,
            cwd=_TESTS,
            env=self._variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Mocks log what nothing was registered for; nobody reads it, as in a test run that passes.
            stderr=subprocess.DEVNULL,
            text=True,
        )


def measure(
    subjects: Iterable[str],
    scenarios: Sequence[Scenario],
    *,
    rounds: int,
    seconds: float,
    patience: float = 0.0,
    lives: int = 1,
    tests: int = 0,
    runs: int = 0,
    tell: Callable[[str], None] = print,
) -> Results:
    """Measure `scenarios` of `subjects`, `seconds` at a time, in rounds.

    There are at least `rounds` of them, and as many more as there is time for in `patience` seconds for each scenario.
    Short rounds bring what is compared closer together, yet the first steps of a turn are slow, because the turns of
    others have emptied the caches. With several `lives` each scenario is measured by so many processes of each subject,
    one after the other: how memory is laid out is decided anew for each, and can be worth more than what is to be told
    apart. With `runs` the pytest run of each subject, of so many `tests`, is measured so many times before.
    """
    pythons: dict[str, Path] = {}
    absent: dict[str, str] = {}
    versions = {name: importlib.metadata.version(name) for name in ("aiohttp", "aiointercept")}
    common = [f"{name}=={importlib.metadata.version(name)}" for name in _COMMON]
    versions["Python"] = platform.python_version()
    for name in subjects:
        requires = SUBJECTS[name].requires
        try:
            python = environment([requires, *common]) if requires else Path(sys.executable)
        except subprocess.CalledProcessError as exc:
            absent[name] = "cannot be installed"
            tell(f"{SUBJECTS[name].title} cannot be installed:\n{exc.stderr}")
        else:
            pythons[name] = python
            if requires:
                peer, _, versions_of_peer = requires.partition("==")
                versions[f"{peer} (another project)" if peer in versions else peer] = versions_of_peer
    measured = measure_pytest_runs(pythons, tests=tests, runs=runs, tell=tell) if runs else []
    workers: dict[str, _Worker] = {}
    try:
        workers |= {name: _Worker(name, python) for name, python in pythons.items()}
        for number, scenario in enumerate(scenarios, 1):
            tell(f"scenario {number} of {len(scenarios)}: {scenario.name}")
            measured.append(_measure(workers, scenario, rounds, seconds, patience, lives))
            measured[-1].missing |= absent
    finally:
        for worker in workers.values():
            worker.close()
    return Results(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        versions=versions,
        rounds=rounds,
        lives=lives,
        measured=measured,
        tests=tests,
        runs=runs,
    )


def _measure(
    workers: dict[str, _Worker], scenario: Scenario, rounds: int, seconds: float, patience: float, lives: int
) -> Measured:
    measured = Measured(scenario.name, scenario.unit, scenario.grows)
    if scenario.unit != "s":
        _measure_life(workers, measured, max(1, rounds // _FIGURES_SELDOM), 0.0, 0.0)
        return measured
    for _ in range(lives):
        if lives > 1:
            for worker in workers.values():
                worker.renew()
        _measure_life(workers, measured, -(-rounds // lives), seconds, patience / lives)
    return measured


def _measure_life(workers: dict[str, _Worker], measured: Measured, least: int, seconds: float, patience: float) -> None:
    """Add to what is `measured` at least so many rounds, by the processes that there are."""
    ready = []
    for name, worker in workers.items():
        if name in measured.missing:
            continue
        answer = worker.ask(set_up=measured.scenario)
        if "missing" in answer:
            measured.missing[name] = answer["missing"]
            measured.values.pop(name, None)
            worker.ask(tear_down=True)
        else:
            ready.append(name)
            measured.values.setdefault(name, [])
            if seconds:
                worker.ask(run=seconds * _WARM_UP)
    end = time.monotonic() + patience
    for turn in itertools.count():
        if turn >= least and time.monotonic() >= end:
            break
        first = turn % max(1, len(ready))
        for name in (*ready[first:], *ready[:first]):
            if name in measured.missing:
                continue
            answer = workers[name].ask(run=seconds)
            if "missing" in answer:
                measured.missing[name] = answer["missing"]
                del measured.values[name]
            else:
                measured.values[name].append(answer["value"])
    for name in ready:
        workers[name].ask(tear_down=True)
