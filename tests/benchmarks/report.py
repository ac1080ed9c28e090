"""What a run shows: the page of the documentation, and all figures with the targets for the terminal."""

from benchmarks.comparison import median_of, ratio
from benchmarks.pytest_run import PROCESSOR, PYTEST_RUNS, WALL
from benchmarks.results import Results
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import FLOOR, check

__all__ = ["SHOWN", "page", "tables"]

# The rows of the page and of its chart: a title, and what a step is.
SHOWN = {
    "sequential GET, keep-alive": ("GET", "one after another, over one connection"),
    "50 GETs in flight": ("50 GETs at once", "all are sent before the first reply arrives"),
    "life cycle": ("A mock per test", "start it, register a reply, open a client session, GET, assert, stop"),
    "callback, async": ("Async callback", "a GET whose reply an async function makes"),
    "100 patterns registered": (
        "100 patterns",
        "a GET of a URL that only the last of 100 regular expressions matches",
    ),
    "100 conditions on one URL": ("100 bodies", "a POST whose JSON the last of 100 routes for one URL asks for"),
    "WebSocket conversation": ("WebSocket", "open it, send 20 messages, receive each of them back, close it"),
    "download of 1 MB": ("1 MB", "a GET with a reply of one megabyte"),
}

# Why a peer can be faster, and why any can in a row.
_PEERS = {
    "aresponses": (
        "It serves on the event loop of the test, so no request changes threads. aiointercept serves on a thread of "
        "its own: it also answers synchronous clients and clients on other event loops, a client that blocks its event "
        "loop does not stop it, and it leaves no task on the loop of the test. Of a body, aresponses compares the text."
    ),
    "aioresponses": (
        "It replaces the function that sends a request: no connection is opened, and no HTTP is written or parsed. "
        "What goes wrong in these parts of a client cannot be tested with it."
    ),
    "pytest_httpserver": "It sends with a blocking socket, which is faster than asyncio for a large body.",
}
_COMPARES = "aiointercept compares the request with one route after another, and keeps what differs for its messages"
_ROWS = {
    "Async callback": (
        "aiointercept runs the function on the event loop that registered it, where it can use what belongs to that "
        "loop; for this the request changes threads twice more"
    ),
    "100 patterns": _COMPARES,
    "100 bodies": _COMPARES,
}


def page(results: Results, chart: str) -> str:
    """Return the page of the documentation; `chart` is the file name of the picture."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    processes = "in one process" if results.lives == 1 else f"in {results.lives} processes, one after the other"
    return f"""\
# Performance

<!-- Written by `hatch run bench --full --write-docs`. Changes by hand are lost. -->

## A pytest run of {results.tests:,} tests

This is what you notice: `python -m pytest` with {results.tests:,} async tests. Each test registers two replies, opens a
client session, sends a GET and a POST, and asserts on what was sent, in the way that the documentation of each library
shows first. The first row has no mock: all tests share a bare aiohttp server, and assert nothing. aiointercept 1.0.0 is
another project, which owns the name on the public package index.

{_pytest_runs(results)}

The last column compares the processor time with that of the first row. Start-up and imports count, as they do for you.
{_cost_of_a_test(results)}

## Step by step

Each row is one step of a test. The second column is the time that the step takes with a bare aiohttp server in a
thread, which is about the least that a server can take. The other columns are multiples of that time: 2 is twice as
slow, and less than 1 is faster. A dash means that the library has no such feature. pytest-httpserver starts one server
for all tests, so its users do not meet its figure for a mock per test.

aiointercept has two columns: its client asks for `server_url`, or for the original URL, which `mock_external_urls`
redirects.

![The same figures as bars]({chart})

{_shown(results)}

## Where another library is faster

Each library is compared with aiointercept in the mode that works in the same way. A difference counts if it is larger
than the differences between rounds.

{_faster(results)}
## How it is measured

Measured on {results.date} with {versions}, on {results.machine}.

Each library has an environment of its own, with the same aiohttp and pytest. The libraries take turns, so that whatever
slows the machine down slows all of them. A pytest run is a process of its own, with no plugin but pytest-asyncio and
the library's; the figures are medians of {results.runs} runs. The figures of a step are medians of at least
{results.rounds} rounds, {processes}. Compare the ratios and not the times: other machines have other times.

`hatch run bench` measures it on your machine in a few minutes, and prints more steps than this page shows.
"""


def tables(results: Results) -> str:
    """Return all that was measured, and the targets, as Markdown."""
    return "\n\n".join(text for text in (_pytest_runs(results), _all(results), _targets(results)) if text) + "\n"


def _pytest_runs(results: Results) -> str:
    rows = []
    for name, run in PYTEST_RUNS.items():
        processor, wall, floor = (
            median_of(results, *of) for of in ((PROCESSOR, name), (WALL, name), (PROCESSOR, FLOOR))
        )
        if processor and wall:
            rows.append(
                [run.title, f"{processor:.2f} s", f"{wall:.2f} s", f"{processor / floor:.2f}" if floor else "-"]
            )
    return _table(["", "processor time", "elapsed time", "ratio"], rows)


def _cost_of_a_test(results: Results) -> str:
    times = [median_of(results, PROCESSOR, name) for name in (FLOOR, "ours", "ours_external")]
    if not all(times):
        return ""
    floor, ours, redirected = (time / results.tests * 1e3 for time in times if time)
    return (
        f"A test with aiointercept takes {ours - floor:.1f} ms (by `server_url`) or {redirected - floor:.1f} ms "
        "(redirected) more than one without a mock."
    )


def _shown(results: Results) -> str:
    names = [name for name in _measured_subjects(results) if name != FLOOR]
    rows = [
        [f"**{title}**: {text}", _duration(floor), *(_cell(results, scenario, name) for name in names)]
        for scenario, (title, text) in SHOWN.items()
        if (floor := median_of(results, scenario, FLOOR))
    ]
    return _table(["", *(SUBJECTS[name].title for name in (FLOOR, *names))], rows)


def _faster(results: Results) -> str:
    """Say in which rows each peer is ahead of the mode of ours that works as it does, and why."""
    lines = []
    reasons: dict[str, list[str]] = {}
    for peer, entry in SUBJECTS.items():
        if entry.requires is None:
            continue
        ahead = [title for scenario, (title, _) in SHOWN.items() if _is_ahead(results, peer, entry.mode, scenario)]
        if any(
            run.subject == peer and _is_ahead(results, name, run.mode, PROCESSOR) for name, run in PYTEST_RUNS.items()
        ):
            ahead.insert(0, "the pytest run")
        if ahead:
            lines.append(f"- **{entry.title}**: {'; '.join(ahead)}. {_PEERS.get(peer, '')}".rstrip())
    for title, reason in _ROWS.items():
        if any(title in line for line in lines):
            reasons.setdefault(reason, []).append(title)
    if reasons:
        lines += ["", "Why aiointercept takes longer in some rows:", ""]
        lines += [f"- **{' and '.join(titles)}**: {reason}." for reason, titles in reasons.items()]
    return "\n".join(lines or ["In no row."]) + "\n"


def _is_ahead(results: Results, peer: str, ours: str, scenario: str) -> bool:
    found = ratio(results, scenario, ours, peer)
    return found is not None and found.low > 1.0


def _all(results: Results) -> str:
    names = _measured_subjects(results)
    rows = []
    for one in results.measured:
        if one.scenario in (PROCESSOR, WALL):
            continue
        row = [one.scenario]
        for name in names:
            value, found = median_of(results, one.scenario, name), ratio(results, one.scenario, name, FLOOR)
            if value is None:
                row.append(one.missing.get(name, "-").replace("|", "\\|"))
            elif one.unit != "s":
                row.append(f"{value:.4g} {one.unit}")
            elif found is None or name == FLOOR:
                row.append(_duration(value))
            else:
                row.append(f"{found.median:.2f} ({found.low:.2f}-{found.high:.2f})")
        rows.append(row)
    return _table(["", *(SUBJECTS[name].title for name in names)], rows)


def _targets(results: Results) -> str:
    rows = [
        [v.scenario, SUBJECTS[v.subject].title, v.what, f"{v.measured:.2f}", f"<= {v.limit:.2f}", v.word]
        for v in check(results)
    ]
    return _table(["", "", "", "measured", "target", ""], rows)


def _measured_subjects(results: Results) -> list[str]:
    return [name for name in SUBJECTS if any(name in one.values for one in results.measured)]


def _cell(results: Results, scenario: str, name: str) -> str:
    found = ratio(results, scenario, name, FLOOR)
    if found is not None:
        return f"{found.median:.2f}"
    return "failed" if results.find(scenario).missing.get(name, "").startswith("fails") else "-"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}\u00a0ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}\u00a0µs"


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
