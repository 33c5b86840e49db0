"""Whether an operation may run now, and what would free it. Pure.

Checked in the order of weight: what a person must lift first (suspension, protection, approval, reported
drift), then what an earlier try left behind (unknown outcome, veto), then what time alone will lift.
The planner calls it for each operation; the executor believes the answer and adds none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.core.memory import Failure, Intent, Memory
from reconciler.core.node import Policy
from reconciler.core.values import Action, Operation, Origin, Revision, Standing, Step, TargetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Everything the answers stand on, indexed once per plan."""

    memory: Memory
    policy: Policy
    revision: Revision
    now: float
    failing: Mapping[TargetId, float]
    doubtful: Mapping[TargetId, Intent]

    @classmethod
    def of(cls, memory: Memory, policy: Policy, *, revision: Revision, now: float) -> Guards:
        failing: dict[TargetId, float] = {}
        for failure in memory.failures.values():
            if failure.revision == revision:
                failing[failure.target] = max(failure.not_before, failing.get(failure.target, 0.0))
        doubtful = {intent.target: intent for intent in memory.open_intents if not intent.reversible}
        return cls(
            memory=memory, policy=policy, revision=revision, now=now, failing=failing, doubtful=doubtful
        )

    def stand(self, operation: Operation) -> Step:
        held = self._held_by_people(operation) or self._held_by_history(operation)
        return held or self._held_by_time(operation) or Step(operation)

    def _held_by_people(self, operation: Operation) -> Step | None:
        suspension = self.memory.suspension
        if suspension is not None and suspension.holds(self.now):
            reason = f"suspended by {suspension.by}: {suspension.reason}; `reconcile resume` frees it"
            return Step(operation, Standing.BLOCKED, reason, suspension.until)
        action = f"{operation.kind}.{operation.verb}"
        if operation.action is not Action.CREATE and action in self.policy.protect:
            reason = f"automation.protect holds {action}; take it out of the list to allow it"
            return Step(operation, Standing.BLOCKED, reason)
        if operation.needs_approval:
            return Step(operation, Standing.BLOCKED, "needs approval")
        if operation.origin is Origin.DRIFT and operation.kind in self.policy.report_drift:
            reason = f"drift of {operation.kind} is reported, not healed (automation.drift)"
            return Step(operation, Standing.BLOCKED, reason)
        return None

    def _held_by_history(self, operation: Operation) -> Step | None:
        intent = self.doubtful.get(operation.target)
        if intent is not None and not operation.reversible:
            reason = (
                f"{intent.operation_id} was begun earlier and its outcome is unknown; "
                "it is tried again only once the world shows what came of it, or with --force"
            )
            return Step(operation, Standing.BLOCKED, reason)
        if operation.target not in self.failing:  # spares most operations the fingerprint
            return None
        failure = self.memory.failures.get(operation.fingerprint)
        if failure is None or failure.revision != self.revision:
            return None
        until = veto_ends_at(failure, self.policy)
        if until is None or until <= self.now:
            return None
        return Step(operation, Standing.VETOED, veto_reason(failure, until), until)

    def _held_by_time(self, operation: Operation) -> Step | None:
        if operation.not_before is not None and operation.not_before > self.now:
            return Step(operation, Standing.WAITING, "its time has not come yet", operation.not_before)
        retry_at = self.failing.get(operation.target, 0.0)
        if retry_at > self.now:
            return Step(operation, Standing.WAITING, "failed lately; tried again after a pause", retry_at)
        repair = self.memory.repairs.get(operation.target)
        if repair is None or operation.origin is Origin.DUTY or repair.revision != self.revision:
            return None
        if repair.not_before <= self.now:
            return None
        reason = f"done {repair.count} times lately and needed again; next after a pause"
        return Step(operation, Standing.WAITING, reason, repair.not_before)


def veto_ends_at(failure: Failure, policy: Policy) -> float | None:
    """When a vetoed difference is tried again; nothing where it is not vetoed.

    It counts from the newest failure, so one more failure is one more veto. It holds this difference only:
    another one of the same target waits no longer than `not_before`.
    """
    if not failure.final and failure.count < policy.veto_after:
        return None
    return max(failure.last_at + policy.veto_s, failure.not_before)


def veto_reason(failure: Failure, until: float) -> str:
    tries = "1 try" if failure.count == 1 else f"{failure.count} tries"
    clock = datetime.fromtimestamp(until, UTC).strftime("%H:%M UTC")
    return (
        f"given up after {tries}: {failure.detail or 'no reason given'}; "
        f"tried again at {clock}, or now with `reconcile --force`"
    )
