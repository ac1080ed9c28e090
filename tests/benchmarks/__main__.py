"""`hatch run bench`: compare ours with a bare aiohttp server and with its peers in one run."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.against import compare
from benchmarks.driver import measure
from benchmarks.environments import cache_folder, environment
from benchmarks.pytest_run import PROCESSOR
from benchmarks.report import page, tables
from benchmarks.results import Results
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.subjects import SUBJECTS

_TESTS = Path(__file__).parent.parent
_ROOT = _TESTS.parent


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
        _chosen(options.only, options.full),
        rounds=options.rounds or (15 if options.full else 3),
        seconds=0.1 if options.full else 0.03,
        patience=15.0 if options.full else 0.3,
        lives=3 if options.full else 1,
        tests=tests,
        # Windows tells no processor time of a child process.
        runs=runs if hasattr(os, "wait4") and (not options.only or options.only in PROCESSOR) else 0,
        command=" ".join(("hatch run bench", *sys.argv[1:])),
        tell=_tell,
    )
    print(tables(results))
    options.out.mkdir(parents=True, exist_ok=True)
    data = options.out / "results.json"
    data.write_text(results.to_json(), encoding="utf-8")
    (options.out / "results.md").write_text(tables(results), encoding="utf-8")
    _write_page(results, data, options.out)
    if options.write_docs:
        _write_page(results, data, _ROOT / "docs")
    _tell(f"JSON, tables, page and chart: {options.out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all scenarios and sizes, 15 rounds or more: 25 minutes")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md and its chart")
    parser.add_argument("--rounds", type=int, help="how many rounds at least")
    parser.add_argument("--tests", type=int, help="how many tests a pytest run has")
    parser.add_argument("--runs", type=int, help="how many pytest runs there are of each subject, or pairs of them")
    parser.add_argument("--subjects", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS), help="which subjects")
    parser.add_argument("--only", help="a text that the names of the scenarios to be measured contain")
    parser.add_argument("--out", type=Path, default=cache_folder() / "latest", help="folder for all that is written")
    parser.add_argument("--against", type=Path, help="compare only the pytest run, with that of a checkout (full path)")
    parser.add_argument("--callgrind", action="store_true", help="with --against: count instructions, with valgrind")
    return parser.parse_args()


def _chosen(only: str | None, full: bool) -> Iterator[Scenario]:
    for name, scenario in SCENARIOS.items():
        if only in name if only else full or scenario.in_quick:
            yield scenario


def _write_page(results: Results, data: Path, folder: Path) -> None:
    chart = folder / "performance.png"
    (folder / "performance.md").write_text(page(results, chart.name), encoding="utf-8")
    try:
        drawing = str(environment(["matplotlib==3.11.2", f"aiohttp=={results.versions['aiohttp']}"]))
        subprocess.run([drawing, "-m", "benchmarks.chart", str(data), str(chart)], cwd=_TESTS, check=True)
    except subprocess.CalledProcessError as exc:
        _tell(f"no chart, matplotlib cannot be used: {exc.stderr or exc}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
