"""Numbers out of a run: ratios of paired rounds, medians, growth."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.results import Results

__all__ = ["Ratio", "growth", "median_of", "ratio", "ratio_of"]


@dataclass(frozen=True)
class Ratio:
    """How many times the other's time one takes: the median of paired rounds, and its quartiles."""

    median: float
    low: float
    high: float


def ratio(results: Results, scenario: str, subject: str, base: str) -> Ratio | None:
    """Return the ratio of `subject` to `base`, `None` where one of them was not measured."""
    values = results.find(scenario).values
    pairs = [pair for pair in zip(values.get(subject, ()), values.get(base, ()), strict=False) if pair[1]]
    return ratio_of(pairs) if pairs else None


def ratio_of(pairs: Iterable[tuple[float, float]]) -> Ratio:
    """Return the ratio of the first to the second of each pair."""
    ratios = [one / other for one, other in pairs]
    low, _, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Ratio(median(ratios), low, high)


def median_of(results: Results, scenario: str, subject: str) -> float | None:
    """Return the median of what was measured, in the scenario's unit."""
    values = results.find(scenario).values.get(subject)
    return median(values) if values else None


def growth(results: Results, subject: str, floor: str = "floor") -> dict[str, float]:
    """Return by how much the larger sizes of a scenario are slower than its smallest.

    They were measured one after the other, so that each is taken as a ratio to the floor first.
    """
    smallest: dict[str, float] = {}
    factors: dict[str, float] = {}
    for measured in results.measured:
        if not measured.grows or (found := ratio(results, measured.scenario, subject, floor)) is None:
            continue
        if measured.grows in smallest:
            factors[measured.scenario] = found.median / smallest[measured.grows]
        smallest.setdefault(measured.grows, found.median)
    return factors
