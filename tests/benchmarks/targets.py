"""What ours is to reach, and whether a run shows it."""

from dataclasses import dataclass

from benchmarks.comparison import growth, median_of, ratio
from benchmarks.driver import Results

__all__ = ["Verdict", "check"]

FLOOR, PEER = "floor", "namesake"

# Where the peer is this close to the floor, being ahead of it by a quarter would mean being ahead of the floor.
_PEER_IS_CLOSE = 1.45
_WAIVED = {
    "sequential GET, keep-alive",
    "sequential GET, https origin",
    "POST json + assert",
    "100 patterns registered",
}

# Scenario: at most this many times the floor's time, and this many times the peer's.
_RATIOS: dict[str, tuple[float | None, float | None]] = {
    "sequential GET, keep-alive": (1.10, 0.75),
    "sequential GET, https origin": (None, 0.75),
    "50 GETs in flight": (1.15, 0.90),
    "POST json + assert": (1.10, 0.75),
    "life cycle": (1.10, 0.60),
    "start + stop": (0.80, 0.30),
    "fixture style": (1.05, 0.80),
    "100 patterns registered": (None, 0.65),
    "callback, sync": (None, 1.10),
    "callback, async": (None, 0.95),
    "download of 1 MB": (1.25, None),
    "upload of 1 MB": (1.25, None),
    "download of 50 MB": (0.75, None),
    "upload of 50 MB": (0.75, None),
    "unmatched request, 1,000 URLs registered": (None, 0.05),
}

# Scenario: at most this much, in its unit.
_FIGURES: dict[str, float] = {
    "memory per recorded request": 2.5,
    "failed assertion, 10,000 requests recorded": 0.005,
    "import of the pytest plugin": 10.0,
    "threads left after 200 cycles": 0.0,
    "descriptors left after 200 cycles": 0.0,
}

# What is flat is not slower with much than with little; this much is noise. Patterns are not among it: a URL that was
# not asked for before has to be tried against each of them.
_FLAT = 1.2
_GROWING = {"100 patterns registered", "1,000 patterns registered"}


@dataclass(frozen=True)
class Verdict:
    """One target of one subject: what was measured, what was wanted, and whether it was reached."""

    subject: str
    scenario: str
    what: str
    measured: float
    limit: float
    waived: bool = False

    @property
    def word(self) -> str:
        """`ok`, `missed` or `waived`."""
        if self.measured <= self.limit:
            return "ok"
        return "waived" if self.waived else "missed"


def check(results: Results, subjects: tuple[str, ...] = ("ours", "ours_external")) -> list[Verdict]:
    """Compare what `subjects` reached with the targets; what a run did not measure is left out."""
    verdicts = []
    peer = ratio(results, "sequential GET, keep-alive", PEER, FLOOR)
    close = peer is not None and peer.median < _PEER_IS_CLOSE
    for subject in subjects:
        for scenario, limits in _RATIOS.items():
            for base, limit in zip((FLOOR, PEER), limits, strict=True):
                if limit is not None and (found := ratio(results, scenario, subject, base)) is not None:
                    waived = close and base == PEER and scenario in _WAIVED
                    what = "against F" if base == FLOOR else "against P"
                    verdicts.append(Verdict(subject, scenario, what, found.median, limit, waived))
        for scenario, limit in _FIGURES.items():
            if (value := median_of(results, scenario, subject)) is not None:
                verdicts.append(Verdict(subject, scenario, "at most", value, limit))
        verdicts += [
            Verdict(subject, scenario, "against the smallest", factor, _FLAT)
            for scenario, factor in growth(results, subject).items()
            if scenario not in _GROWING
        ]
    return verdicts
