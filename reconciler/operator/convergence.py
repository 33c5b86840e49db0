"""One request to converge, seen to its end: passes of the engine until nothing moves any more.

A first pass may make a second one possible (a runtime must serve before its settings can be seen), so this
goes on while something was done and something is ready. Used for one shot and for a request at the socket;
the loop itself needs no such thing, since it comes round again anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reconciler.core.engine import Report
from reconciler.core.errors import Blocked, StalePlan
from reconciler.core.executor import Progress
from reconciler.core.memory import Suspension
from reconciler.core.values import Plan, Standing
from reconciler.operator.telling import Teller

MOST_PASSES = 8


class Converging(Protocol):
    """The part of the engine that this needs."""

    async def plan(self, *, only: frozenset[str] | None = None, force: bool = False) -> Plan: ...

    async def converge(
        self,
        *,
        only: frozenset[str] | None = None,
        force: bool = False,
        expected: Plan | None = None,
        progress: Progress | None = None,
    ) -> Report: ...


class Expected(Protocol):
    """A plan that somebody agreed to: its id, and what each operation was, to say what moved."""

    @property
    def plan_id(self) -> str: ...

    @property
    def fingerprints(self) -> Mapping[str, str]: ...


async def converge_to_the_end(
    engine: Converging,
    teller: Teller,
    *,
    force: bool = False,
    expected: Expected | None = None,
    suspension: Suspension | None = None,
) -> int:
    """Returns the exit code, which the last line names too. With `expected`, exactly that and once."""
    plan = await engine.plan(force=force)
    if expected is not None:
        insist_on_agreed(expected, plan)
    teller.planned(plan)
    if suspension is not None:
        raise Blocked(
            f"suspended by {suspension.by}: {suspension.reason}", next_step="`reconcile resume` frees it"
        )
    agreed = None if expected is None else plan
    reports = [await engine.converge(force=force, expected=agreed, progress=teller)]
    while expected is None and _may_go_on(reports):
        reports.append(await engine.converge(progress=teller))
    return teller.finished(reports)


def _may_go_on(reports: list[Report]) -> bool:
    last = reports[-1]
    ready = any(step.standing is Standing.READY for step in last.remaining.steps)
    return last.changed and ready and len(reports) < MOST_PASSES


def insist_on_agreed(agreed: Expected, plan: Plan) -> None:
    """Raises `StalePlan`, naming what moved, where the plan of now is not the one agreed to."""
    if agreed.plan_id == plan.plan_id:
        return
    former = dict(agreed.fingerprints)
    current = {str(operation.id): operation.fingerprint for operation in plan.operations}
    moved = sorted(name for name in former.keys() | current.keys() if former.get(name) != current.get(name))
    raise StalePlan(
        f"plan {agreed.plan_id} is out of date; moved since: {', '.join(moved) or 'the observed state'}",
        next_step="plan again, read it, and apply the new one",
    )
