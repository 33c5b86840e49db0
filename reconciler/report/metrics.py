"""The operator's metrics, `orchestrator_operator_*`, drawn from the loop's figures and the newest status.

Pure: equal values give equal text. Every series exists from the start and label values come from closed
sets, so an absent series always means an absent operator. Names are a contract. Served on the operator's
local port.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from reconciler.core.exitcodes import Exit
from reconciler.core.status import Status
from reconciler.core.tally import SECONDS_BUCKETS, Figures, Histogram
from reconciler.core.values import Action, Impact, Result, Truth
from reconciler.report.summary import is_held

PREFIX = "orchestrator_operator"
RUN_RESULTS = (
    *(
        code.name.lower()
        for code in (
            Exit.OK,
            Exit.ERROR,
            Exit.BLOCKED,
            Exit.PARTLY,
            Exit.UNKNOWN,
            Exit.STALE,
            Exit.UNREACHABLE,
            Exit.TRY_LATER,
        )
    ),
    "timeout",
    "panic",
)
TRANSACTION_KINDS = ("reward", "redeem", "withdraw", "settings")
TRANSACTION_RESULTS = ("sent", "confirmed", "failed", "unknown")
CONDITIONS = ("Ready", "Healthy", "Reconciling", "Stalled", "Drifted", "Suspended", "DeclarationRejected")

_Samples = Mapping[Any, float]
"""By label values, in the order of the labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What metrics are drawn from. `kinds` is the closed set of kinds; `status` may be missing yet."""

    kinds: Sequence[str]
    figures: Figures
    status: Status | None
    now: float


def render_metrics(measured: Measured) -> bytes:
    """Prometheus text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Drawn(measured))
    return generate_latest(registry)


class _Drawn(Collector):
    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        yield from _of_the_loop(self._measured)
        yield from _of_actuation(self._measured)
        yield from _of_the_state(self._measured)


def _of_the_loop(measured: Measured) -> Iterator[Metric]:
    figures = measured.figures
    yield _counter(
        "reconcile",
        "Runs of the loop by unit and result.",
        {"unit": measured.kinds, "result": RUN_RESULTS},
        figures.runs,
    )
    yield _histogram("reconcile_seconds", "Duration of one run.", figures.run_seconds)
    yield _histogram(
        "queue_wait_seconds", "Wait of a unit from when it was due to its run.", figures.queue_wait_seconds
    )
    yield _gauge("queue_depth", "Units that wait for a run.", figures.queue_depth)
    yield _gauge(
        "unfinished_seconds",
        "Age of the oldest run in progress, 0 when idle.",
        _age(figures.running_since, measured.now),
    )
    yield _gauge(
        "last_success_timestamp_seconds",
        "Unix time at which nothing was left to do, 0 if never.",
        figures.last_success_at or 0,
    )
    yield _gauge(
        "source_age_seconds", "Age of the declared state in use.", _age(figures.declared_at, measured.now)
    )


def _of_actuation(measured: Measured) -> Iterator[Metric]:
    results = [result.value for result in Result]
    yield _counter(
        "actuation",
        "Operations by kind and result.",
        {"kind": measured.kinds, "result": results},
        measured.figures.actuations,
    )
    yield _counter(
        "actuation_vetoed",
        "Differences given up after failing repeatedly.",
        {},
        {(): measured.figures.vetoed_total},
    )
    yield _counter(
        "transactions",
        "Transactions by kind and result.",
        {"kind": TRANSACTION_KINDS, "result": TRANSACTION_RESULTS},
        {},
    )
    yield _counter("gas_spent_wei", "Gas paid, in wei.", {"kind": TRANSACTION_KINDS}, {})


def _of_the_state(measured: Measured) -> Iterator[Metric]:
    figures, status, now = measured.figures, measured.status, measured.now
    planned = Counter(
        (step.operation.action.value, step.operation.impact.value)
        for step in (status.plan.steps if status else ())
        if not is_held(step)
    )
    yield _gauges(
        "plan_changes",
        "Operations of the newest plan that will be done.",
        {"action": [each.value for each in Action], "impact": [each.value for each in Impact]},
        planned,
    )
    yield _gauges(
        "condition",
        "1 for the status that a condition has.",
        {"type": _condition_types(status), "status": [truth.value for truth in Truth]},
        {(each.type, each.status.value): 1 for each in (status.conditions if status else ())},
    )
    suspended = status is not None and status.suspended is not None
    yield _gauge("suspended", "1 while nothing is acted on.", suspended)
    yield _gauges(
        "drift_seconds",
        "How long the world has differed from what was applied.",
        {"unit": measured.kinds},
        {(kind,): _age(since, now) for kind, since in figures.drifting_since.items()},
    )
    yield _gauges(
        "observed_age_seconds",
        "Age of the latest observation; of what was never seen, age of the declared state.",
        {"source": measured.kinds},
        {(kind,): _age(figures.observed_at.get(kind, figures.declared_at), now) for kind in measured.kinds},
    )


def _condition_types(status: Status | None) -> list[str]:
    """The core's own, whether they are there or not, and what the kinds say."""
    own = (condition.type for condition in status.conditions) if status else ()
    return list(dict.fromkeys([*CONDITIONS, *own]))


def _age(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(0.0, now - since)


def _counter(name: str, text: str, labels: Mapping[str, Iterable[str]], samples: _Samples) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=tuple(labels))
    for values in product(*labels.values()):
        family.add_metric(values, samples.get(values, 0))
    return family


def _gauges(name: str, text: str, labels: Mapping[str, Iterable[str]], samples: _Samples) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=tuple(labels))
    for values in product(*labels.values()):
        family.add_metric(values, samples.get(values, 0))
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return _gauges(name, text, {}, {(): float(value)})


def _histogram(name: str, text: str, found: Histogram) -> Metric:
    bounds = [*(f"{bound:g}" for bound in SECONDS_BUCKETS), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(found.counts)), strict=True))
    family = HistogramMetricFamily(f"{PREFIX}_{name}", text)
    family.add_metric([], buckets=buckets, sum_value=found.sum_s)
    return family
