"""The benchmarks run: the floor and ours are measured for a moment, installing nothing and judging no time."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.against import compare
from benchmarks.chart import draw
from benchmarks.driver import measure
from benchmarks.pytest_run import PROCESSOR, PYTEST_RUNS, WALL
from benchmarks.report import SHOWN, page, tables
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
    "100 conditions on one URL",
    "WebSocket conversation",
    "unmatched request, 1 URL registered",
    "GET inside 64 mocks",
    "memory per recorded request",
]


@pytest.mark.long
def test_each_scenario_is_measured_and_reported():
    results = measure(OWN, [SCENARIOS[name] for name in BRIEF], rounds=1, seconds=0.0, tell=lambda text: None)

    missing = {(one.scenario, name): why for one in results.measured for name, why in one.missing.items()}
    assert missing == {("sequential GET, https origin", "ours"): "server_url is http"}
    assert json.loads(results.to_json()) == asdict(results)
    printed, written, chart = tables(results), page(results, "chart.svg"), draw(results)
    assert all(f"| {name} |" in printed for name in BRIEF)
    for title, sentence in SHOWN.values():
        assert f"| **{title}**: {sentence} |" in written
        assert f">{title}</text>" in chart
    ElementTree.fromstring(chart)
    assert {"sequential GET, keep-alive", "memory per recorded request"} <= {
        verdict.scenario for verdict in check(results)
    }


@pytest.mark.long
@needs_processor_time
def test_a_pytest_run_is_measured_and_reported():
    told = []
    results = measure(OWN, [], rounds=1, seconds=0.0, tests=2, runs=1, tell=told.append)

    assert told == ["pytest run: the first test alone", "pytest run of 2 tests, 1 of 1"]
    assert {one.scenario: one.missing for one in results.measured} == {PROCESSOR: {}, WALL: {}}
    assert all(value > 0 for one in results.measured for name in OWN for value in one.values[name])
    text = page(results, "chart.svg")
    assert all(f"| {PYTEST_RUNS[name].title} |" in text for name in OWN)


@pytest.mark.long
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
