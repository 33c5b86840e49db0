"""What is worth remembering after a run: outcomes turned into values for the journal. Pure.

A failure counts against its difference, a success wipes its target's slate, and a healed drift counts as a
repair. A target is applied when the world shows no difference any more; an intent is settled when the world
was looked at. The engine writes what these functions return.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

from reconciler.core.backoff import FAILURES, REPAIRS, REPAIRS_FORGOTTEN_S
from reconciler.core.memory import Failure, Memory, Repair
from reconciler.core.node import Desired
from reconciler.core.values import (
    Known,
    Observation,
    Origin,
    Outcome,
    Plan,
    Result,
    Revision,
    TargetId,
    digest,
)

NOTHING = digest(None)
"""The digest of a target that is wanted no more."""


def failure_after(outcome: Outcome, memory: Memory, *, revision: Revision, random: Random) -> Failure:
    """Counts on under the same revision, else from one. The pause grows with every failure of the target."""
    operation = outcome.operation
    former = memory.failures.get(operation.fingerprint)
    if former is not None and former.revision != revision:
        former = None
    in_a_row = 1 + max(
        (
            failure.in_a_row
            for failure in memory.failures.values()
            if failure.target == operation.target and failure.revision == revision
        ),
        default=0,
    )
    pause_ends = outcome.ended_at + FAILURES.delay_s(in_a_row, random)
    return Failure(
        fingerprint=operation.fingerprint,
        operation_id=operation.id,
        target=operation.target,
        revision=revision,
        count=1 if former is None else former.count + 1,
        in_a_row=in_a_row,
        first_at=outcome.ended_at if former is None else former.first_at,
        last_at=outcome.ended_at,
        not_before=outcome.retry_at if outcome.retry_at is not None else pause_ends,
        detail=outcome.detail,
        final=outcome.final,
    )


def repairs_after(
    outcomes: Iterable[Outcome], memory: Memory, *, revision: Revision, random: Random
) -> list[Repair]:
    """One for each target that was brought about, however many operations that took."""
    done = {
        outcome.operation.target: outcome
        for outcome in outcomes
        if outcome.result is Result.DONE and outcome.operation.origin is not Origin.DUTY
    }
    return [_repair(outcome, memory, revision, random) for outcome in done.values()]


def _repair(outcome: Outcome, memory: Memory, revision: Revision, random: Random) -> Repair:
    former = memory.repairs.get(outcome.operation.target)
    if former is not None and (
        former.revision != revision or outcome.ended_at - former.last_at > REPAIRS_FORGOTTEN_S
    ):
        former = None
    count = 1 if former is None else former.count + 1
    return Repair(
        target=outcome.operation.target,
        revision=revision,
        count=count,
        last_at=outcome.ended_at,
        not_before=outcome.ended_at + REPAIRS.delay_s(count, random),
    )


def applied_after(
    desired: Desired,
    observations: Mapping[str, Observation],
    memory: Memory,
    plan: Plan,
    outcomes: Iterable[Outcome] = (),
) -> dict[str, dict[TargetId, str]]:
    """By kind, the digests that are news: of every observed target that the plan leaves alone, and of those
    that were just done.

    A target that is wanted no more is remembered as nothing, so that declaring the same value again later is
    a change and no drift.
    """
    still_open = {step.operation.target for step in plan.steps} - _wholly_done(outcomes)
    found = {}
    for kind in desired.kinds:
        observation = observations.get(kind.name)
        if not isinstance(observation, Known):
            continue
        wanted = kind.targets(kind.desired, observation)
        digests = {target: digest(value) for target, value in wanted.items()}
        owned = [target for target, owner in memory.owners.items() if owner == kind.name]
        digests |= {target: NOTHING for target in owned if target not in wanted}
        news = {
            target: text
            for target, text in digests.items()
            if target not in still_open and memory.applied.get(target) != text
        }
        if news:
            found[kind.name] = news
    return found


def _wholly_done(outcomes: Iterable[Outcome]) -> set[TargetId]:
    done: set[TargetId] = set()
    not_done: set[TargetId] = set()
    for outcome in outcomes:
        (done if outcome.result is Result.DONE else not_done).add(outcome.operation.target)
    return done - not_done


def settled_intents(
    memory: Memory, in_flight: frozenset[int], observations: Mapping[str, Observation], plan: Plan
) -> list[int]:
    """Open intents whose end is no longer in doubt.

    The world was looked at and, where the act cannot be repeated harmlessly, shows nothing left to do.
    """
    touched = {step.operation.target for step in plan.steps}
    return [
        intent.number
        for intent in memory.open_intents
        if intent.number not in in_flight
        and isinstance(observations.get(intent.kind), Known)
        and (intent.reversible or intent.target not in touched)
    ]


def resolved_failures(memory: Memory, plan: Plan) -> set[TargetId]:
    """Targets with failures on record whose difference has gone by itself."""
    if plan.unobserved:
        return set()
    touched = {step.operation.target for step in plan.steps}
    return {failure.target for failure in memory.failures.values()} - touched
