"""The benchmarks run: the floor and ours are measured for a moment, installing nothing and judging no time."""

import os
from pathlib import Path

import pytest

from benchmarks.against import compare
from benchmarks.driver import measure
from benchmarks.pytest_run import PROCESSOR, PYTEST_RUNS, WALL
from benchmarks.report import SHOWN, page, tables
from benchmarks.results import Results
from benchmarks.scenarios import SCENARIOS
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import check
from benchmarks.websockets import TARGETS, main

needs_processor_time = pytest.mark.skipif(not hasattr(os, "wait4"), reason="no processor time of child processes")

OWN = [name for name, entry in SUBJECTS.items() if entry.requires is None]
BRIEF = [
    "sequential GET, keep-alive",
    "sequential GET, https origin",
    "50 GETs in flight",
    "POST json + assert",
    "life cycle",
    "start + stop",
    "fixture style",
    "callback, sync",
    "callback, async",
    "download of 1 MB",
    "upload of 1 MB",
    "1 pattern registered",
    "100 patterns registered",
    "unmatched request, 1 URL registered",
    "GET inside 64 mocks",
    "memory per recorded request",
]


def test_each_scenario_is_measured_and_reported():
    results = measure(OWN, [SCENARIOS[name] for name in BRIEF], rounds=1, seconds=0.0, tell=lambda text: None)

    missing = {(one.scenario, name): why for one in results.measured for name, why in one.missing.items()}
    assert missing == {("sequential GET, https origin", "ours"): "server_url is http"}
    assert Results.from_json(results.to_json()) == results
    text = tables(results)
    assert all(f"| {name} |" in text for name in BRIEF)
    assert all(f"| **{name}**: {sentence}" in page(results, "chart.png") for name, sentence in SHOWN.items())
    assert {"sequential GET, keep-alive", "memory per recorded request"} <= {
        verdict.scenario for verdict in check(results)
    }


@needs_processor_time
def test_a_pytest_run_is_measured_and_reported():
    told = []
    results = measure(OWN, [], rounds=1, seconds=0.0, tests=2, runs=1, tell=told.append)

    assert told == ["pytest run of 2 tests"]
    assert {one.scenario: one.missing for one in results.measured} == {PROCESSOR: {}, WALL: {}}
    assert all(value > 0 for one in results.measured for name in OWN for value in one.values[name])
    text = page(results, "chart.png")
    assert all(f"| {PYTEST_RUNS[name].title} |" in text for name in OWN)


@needs_processor_time
def test_a_checkout_is_compared_with_another():
    told = []
    root = Path(__file__).parents[2]
    compare(root, root, tests=2, pairs=1, tell=told.append)

    assert [line.partition(":")[0] for line in told] == ["ours", "ours_external"]


async def test_websockets_are_compared(capsys):
    await main(rounds=1, count=20)
    lines = capsys.readouterr().out.splitlines()
    assert [name for name, line in zip(TARGETS, lines, strict=True) if line.startswith(name)] == list(TARGETS)
