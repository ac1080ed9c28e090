"""The benchmarks run: the floor and ours are measured for a moment, installing nothing and judging no time."""

from benchmarks.driver import Results, measure
from benchmarks.report import page
from benchmarks.scenarios import SCENARIOS
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import check

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
    text = page(results, "chart.png")
    assert all(f"| {name} |" in text for name in BRIEF)
    assert {"sequential GET, keep-alive", "memory per recorded request"} <= {
        verdict.scenario for verdict in check(results)
    }
