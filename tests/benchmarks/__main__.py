"""`hatch run bench`: compare ours with the floor and its peers in one run."""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.driver import Results, measure
from benchmarks.environments import cache_folder, environment
from benchmarks.report import page, tables
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.subjects import SUBJECTS

_TESTS = Path(__file__).parent.parent
_DOCS = _TESTS.parent / "docs"


def main() -> None:
    """Measure, print and write what was asked for on the command line."""
    options = _options()
    results = measure(
        options.subjects,
        _chosen(options.only, options.full),
        rounds=options.rounds or (15 if options.full else 3),
        seconds=0.1 if options.full else 0.03,
        patience=15.0 if options.full else 0.3,
        lives=3 if options.full else 1,
        command=" ".join(("hatch run bench", *sys.argv[1:])),
        tell=lambda text: print(text, file=sys.stderr),
    )
    options.out.mkdir(parents=True, exist_ok=True)
    _write(results, options.out, "results")
    print(tables(results))
    if options.write_docs:
        _write(results, _DOCS, "performance")
    print(f"JSON, Markdown and the chart: {options.out}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all scenarios and sizes, 15 rounds or more: 20 minutes")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md and its chart")
    parser.add_argument("--rounds", type=int, help="how many rounds at least")
    parser.add_argument("--subjects", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS), help="which subjects")
    parser.add_argument("--only", help="a text that the names of the scenarios to be measured contain")
    parser.add_argument("--out", type=Path, default=cache_folder() / "latest", help="folder for JSON, table and chart")
    return parser.parse_args()


def _chosen(only: str | None, full: bool) -> Iterator[Scenario]:
    for name, scenario in SCENARIOS.items():
        if only in name if only else full or scenario.in_quick:
            yield scenario


def _write(results: Results, folder: Path, name: str) -> None:
    data, chart = folder / f"{name}.json", folder / f"{name}.png"
    data.write_text(results.to_json(), encoding="utf-8")
    (folder / f"{name}.md").write_text(page(results, chart.name), encoding="utf-8")
    try:
        drawing = str(environment(["matplotlib==3.11.2", f"aiohttp=={results.versions['aiohttp']}"]))
        subprocess.run([drawing, "-m", "benchmarks.chart", str(data), str(chart)], cwd=_TESTS, check=True)
    except subprocess.CalledProcessError as exc:
        print(f"no chart, matplotlib cannot be used: {exc.stderr or exc}", file=sys.stderr)


if __name__ == "__main__":
    main()
