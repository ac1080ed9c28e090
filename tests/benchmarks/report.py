"""What a run shows, in words: Markdown tables, the targets, and where a peer is ahead."""

from benchmarks.comparison import Ratio, growth, median_of, ratio
from benchmarks.driver import Measured, Results
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import FLOOR, check

__all__ = ["page", "tables"]

_OURS = ("ours", "ours_external")


def tables(results: Results) -> str:
    """Return all that was measured as Markdown."""
    sections = [
        ("## Time, as a multiple of the floor", _times(results)),
        ("## Growth", _growth(results)),
        ("## Figures", _figures(results)),
        ("## Where a peer is ahead", _peers_ahead(results)),
        ("## Targets", _targets(results)),
    ]
    return "\n\n".join(f"{title}\n\n{text}" for title, text in sections if text) + "\n"


def page(results: Results, chart: str) -> str:
    """Return the page of the documentation; `chart` is the file name of the picture."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    processes = "a process" if results.lives == 1 else f"{results.lives} processes, one after the other"
    return f"""\
# Performance

<!-- Written by `{results.command}`: what is changed by hand is lost. -->

A mock that is a real server need not be slow. This page compares it with a bare aiohttp server in a thread, which is
what any mock over HTTP has to pay at least (the floor, F), and with the libraries that do the same job.

![Time of each library as a multiple of the floor]({chart})

Measured on {results.date} by `{results.command}`: {versions}; {results.machine}.

Each library runs in an environment of its own, and its times are those of {processes}.
The libraries take turns within a round, and the order of the turns rotates. A figure is the median of at least
{results.rounds} rounds, each compared with the floor's of the same round; what follows in brackets are the quartiles.
Where the floor has no such thing (https origins, callbacks, patterns), its plain GET stands for it. Read the ratios and
not the microseconds: other machines have others.

{tables(results)}"""


def _times(results: Results) -> str:
    rows = []
    for measured in results.measured:
        if measured.unit == "s" and measured.values.get(FLOOR):
            floor = median_of(results, measured.scenario, FLOOR) or 0.0
            rows.append(
                [measured.scenario, _duration(floor)]
                + [
                    _ratio(ratio(results, measured.scenario, name, FLOOR)) or _why(measured, name)
                    for name in _measured_subjects(results)
                    if name != FLOOR
                ]
            )
    titles = [SUBJECTS[name].title for name in _measured_subjects(results) if name != FLOOR]
    return _table(["", "F", *titles], rows)


def _growth(results: Results) -> str:
    names = _measured_subjects(results)
    factors = {name: growth(results, name) for name in names if name != FLOOR}
    scenarios = [m.scenario for m in results.measured if any(m.scenario in found for found in factors.values())]
    rows = [
        [scenario, *(f"{found[scenario]:.2f}" if scenario in found else "-" for found in factors.values())]
        for scenario in scenarios
    ]
    if not rows:
        return ""
    text = "How many times slower than with one (for recorded requests: than with 100)."
    return f"{text}\n\n{_table(['', *(SUBJECTS[name].title for name in factors)], rows)}"


def _figures(results: Results) -> str:
    names = _measured_subjects(results)
    rows = []
    for measured in results.measured:
        if measured.unit != "s" or not measured.values.get(FLOOR):
            cells = [_figure(median_of(results, measured.scenario, name), measured.unit) for name in names]
            found = [cell or _why(measured, name) for name, cell in zip(names, cells, strict=True)]
            rows.append([measured.scenario, *found])
    return _table(["", *(SUBJECTS[name].title for name in names)], rows)


def _peers_ahead(results: Results) -> str:
    peers = [name for name in _measured_subjects(results) if name not in (FLOOR, *_OURS)]
    rows = []
    for measured in results.measured:
        for peer in peers if measured.unit == "s" else ():
            ratios = [ratio(results, measured.scenario, ours, peer) for ours in _OURS]
            behind = [found if found is not None and found.low > 1.0 else None for found in ratios]
            if any(behind):
                rows.append([measured.scenario, SUBJECTS[peer].title, *(_ratio(found) for found in behind)])
    if not rows:
        return "Nowhere in this run."
    text = "How many times its time ours takes; empty where ours is not behind, or not beyond what the rounds spread."
    return f"{text}\n\n{_table(['', 'ahead', *map(_mode, _OURS)], rows)}"


def _targets(results: Results) -> str:
    rows = [
        [v.scenario, _mode(v.subject), v.what, _plain(v.measured), f"<= {_plain(v.limit)}", v.word]
        for v in check(results)
    ]
    return _table(["", "mode", "", "measured", "target", ""], rows)


def _measured_subjects(results: Results) -> list[str]:
    return [name for name in SUBJECTS if any(name in {*m.values, *m.missing} for m in results.measured)]


def _mode(subject: str) -> str:
    return SUBJECTS[subject].title.rpartition(", ")[2]


def _ratio(found: Ratio | None) -> str:
    return f"{found.median:.2f} ({found.low:.2f}-{found.high:.2f})" if found is not None else ""


def _why(measured: Measured, name: str) -> str:
    return measured.missing.get(name, "-").replace("|", "\\|").replace("\n", " ")


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return _duration(value) if unit == "s" else f"{value:.2f} {unit}" if unit in ("KB", "ms") else f"{value:.0f}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"


def _plain(value: float) -> str:
    return f"{value:.4f}" if 0 < value < 0.01 else f"{value:.2f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
