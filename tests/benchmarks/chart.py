"""The chart: bars per scenario, one for each subject, as multiples of the floor.

Runs in an environment that has matplotlib: `python -m benchmarks.chart RESULTS.json CHART.png`.
"""

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.comparison import ratio
from benchmarks.report import SHOWN
from benchmarks.results import Results
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import FLOOR

_COLOURS = ("#0b6e4f", "#4fb286", "#b23a48", "#e09f3e", "#6c757d", "#577590")

# Where the axis ends. A bar that is cut off there has its figure beside it.
_END = 4.0


def draw(results: Results, path: Path) -> None:
    """Write the chart of `results` to `path`."""
    subjects = [name for name in SUBJECTS if name != FLOOR and any(name in m.values for m in results.measured)]
    height = 0.8 / max(1, len(subjects))
    figure, axes = plt.subplots(figsize=(10, 10))
    for place, (name, colour) in enumerate(zip(subjects, _COLOURS, strict=False)):
        found = {row: ratio(results, scenario, name, FLOOR) for row, scenario in enumerate(SHOWN)}
        bars = {row: one for row, one in found.items() if one is not None}
        shift = (place - (len(subjects) - 1) / 2) * height
        axes.barh(
            [row + shift for row in bars],
            [one.median for one in bars.values()],
            height * 0.9,
            xerr=(
                [one.median - one.low for one in bars.values()],
                [one.high - one.median for one in bars.values()],
            ),
            error_kw={"elinewidth": 0.8},
            color=colour,
            label=SUBJECTS[name].title,
        )
        for row, one in bars.items():
            if one.median > _END:
                axes.annotate(f"{one.median:.0f}", (_END, row + shift), (3, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, _END)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(range(len(SHOWN)), list(SHOWN))
    axes.invert_yaxis()
    axes.set_xlabel("time as a multiple of a bare aiohttp server's (the line at 1); shorter is faster")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    mpl.use("agg")
    draw(Results.from_json(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
