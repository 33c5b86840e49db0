"""Counts what the loop did, for metrics. `Figures` is one consistent reading; renderers make the text.

Label values come from closed sets: kind names of the registry, results, exit names. Never reset while the
process lives. The loop writes it; nothing decides by it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.core.values import Known, Observation, Origin, Outcome, Plan, Result, Standing

SECONDS_BUCKETS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper bounds; the last count of a `Histogram` is of what lies above them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """`counts` holds one number per bucket (not cumulative) and one more for the rest."""

    counts: tuple[int, ...] = (0,) * (len(SECONDS_BUCKETS) + 1)
    sum_s: float = 0.0

    def with_one(self, seconds: float) -> Histogram:
        place = bisect_left(SECONDS_BUCKETS, seconds)
        counts = (*self.counts[:place], self.counts[place] + 1, *self.counts[place + 1 :])
        return Histogram(counts=counts, sum_s=self.sum_s + seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """`runs` is by (unit, result), `actuations` by (kind, result). Times are unix seconds."""

    runs: Mapping[tuple[str, str], int]
    run_seconds: Histogram
    queue_wait_seconds: Histogram
    actuations: Mapping[tuple[str, str], int]
    vetoed_total: int
    queue_depth: int
    running_since: float | None
    observed_at: Mapping[str, float]
    drifting_since: Mapping[str, float]
    last_success_at: float | None
    declared_at: float | None


@dataclass(slots=True)
class Tally:
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    run_seconds: Histogram = field(default_factory=Histogram)
    queue_wait_seconds: Histogram = field(default_factory=Histogram)
    actuations: Counter[tuple[str, str]] = field(default_factory=Counter)
    vetoed: set[str] = field(default_factory=set)
    vetoed_total: int = 0
    running: dict[int, float] = field(default_factory=dict)
    observed_at: dict[str, float] = field(default_factory=dict)
    drifting_since: dict[str, float] = field(default_factory=dict)
    last_success_at: float | None = None
    declared_at: float | None = None

    def know(self, kinds: Iterable[str]) -> None:
        """Make every series of these kinds exist from the start, so that alerts on them work."""
        for kind in kinds:
            for result in Result:
                self.actuations.setdefault((kind, result.value), 0)

    def count_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self.actuations[outcome.operation.kind, outcome.result.value] += 1

    def look_at(self, plan: Plan, observations: Mapping[str, Observation]) -> None:
        """Take note of what the newest plan says."""
        vetoed = {step.operation.fingerprint for step in plan.steps if step.standing is Standing.VETOED}
        self.vetoed_total += len(vetoed - self.vetoed)
        self.vetoed = vetoed
        drifting = {step.operation.kind for step in plan.of(Origin.DRIFT)}
        self.drifting_since = {k: self.drifting_since.get(k, plan.created_at) for k in drifting}
        for kind, observation in observations.items():
            if isinstance(observation, Known):
                self.observed_at[kind] = observation.at
        if plan.is_empty and not plan.unobserved:
            self.last_success_at = plan.created_at

    def figures(self, *, queue_depth: int) -> Figures:
        return Figures(
            runs=dict(self.runs),
            run_seconds=self.run_seconds,
            queue_wait_seconds=self.queue_wait_seconds,
            actuations=dict(self.actuations),
            vetoed_total=self.vetoed_total,
            queue_depth=queue_depth,
            running_since=min(self.running.values(), default=None),
            observed_at=dict(self.observed_at),
            drifting_since=dict(self.drifting_since),
            last_success_at=self.last_success_at,
            declared_at=self.declared_at,
        )
