"""What ours is to reach, and whether a run shows it: for those who change it, not for its users."""

from dataclasses import dataclass

from benchmarks.comparison import growth, median_of, ratio
from benchmarks.results import Results

__all__ = ["FLOOR", "Verdict", "check"]

FLOOR = "floor"

# Scenario: at most this many times the floor's time, by server_url and redirected.
_RATIOS = {
    "sequential GET, keep-alive": (1.12, 1.18),
    "50 GETs in flight": (1.15, 1.15),
    "POST json + assert": (1.15, 1.15),
    "life cycle": (0.85, 0.85),
    "start + stop": (0.45, 0.45),
}

# Scenario: at most this much, in its unit.
_FIGURES = {"memory per recorded request": 3.0}

# Scenario: at most this many times as slow as the smallest of its kind.
_GROWTH = {"unmatched request, 1,000 URLs registered": 1.3}


@dataclass(frozen=True)
class Verdict:
    """One target of one subject: what was measured, and what was wanted."""

    subject: str
    scenario: str
    what: str
    measured: float
    limit: float

    @property
    def word(self) -> str:
        """`ok` or `missed`."""
        return "ok" if self.measured <= self.limit else "missed"


def check(results: Results) -> list[Verdict]:
    """Compare what ours reached in both modes with the targets; what a run did not measure is left out."""
    verdicts = []
    for mode, subject in enumerate(("ours", "ours_external")):
        for scenario, limits in _RATIOS.items():
            if (found := ratio(results, scenario, subject, FLOOR)) is not None:
                verdicts.append(Verdict(subject, scenario, "against the floor", found.median, limits[mode]))
        for scenario, limit in _FIGURES.items():
            if (value := median_of(results, scenario, subject)) is not None:
                verdicts.append(Verdict(subject, scenario, "at most", value, limit))
        factors = growth(results, subject)
        verdicts += [
            Verdict(subject, scenario, "against 1 URL", factors[scenario], limit)
            for scenario, limit in _GROWTH.items()
            if scenario in factors
        ]
    return verdicts
