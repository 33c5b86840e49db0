"""The fields of the core's events: a closed vocabulary of names, values without secrets. Pure.

Names: `plan.created` · `operation.applied|failed|stale|unknown|vetoed` · `condition.changed` ·
`automation.suspended|resumed` · `target.requested` · `declaration.loaded|rejected` · `run.failed|timed_out`.
Not acting is told, too, where it is news. The engine and the loop emit them; readers ask the journal.
"""

from __future__ import annotations

from reconciler.core.values import Condition, Json, Outcome, Result

TOLD = {
    Result.DONE: "operation.applied",
    Result.STALE: "operation.stale",
    Result.UNKNOWN: "operation.unknown",
}
"""Results that are told as they are; failures are told with their count."""


def outcome_fields(outcome: Outcome) -> dict[str, Json]:
    operation = outcome.operation
    return {
        "operation_id": operation.id,
        "kind": operation.kind,
        "target": operation.target,
        "action": operation.action,
        "origin": operation.origin,
        "cause": str(operation.cause),
        "impact": operation.impact,
        "result": outcome.result,
        "duration_s": round(outcome.ended_at - outcome.started_at, 6),
        "detail": outcome.detail,
    }


def condition_fields(condition: Condition) -> dict[str, Json]:
    return {
        "condition": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
    }
