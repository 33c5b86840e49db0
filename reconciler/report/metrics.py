"""The operator's metrics, `orchestrator_operator_*`: a registry that is filled from values.

Every series exists from the start at zero and label values come from closed sets, so an absent series
always means an absent operator. Names are a contract. Filled at the operator's loop boundary; served on its
local port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from reconciler.core.values import Action, Impact, Origin, Outcome, Plan, Result, Truth
from reconciler.report.status import NodeStatus
from reconciler.report.summary import is_held

PREFIX = "orchestrator_operator"
RUN_RESULTS = ("success", "error", "blocked", "partial", "unknown")
TRANSACTION_KINDS = ("reward", "redeem", "withdraw", "settings")
TRANSACTION_RESULTS = ("sent", "confirmed", "failed", "unknown")
CONDITIONS = ("Ready", "Reconciling", "Stalled", "Drifted", "Suspended", "Healthy")

M = TypeVar("M", Counter, Gauge)

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0, 600.0)
_WAITS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0)


class OperatorMetrics:
    """One per operator, over closed sets: resource kinds, the loop's units of work, condition types."""

    def __init__(
        self, *, kinds: Iterable[str], units: Iterable[str], conditions: Iterable[str] = CONDITIONS
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self.registry = CollectorRegistry(auto_describe=False)
        self._kinds = tuple(kinds)
        self._conditions = tuple(conditions)
        self._drifting_since: dict[str, float] = {}
        self._known_vetoes: frozenset[str] = frozenset()
        units = tuple(units)
        self._define_loop(units)
        self._define_actuation()
        self._define_state()

    def _define_loop(self, units: Sequence[str]) -> None:
        self._runs = self._counter(
            "reconcile", "Runs of the loop by result.", {"unit": units, "result": RUN_RESULTS}
        )
        self._seconds = Histogram(
            f"{PREFIX}_reconcile_seconds", "Duration of one run.", buckets=_SECONDS, registry=self.registry
        )
        self._wait = Histogram(
            f"{PREFIX}_queue_wait_seconds",
            "Wait of a unit from its mark to its run.",
            buckets=_WAITS,
            registry=self.registry,
        )
        self._depth = self._gauge("queue_depth", "Units that wait for a run.", {})
        self._unfinished = self._gauge("unfinished_seconds", "Age of the run in progress, 0 when idle.", {})
        self._last_success = self._gauge(
            "last_success_timestamp_seconds", "Unix time of the last run without failure.", {}
        )

    def _define_actuation(self) -> None:
        self._actuations = self._counter(
            "actuation",
            "Operations by result.",
            {"kind": self._kinds, "result": [each.value for each in Result]},
        )
        self._vetoed = self._counter("actuation_vetoed", "Differences given up after failing repeatedly.", {})
        self._transactions = self._counter(
            "transactions",
            "Transactions by result.",
            {"kind": TRANSACTION_KINDS, "result": TRANSACTION_RESULTS},
        )
        self._gas = self._counter("gas_spent_wei", "Gas paid, in wei.", {"kind": TRANSACTION_KINDS})

    def _define_state(self) -> None:
        self._changes = self._gauge(
            "plan_changes",
            "Operations of the latest plan that will be done.",
            {"action": [each.value for each in Action], "impact": [each.value for each in Impact]},
        )
        self._drift = self._gauge(
            "drift_seconds", "How long the world has differed from what was applied.", {"unit": self._kinds}
        )
        self._condition = self._gauge(
            "condition",
            "1 for the status that a condition has.",
            {"type": self._conditions, "status": [each.value for each in Truth]},
        )
        self._suspended = self._gauge("suspended", "1 while nothing is acted on.", {})
        self._source_age = self._gauge("source_age_seconds", "Age of the declared state in use.", {})
        self._observed_age = self._gauge(
            "observed_age_seconds", "Age of the latest observation.", {"source": self._kinds}
        )

    def _counter(self, name: str, text: str, labels: Mapping[str, Iterable[str]]) -> Counter:
        metric = Counter(f"{PREFIX}_{name}", text, tuple(labels), registry=self.registry)
        return _at_zero(metric, labels)

    def _gauge(self, name: str, text: str, labels: Mapping[str, Iterable[str]]) -> Gauge:
        metric = Gauge(f"{PREFIX}_{name}", text, tuple(labels), registry=self.registry)
        return _at_zero(metric, labels)

    def record_run(self, unit: str, result: str, *, duration_s: float, ended_at: float) -> None:
        """`result` is one of `RUN_RESULTS`."""
        self._runs.labels(unit=unit, result=result).inc()
        self._seconds.observe(duration_s)
        if result == "success":
            self._last_success.set(ended_at)

    def record_plan(self, plan: Plan) -> None:
        for action, impact in product(Action, Impact):
            self._changes.labels(action=action.value, impact=impact.value).set(0)
        for step in plan.steps:
            if not is_held(step):
                operation = step.operation
                self._changes.labels(action=operation.action.value, impact=operation.impact.value).inc()
        drifting = {step.operation.kind for step in plan.of(Origin.DRIFT)}
        for kind in self._kinds:
            since = self._drifting_since.get(kind, plan.created_at)
            if kind in drifting:
                self._drifting_since[kind] = since
                self._drift.labels(unit=kind).set(plan.created_at - since)
            else:
                self._drifting_since.pop(kind, None)
                self._drift.labels(unit=kind).set(0)

    def record_outcome(self, outcome: Outcome) -> None:
        self._actuations.labels(kind=outcome.operation.kind, result=outcome.result.value).inc()

    def record_status(self, status: NodeStatus) -> None:
        for name, truth in product(self._conditions, Truth):
            self._condition.labels(type=name, status=truth.value).set(0)
        for condition in status.core.conditions:
            if condition.type in self._conditions:
                self._condition.labels(type=condition.type, status=condition.status.value).set(1)
        self._suspended.set(status.core.suspended is not None)
        vetoes = frozenset(veto.fingerprint for veto in status.core.vetoes)
        self._vetoed.inc(len(vetoes - self._known_vetoes))
        self._known_vetoes = vetoes

    def record_queue(self, *, depth: int, unfinished_s: float) -> None:
        self._depth.set(depth)
        self._unfinished.set(unfinished_s)

    def record_wait(self, seconds: float) -> None:
        self._wait.observe(seconds)

    def record_ages(self, *, source_s: float, observed_s: Mapping[str, float]) -> None:
        """Ages of the declared state and, by kind, of what was last observed."""
        self._source_age.set(source_s)
        for kind, age in observed_s.items():
            self._observed_age.labels(source=kind).set(age)

    def render(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self.registry)


def _at_zero(metric: M, labels: Mapping[str, Iterable[str]]) -> M:
    if labels:
        for values in product(*labels.values()):
            metric.labels(*values)
    return metric
