"""`hatch run bench`: compare ours with a bare aiohttp server and with its peers in one run."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.against import compare
from benchmarks.chart import draw
from benchmarks.driver import measure
from benchmarks.environments import cache_folder
from benchmarks.pytest_run import PROCESSOR
from benchmarks.report import SHOWN, page, tables
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.subjects import SUBJECTS

_ROOT = Path(__file__).parents[2]
_STARTED = time.monotonic()


def main() -> None:
    """Measure, print and write what was asked for on the command line."""
    options = _options()
    tests = options.tests or (1000 if options.full else 100)
    runs = options.runs or (5 if options.full else 2)
    if options.against:
        compare(_ROOT, options.against, tests=tests, pairs=runs, callgrind=options.callgrind)
        return
    results = measure(
        options.subjects,
        list(_chosen(options)),
        rounds=options.rounds or (15 if options.full else 3),
        seconds=0.1 if options.full else 0.03,
        patience=15.0 if options.full else 0.3,
        lives=3 if options.full else 1,
        tests=tests,
        # Windows tells no processor time of a child process.
        runs=runs if hasattr(os, "wait4") and (not options.only or options.only in PROCESSOR) else 0,
        tell=_tell,
    )
    print(tables(results))
    data = cache_folder() / "results.json"
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(results.to_json(), encoding="utf-8")
    _tell(f"each value of each round: {data}")
    if options.write_docs:
        chart = _ROOT / "docs" / "performance.svg"
        chart.write_text(draw(results), encoding="utf-8")
        (_ROOT / "docs" / "performance.md").write_text(page(results, chart.name), encoding="utf-8")
        _tell("written: docs/performance.md and its chart")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds and all scenarios: half an hour")
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="write docs/performance.md and its chart, measuring only what they show: with --full, up to 15 minutes",
    )
    parser.add_argument("--rounds", type=int, help="how many rounds at least")
    parser.add_argument("--tests", type=int, help="how many tests a pytest run has")
    parser.add_argument("--runs", type=int, help="how many pytest runs there are of each subject, or pairs of them")
    parser.add_argument("--subjects", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS), help="which subjects")
    parser.add_argument("--only", help="a text that the names of the scenarios to be measured contain")
    parser.add_argument("--against", type=Path, help="compare only the pytest run, with that of a checkout (full path)")
    parser.add_argument("--callgrind", action="store_true", help="with --against: count instructions, with valgrind")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> Iterator[Scenario]:
    for name, scenario in SCENARIOS.items():
        if options.write_docs:
            chosen = name in SHOWN
        else:
            chosen = options.only in name if options.only else options.full or scenario.in_quick
        if chosen:
            yield scenario


def _tell(text: str) -> None:
    print(f"{time.monotonic() - _STARTED:5.0f} s  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
