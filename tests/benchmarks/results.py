"""What one run of the benchmark has measured, and its form as JSON."""

import json
from dataclasses import asdict, dataclass, field

__all__ = ["Measured", "Results"]


@dataclass
class Measured:
    """One scenario: the values of each subject, one per round, or why there are none."""

    scenario: str
    unit: str
    grows: str
    values: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@dataclass
class Results:
    """All that a run has measured, and where.

    `tests` and `runs` are the size of the pytest runs and how many there were of each; 0 without them.
    """

    date: str
    machine: str
    versions: dict[str, str]
    rounds: int
    lives: int
    measured: list[Measured]
    tests: int = 0
    runs: int = 0

    def find(self, scenario: str) -> Measured:
        """Return what was measured of a scenario, without values if nothing was."""
        return next((one for one in self.measured if one.scenario == scenario), Measured(scenario, "s", ""))

    def to_json(self) -> str:
        """Return all of it as text."""
        return json.dumps(asdict(self), indent=1)
