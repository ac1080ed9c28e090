"""Compare the pytest run of two checkouts: pairs of runs, one with the packages of either."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.comparison import ratio_of
from benchmarks.pytest_run import PYTEST_RUNS, Project

__all__ = ["compare"]

_MODES = ("ours", "ours_external")


def compare(
    this: Path, other: Path, *, tests: int, pairs: int, callgrind: bool = False, tell: Callable[[str], None] = print
) -> None:
    """Tell what a pytest run costs with the packages in `this` checkout and in the `other`, and the ratio of both.

    With `callgrind` it is the instructions of one run each that are compared, those of the first test and of all that
    precedes it left out: the processor's time is noisy, and most of a short run is its start.
    """
    with tempfile.TemporaryDirectory() as folder:
        for mode in _MODES:
            here, there = (
                Project(
                    Path(folder, f"{mode}-{name}"), PYTEST_RUNS[mode], tests, Path(sys.executable), _packages_of(root)
                )
                for name, root in (("this", this), ("other", other))
            )
            for project in (here, there):
                project.warm_up()
            if callgrind:
                ours, theirs = (
                    (project.instructions() - project.instructions(only="::test_1")) / (tests - 1)
                    for project in (here, there)
                )
                tell(f"{mode}: {ours:,.0f} instructions a test, the other {theirs:,.0f}: {ours / theirs:.3f}")
                continue
            times: list[tuple[float, float]] = []
            for pair in range(pairs):
                if pair % 2:
                    theirs, ours = there.run().processor, here.run().processor
                else:
                    ours, theirs = here.run().processor, there.run().processor
                times.append((ours, theirs))
            found = ratio_of(times)
            ours, theirs = (median(values) for values in zip(*times, strict=True))
            tell(
                f"{mode}: {ours:.3f} s of processor time, the other {theirs:.3f} s; ratio of {pairs} pairs "
                f"{found.median:.3f} (quartiles {found.low:.3f} to {found.high:.3f})"
            )


def _packages_of(root: Path) -> tuple[Path, ...]:
    sources = tuple(sorted(root.resolve().glob("packages/*/src")))
    if not sources:
        raise SystemExit(f"{root} has no packages/*/src: name the root folder of a checkout")
    return sources
