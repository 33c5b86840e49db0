"""Plans: asks every kind what it would do, and puts the answers into one safe order. PURE.

Invariants: equal inputs give an equal plan, whatever order kinds and observations are handed in. A kind that
could not be observed contributes nothing, and what depends on it waits: nothing is created or deleted on
missing data. Every step stands after those it depends on. It knows no resource kind, reads no clock, does no
IO. Called by the survey (plan, drift, status) and the engine.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.core.errors import PlanError, StalePlan
from reconciler.core.guards import Guards
from reconciler.core.kind import KindPlan, View
from reconciler.core.memory import Memory
from reconciler.core.node import Desired
from reconciler.core.values import (
    Diagnostic,
    Observation,
    Operation,
    OperationId,
    Plan,
    PlanId,
    Standing,
    Step,
    TargetId,
    Unknown,
    Unobserved,
    digest,
)


def make_plan(
    desired: Desired, observations: Mapping[str, Observation], memory: Memory, *, now: float
) -> Plan:
    """What would be done now. A kind without an observation counts as unobserved.

    Raises `PlanError` where kinds contradict each other.
    """
    view = view_of(memory, now)
    unobserved = _unobserved(desired, observations)
    blind = {item.kind: item.reason for item in unobserved}
    parts = [
        kind.plan(kind.desired, observations[kind.name], view)
        for kind in sorted(desired.kinds, key=lambda kind: (kind.phase, kind.name))
        if kind.name not in blind
    ]
    operations = _in_order(
        [operation for part in parts for operation in part.operations],
        {kind.name: kind.phase for kind in desired.kinds},
    )
    guards = Guards.of(memory, desired.policy, revision=desired.revision, now=now)
    steps = _settle(operations, guards, needs={kind.name: kind.needs for kind in desired.kinds}, blind=blind)
    seen = _observed_fingerprint(operations, unobserved)
    return Plan(
        plan_id=_plan_id(desired, operations, seen),
        node=desired.name,
        revision=desired.revision,
        previous_revision=memory.applied_revision,
        created_at=now,
        steps=steps,
        unchanged=sum(part.unchanged for part in parts),
        running=", ".join(part.running for part in parts if part.running),
        observed_fingerprint=seen,
        unobserved=unobserved,
        diagnostics=desired.diagnostics + _diagnostics(parts),
    )


def view_of(memory: Memory, now: float) -> View:
    return View(now=now, applied=memory.applied, requests=memory.requests)


def select(plan: Plan, only: frozenset[str] | None) -> Plan:
    """The part of a plan that concerns these kinds. What depends on the rest waits for it."""
    if only is None:
        return plan
    held = {step.operation.id: Standing.WAITING for step in plan.steps if step.operation.kind not in only}
    steps: list[Step] = []
    for step in plan.steps:
        if step.operation.kind in only:
            steps.append(_after_dependencies(step, held))
            _hold(steps[-1], held)
    return replace(plan, steps=tuple(steps))


def insist_on(expected: Plan, found: Plan) -> None:
    """Raises `StalePlan`, naming what moved, where the plan of now would do something else."""
    if expected.plan_id == found.plan_id:
        return
    former = {operation.id: operation.fingerprint for operation in expected.operations}
    current = {operation.id: operation.fingerprint for operation in found.operations}
    moved: list[str] = sorted(
        name for name in former.keys() | current.keys() if former.get(name) != current.get(name)
    )
    if expected.revision != found.revision:
        moved.insert(0, f"the declared state ({expected.revision[:7]} -> {found.revision[:7]})")
    raise StalePlan(
        f"plan {expected.plan_id} is out of date, moved: {', '.join(moved) or 'the observed state'}",
        next_step="plan again, and apply the new one",
    )


def _unobserved(desired: Desired, observations: Mapping[str, Observation]) -> tuple[Unobserved, ...]:
    missing = []
    for name in sorted(kind.name for kind in desired.kinds):
        match observations.get(name):
            case None:
                missing.append(Unobserved(name, "nobody looked"))
            case Unknown(reason=reason):
                missing.append(Unobserved(name, reason))
    return tuple(missing)


def _in_order(operations: list[Operation], phases: Mapping[str, int]) -> list[Operation]:
    """Stable topological order: among those that could come next, by phase, kind and id."""
    by_id = {operation.id: operation for operation in operations}
    if len(by_id) != len(operations):
        raise PlanError(f"two operations are named {_first_twice(operations)}")
    open_count: dict[OperationId, int] = {}
    followers: dict[OperationId, list[OperationId]] = {}
    for operation in operations:
        inside = {name for name in operation.depends_on if name in by_id}
        open_count[operation.id] = len(inside)
        for name in inside:
            followers.setdefault(name, []).append(operation.id)
    ready = [
        (phases.get(operation.kind, 0), operation.kind, operation.id)
        for operation in operations
        if not open_count[operation.id]
    ]
    heapq.heapify(ready)
    ordered: list[Operation] = []
    while ready:
        operation = by_id[heapq.heappop(ready)[2]]
        ordered.append(operation)
        for name in followers.get(operation.id, ()):
            open_count[name] -= 1
            if not open_count[name]:
                kind = by_id[name].kind
                heapq.heappush(ready, (phases.get(kind, 0), kind, name))
    if len(ordered) != len(operations):
        stuck = sorted(name for name, count in open_count.items() if count)
        raise PlanError(f"operations depend on each other in a cycle: {', '.join(stuck)}")
    return ordered


def _first_twice(operations: Iterable[Operation]) -> str:
    return Counter(operation.id for operation in operations).most_common(1)[0][0]


def _settle(
    operations: list[Operation],
    guards: Guards,
    *,
    needs: Mapping[str, tuple[str, ...]],
    blind: Mapping[str, str],
) -> tuple[Step, ...]:
    """Give each operation its standing. Held-up ones hold up what depends on them."""
    owners = guards.memory.owners
    held: dict[OperationId, Standing] = {}
    planned = {operation.id for operation in operations}
    steps = []
    for operation in operations:
        step = guards.stand(operation)
        if blind and step.standing is Standing.READY:
            owned_by = [_owner(name, owners, needs) for name in operation.depends_on if name not in planned]
            step = _not_blind(step, (*needs.get(operation.kind, ()), *owned_by), blind)
        step = _after_dependencies(step, held)
        _hold(step, held)
        steps.append(step)
    return tuple(steps)


def _not_blind(step: Step, wanted: Iterable[str], blind: Mapping[str, str]) -> Step:
    """An operation waits while a kind that it stands on cannot be observed."""
    for name in wanted:
        if name in blind:
            reason = f"{name} could not be observed: {blind[name]}"
            return Step(step.operation, Standing.WAITING, reason)
    return step


def _owner(operation_id: str, owners: Mapping[TargetId, str], kinds: Iterable[str]) -> str:
    """The kind that once had this target, else the one whose name begins the id; the longest one wins."""
    known = owners.get(TargetId(operation_id))
    named = [name for name in kinds if f"{operation_id}:".startswith((f"{name}:", f"{name}."))]
    return known or max(named, key=len, default="")


def _hold(step: Step, held: dict[OperationId, Standing]) -> None:
    """Note what holds up others, and whether time or an approval alone will lift it (waiting) or not."""
    if step.standing is Standing.READY:
        return
    passes = step.standing is Standing.WAITING or step.operation.needs_approval
    held[step.operation.id] = Standing.WAITING if passes else Standing.BLOCKED


def _after_dependencies(step: Step, held: Mapping[OperationId, Standing]) -> Step:
    """What stands after something that will not be done will not be done either."""
    if step.standing is not Standing.READY:
        return step
    before = {held[name]: name for name in reversed(step.operation.depends_on) if name in held}
    for standing in (Standing.BLOCKED, Standing.WAITING):
        if standing in before:
            return Step(step.operation, standing, f"waits for {before[standing]}")
    return step


def _diagnostics(parts: Iterable[KindPlan]) -> tuple[Diagnostic, ...]:
    return tuple(diagnostic for part in parts for diagnostic in part.diagnostics)


def _observed_fingerprint(operations: list[Operation], unobserved: tuple[Unobserved, ...]) -> str:
    """Of the part of the world that the decisions stand on, so it does not move with every running job."""
    seen = [[operation.id, operation.precondition, operation.change.before] for operation in operations]
    return digest([seen, [item.kind for item in unobserved]])


def _plan_id(desired: Desired, operations: list[Operation], seen: str) -> PlanId:
    """Short, and equal for plans that would do the same to the same world."""
    acts = [[op.fingerprint, op.kind, op.target, op.action, sorted(op.depends_on)] for op in operations]
    return PlanId(f"{desired.revision[:7]}-{digest([desired.name, desired.revision, acts, seen])[:8]}")
