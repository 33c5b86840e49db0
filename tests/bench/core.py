"""Figures of the core on synthetic resources: a no-op reconcile, and a plan of a thousand.

CPU time, because the machine may be busy with something else.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from pathlib import Path
from random import Random

from reconciler.core.bookkeeping import applied_after
from reconciler.core.clock import SystemClock
from reconciler.core.engine import Engine
from reconciler.core.journal_sqlite import SqliteJournal
from reconciler.core.memory import Memory
from reconciler.core.planner import make_plan
from reconciler.core.values import Known
from tests.bench.table import Row
from tests.simulation.synthetic import Wanted, World, synthetic_kind, synthetic_node

KINDS = 10


def spread_over_kinds(count: int, changed: int = 0) -> tuple[dict[str, Wanted], World]:
    """`count` targets over ten kinds, each with a document for value; the first `changed` ones differ."""
    wanted: dict[str, dict[str, object]] = {f"kind{k}": {} for k in range(KINDS)}
    there: dict[str, dict[str, object]] = {f"kind{k}": {} for k in range(KINDS)}
    for number in range(count):
        kind = f"kind{number % KINDS}"
        value = {"image": f"sha256:{number:064x}", "price": number, "flags": ["a", "b", "c"]}
        wanted[kind][f"t{number}"] = value
        there[kind][f"t{number}"] = {**value, "price": -1} if number < changed else dict(value)
    return {name: Wanted(values) for name, values in wanted.items()}, World(there=there)


def no_op_reconcile_cpu_ms(count: int = 200, rounds: int = 30) -> list[float]:
    """A whole converge with the journal on disk: observe, plan, guard, conditions, history."""

    async def measure(journal: SqliteJournal) -> list[float]:
        wanted, world = spread_over_kinds(count)
        clock = SystemClock()
        kinds = [synthetic_kind(name, values) for name, values in wanted.items()]
        engine = Engine(synthetic_node(world, *kinds, now=clock.now), journal, clock=clock, random=Random(1))
        await engine.converge()
        taken = []
        for _ in range(rounds):
            began = time.process_time()
            report = await engine.converge()
            taken.append((time.process_time() - began) * 1000)
            assert report.plan.is_empty
            assert report.plan.unchanged == count
        return taken

    with tempfile.TemporaryDirectory() as folder:
        journal = SqliteJournal.open(Path(folder) / "operator.db")
        try:
            return asyncio.run(measure(journal))
        finally:
            journal.close()


def plan_cpu_ms(count: int = 1000, changed: int = 1000, rounds: int = 100) -> list[float]:
    """The pure planner; by default every target differs, which is the worst case."""
    wanted, world = spread_over_kinds(count, changed)
    kinds = [synthetic_kind(name, values) for name, values in wanted.items()]
    desired = synthetic_node(world, *kinds, now=lambda: 0.0).desired
    observations = {name: Known(dict(values), 0.0) for name, values in world.there.items()}
    plan = make_plan(desired, observations, Memory(), now=0.0)
    assert len(plan.steps) == changed
    known = {
        t: d
        for part in applied_after(desired, observations, Memory(), plan).values()
        for t, d in part.items()
    }
    memory = Memory(applied=known)
    taken = []
    gc.collect()
    for _ in range(rounds):
        began = time.process_time()
        make_plan(desired, observations, memory, now=0.0)
        taken.append((time.process_time() - began) * 1000)
    return taken


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def run() -> list[Row]:
    noop = statistics.median(no_op_reconcile_cpu_ms())
    worst, unchanged = p99(plan_cpu_ms()), p99(plan_cpu_ms(changed=0))
    return [
        _row("no-op reconcile of 200 resources, journal on disk, CPU", noop, 10.0),
        _row("plan of 1,000 resources, all of them changed, p99", worst, 50.0),
        _row("plan of 1,000 resources, none changed, p99", unchanged, 50.0),
    ]


def _row(measure: str, value_ms: float, target_ms: float) -> Row:
    return Row(
        measure=measure,
        ours=f"{value_ms:.2f} ms",
        target=f"< {target_ms:g} ms",
        met=value_ms < target_ms,
    )
