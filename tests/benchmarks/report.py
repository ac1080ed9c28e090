"""What a run shows, in words: the page of the documentation, and all tables with the targets for the terminal."""

from benchmarks.comparison import Ratio, growth, median_of, ratio
from benchmarks.pytest_run import PROCESSOR, PYTEST_RUNS, WALL
from benchmarks.results import Measured, Results
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import FLOOR, check

__all__ = ["SHOWN", "page", "tables"]

_OURS = ("ours", "ours_external")

# What the page and its chart show, and what each is in a sentence.
SHOWN = {
    "sequential GET, keep-alive": "one GET after another, over one connection",
    "50 GETs in flight": "50 GETs at once",
    "POST json + assert": "a POST with a JSON body, and an assertion on that body",
    "life cycle": "a mock of its own for one test: start, register, a client session, GET, assert, stop",
    "fixture style": "one mock for many tests: register, a client session, GET, assert, clear",
    "callback, async": "a GET that an async callback answers",
    "100 patterns registered": "a GET of a URL that was not asked for before, with 100 regular expressions registered",
    "download of 1 MB": "a GET with a reply of 1 MB",
}

# Why a peer can be faster.
_REASONS = {
    "aresponses": (
        "aresponses serves on the event loop of the test, so no request changes threads. aiointercept serves on a "
        "thread of its own: it also answers synchronous clients and clients on other loops, and leaves no task on the "
        "test's loop."
    ),
    "aioresponses": (
        "aioresponses-ng replaces the function that sends a request: there is no connection to open, and no HTTP to "
        "write or to parse. What goes wrong in those parts of a client cannot be tested with it."
    ),
}


def page(results: Results, chart: str) -> str:
    """Return the page of the documentation; `chart` is the file name of the picture."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    processes = "a process" if results.lives == 1 else f"{results.lives} processes, one after the other"
    return f"""\
# Performance

<!-- Written by `{results.command}`: what is changed by hand is lost. -->

{_pytest_run_section(results)}
## Step by step

Each row is one thing that tests do, with the time that it takes with a bare aiohttp server in a thread, which is about
the least that a mock server has to pay. The columns are multiples of that time: less is faster. aiointercept has two:
asked at its `server_url`, and redirected, with `mock_external_urls`.

![Time of each library as a multiple of a bare aiohttp server's]({chart})

{_shown(results)}

{_peers_ahead(results)}
## How it is measured

Measured on {results.date} with {versions}, on {results.machine}, by `{results.command}`.

Each library has an environment of its own, with the same aiohttp and pytest. The libraries take turns, in rotating
order, so that whatever slows the machine down slows all of them. A figure of a step is the median of at least
{results.rounds} rounds, in {processes}. A figure of the pytest run is the median of {results.runs} runs, each a process
of its own, with no plugin but pytest-asyncio and the library's own. Read the ratios and not the times: other machines
have others.

`hatch run bench` measures it on your machine, in two or three minutes, and prints more scenarios than are shown here.
"""


def tables(results: Results) -> str:
    """Return all that was measured, and the targets, as Markdown."""
    sections = [
        ("Pytest run", _pytest_runs(results)),
        ("Time, as a multiple of the floor", _times(results)),
        ("Growth", _growth(results)),
        ("Figures", _figures(results)),
        ("Targets", _targets(results)),
    ]
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in sections if text) + "\n"


def _pytest_run_section(results: Results) -> str:
    if not results.runs:
        return ""
    return f"""\
## A pytest run

What you feel: `python -m pytest` with {results.tests:,} async tests of two requests each. A test registers two
replies, opens a client session, sends a GET and a POST and asserts on what was sent, as the documentation of each
library shows first. The first row has no mock: its tests share a bare aiohttp server, register nothing and assert
nothing. aiointercept 1.0.0 is another project, which owns the name on the public package index.

{_pytest_runs(results)}

The ratio is that of the processor time to the first row's, with its quartiles in brackets. Start-up and imports count,
as they do for you.

{_runs_ahead(results)}
"""


def _pytest_runs(results: Results) -> str:
    rows = []
    for name, run in PYTEST_RUNS.items():
        processor, wall = (median_of(results, scenario, name) for scenario in (PROCESSOR, WALL))
        if processor is not None and wall is not None:
            found = _ratio(ratio(results, PROCESSOR, name, FLOOR))
            rows.append([run.title, f"{processor:.2f} s", f"{wall:.2f} s", found])
        elif missing := [m.missing[name] for m in results.measured if m.scenario == PROCESSOR and name in m.missing]:
            rows.append([run.title, *missing, "", ""])
    return _table(["", "processor time", "wall time", "ratio"], rows)


def _runs_ahead(results: Results) -> str:
    ahead = [
        run.title
        for name, run in PYTEST_RUNS.items()
        if name not in (FLOOR, *_OURS) and any(_is_ahead(results, name, ours, PROCESSOR) for ours in _OURS)
    ]
    if not ahead:
        return "No other library is ahead of aiointercept here."
    return f"Ahead of aiointercept here, in one mode at least: {'; '.join(ahead)}. The reasons are given below."


def _shown(results: Results) -> str:
    names = [name for name in _measured_subjects(results) if name != FLOOR]
    rows = []
    for scenario, sentence in SHOWN.items():
        if (floor := median_of(results, scenario, FLOOR)) is not None:
            multiples = [ratio(results, scenario, name, FLOOR) for name in names]
            cells = [f"{found.median:.2f}" if found is not None else "-" for found in multiples]
            rows.append([f"**{scenario}**: {sentence} ({_duration(floor)})", *cells])
    return _table(["", *(SUBJECTS[name].title for name in names)], rows)


def _is_ahead(results: Results, peer: str, ours: str, scenario: str) -> bool:
    """Whether the peer is faster by more than the rounds spread."""
    found = ratio(results, scenario, ours, peer)
    return found is not None and found.low > 1.0


def _peers_ahead(results: Results) -> str:
    lines = []
    for peer in _measured_subjects(results):
        if peer in (FLOOR, *_OURS):
            continue
        ahead = [scenario for scenario in SHOWN if any(_is_ahead(results, peer, ours, scenario) for ours in _OURS)]
        if ahead:
            reason = f" {_REASONS[peer]}" if peer in _REASONS else ""
            lines.append(f"- **{SUBJECTS[peer].title}** in {'; '.join(ahead)}.{reason}\n")
    if not lines:
        return "No other library is ahead of aiointercept in these.\n"
    return "Ahead of aiointercept, in one mode at least:\n\n" + "".join(lines)


def _times(results: Results) -> str:
    rows = []
    for measured in results.measured:
        if measured.unit == "s" and measured.values.get(FLOOR) and measured.scenario not in (PROCESSOR, WALL):
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
    return _table(["", "floor", *titles], rows)


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


def _targets(results: Results) -> str:
    rows = [
        [v.scenario, SUBJECTS[v.subject].title, v.what, f"{v.measured:.2f}", f"<= {v.limit:.2f}", v.word]
        for v in check(results)
    ]
    return _table(["", "", "", "measured", "target", ""], rows)


def _measured_subjects(results: Results) -> list[str]:
    return [name for name in SUBJECTS if any(name in {*m.values, *m.missing} for m in results.measured)]


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


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
