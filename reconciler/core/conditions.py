"""Turns a plan and the kinds' own conditions into the node's conditions. Pure.

`Ready` and `Healthy` are always there. `Reconciling`, `Stalled`, `Drifted`, `Suspended` and
`DeclarationRejected` are there only while true. `last_transition_at` moves only when a status does, through
restarts of the operator, too: the former conditions come from the journal. Steps never write conditions; this
is the one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.core.kind import NOT_MEASURABLE
from reconciler.core.memory import Memory, Suspension
from reconciler.core.node import Desired
from reconciler.core.planner import view_of
from reconciler.core.values import (
    Condition,
    Observation,
    Origin,
    Plan,
    Standing,
    Step,
    Truth,
    Unknown,
)

_WORST_FIRST = (Truth.FALSE, Truth.UNKNOWN, Truth.TRUE)
_SHOWN = 3


def conditions_of(
    desired: Desired,
    observations: Mapping[str, Observation],
    memory: Memory,
    plan: Plan,
    *,
    rejection: str = "",
) -> tuple[Condition, ...]:
    """All conditions: the node's own first, then the kinds' by type. The moment is the plan's.

    `rejection` says why a newer declared state was not taken; the plan is of the last good one then.
    """
    own = kind_conditions(desired, observations, memory, now=plan.created_at)
    advisory = frozenset(name for kind in desired.kinds for name in kind.advisory)
    healthy = _healthy(plan, [condition for condition in own if condition.type not in advisory])
    suspension = memory.suspension if _is_suspended(memory, plan) else None
    ready = _rejected(plan, "Ready", Truth.FALSE, rejection) if rejection else _ready(plan, healthy)
    found = [ready, healthy, *_abnormal(plan, suspension), *own]
    if rejection:
        found.append(_rejected(plan, "DeclarationRejected", Truth.TRUE, rejection))
    return _keep_transitions(found, memory.conditions)


def kind_conditions(
    desired: Desired, observations: Mapping[str, Observation], memory: Memory, *, now: float
) -> list[Condition]:
    """What the kinds say. Where two speak of one type, the worse one counts."""
    view = view_of(memory, now)
    worst: dict[str, Condition] = {}
    for kind in sorted(desired.kinds, key=lambda kind: kind.name):
        observation = observations.get(kind.name, Unknown("nobody looked", now))
        for condition in kind.conditions(kind.desired, observation, view):
            former = worst.get(condition.type)
            if former is None or _rank(condition.status) < _rank(former.status):
                worst[condition.type] = replace(condition, observed_generation=desired.revision)
    return [worst[name] for name in sorted(worst)]


def _rank(status: Truth) -> int:
    return _WORST_FIRST.index(status)


def _is_suspended(memory: Memory, plan: Plan) -> bool:
    return memory.suspension is not None and memory.suspension.holds(plan.created_at)


def _healthy(plan: Plan, own: Sequence[Condition]) -> Condition:
    bad = [condition for condition in own if condition.status is Truth.FALSE]
    unclear = [
        condition
        for condition in own
        if condition.status is Truth.UNKNOWN and condition.reason != NOT_MEASURABLE
    ]
    if bad:
        return _condition(plan, "Healthy", Truth.FALSE, bad[0].reason, _listed(c.message for c in bad))
    if unclear:
        messages = _listed(condition.message for condition in unclear)
        return _condition(plan, "Healthy", Truth.UNKNOWN, unclear[0].reason, messages)
    return _condition(plan, "Healthy", Truth.TRUE, "AllSound", "every check passes")


def _ready(plan: Plan, healthy: Condition) -> Condition:
    by_standing = {
        standing: [s for s in plan.steps if s.standing is standing and not s.reason.startswith("suspended")]
        for standing in Standing
    }
    if plan.unobserved:
        texts = _listed(f"{item.kind}: {item.reason}" for item in plan.unobserved)
        return _condition(plan, "Ready", Truth.UNKNOWN, "Unobserved", f"could not observe {texts}")
    for standing, reason in (
        (Standing.VETOED, "Vetoed"),
        (Standing.BLOCKED, "Blocked"),
        (Standing.WAITING, "Waiting"),
        (Standing.READY, "Progressing"),
    ):
        if by_standing[standing]:
            return _condition(plan, "Ready", Truth.FALSE, reason, _steps_text(by_standing[standing]))
    if plan.steps:
        return _condition(plan, "Ready", Truth.FALSE, "Suspended", _steps_text(plan.steps))
    if healthy.status is not Truth.TRUE:
        return _condition(plan, "Ready", healthy.status, healthy.reason, healthy.message)
    return _condition(plan, "Ready", Truth.TRUE, "Converged", "the node is as declared")


def _abnormal(plan: Plan, suspension: Suspension | None) -> list[Condition]:
    moving = [s for s in plan.steps if s.standing in {Standing.READY, Standing.WAITING}]
    stuck = [s for s in plan.steps if s.standing is Standing.VETOED]
    if suspension is None:
        stuck += [s for s in plan.steps if s.standing is Standing.BLOCKED]
    found = []
    if moving:
        found.append(_condition(plan, "Reconciling", Truth.TRUE, "Progressing", _steps_text(moving)))
    if stuck:
        reason = "Vetoed" if stuck[0].standing is Standing.VETOED else "Blocked"
        found.append(_condition(plan, "Stalled", Truth.TRUE, reason, _steps_text(stuck)))
    drifted = plan.of(Origin.DRIFT)
    if drifted:
        found.append(_condition(plan, "Drifted", Truth.TRUE, "WorldMoved", _causes_text(drifted)))
    if suspension is not None:
        text = f"by {suspension.by}: {suspension.reason}"
        found.append(_condition(plan, "Suspended", Truth.TRUE, "Requested", text))
    return found


def _rejected(plan: Plan, name: str, status: Truth, rejection: str) -> Condition:
    message = f"{rejection}; the last good declared state stays in force"
    return _condition(plan, name, status, "DeclarationRejected", message)


def _condition(plan: Plan, name: str, status: Truth, reason: str, message: str) -> Condition:
    return Condition(
        type=name,
        status=status,
        reason=reason,
        message=message,
        observed_generation=plan.revision,
        last_transition_at=plan.created_at,
    )


def _steps_text(steps: Iterable[Step]) -> str:
    return _listed(
        f"{step.operation.id}: {step.reason}" if step.reason else step.operation.id for step in steps
    )


def _causes_text(steps: Iterable[Step]) -> str:
    return _listed(f"{step.operation.target}: {step.operation.cause}" for step in steps)


def _listed(texts: Iterable[str]) -> str:
    everything = list(texts)
    shown = "; ".join(everything[:_SHOWN])
    rest = len(everything) - _SHOWN
    return f"{shown}; and {rest} more" if rest > 0 else shown


def _keep_transitions(found: Iterable[Condition], former: Iterable[Condition]) -> tuple[Condition, ...]:
    before = {condition.type: condition for condition in former}
    kept = []
    for condition in found:
        old = before.get(condition.type)
        if old is not None and old.status is condition.status:
            kept.append(replace(condition, last_transition_at=old.last_transition_at))
        else:
            kept.append(condition)
    return tuple(kept)
