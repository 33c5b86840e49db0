"""A plan for machines, in the shape that OpenTofu's consumers know, with this product's additions.

Pure; validates against `schemas/plan.schema.json`. Minor format versions only add. Sensitive values are never
here, changed or not still is. Called by `plan --json`, the operator's socket and the support bundle.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.exitcodes import of_plan
from reconciler.core.values import (
    Action,
    Change,
    Cost,
    Json,
    Operation,
    Origin,
    Plan,
    Severity,
    Standing,
    Step,
)
from reconciler.report.diagnostics import diagnostic_json, source_json
from reconciler.report.plan_text import render_change
from reconciler.report.quantities import render_moment
from reconciler.report.summary import Summary, summarize

FORMAT_VERSION = "1.0"

_ACTIONS: dict[Action, tuple[str, ...]] = {
    Action.CREATE: ("create",),
    Action.UPDATE: ("update",),
    Action.DELETE: ("delete",),
    Action.REPLACE: ("create", "delete"),
    Action.RECREATE: ("delete", "create"),
    Action.RESTART: ("update",),
    Action.READ: ("read",),
    Action.DUTY: ("update",),
}

_REASONS: dict[Origin, str] = {
    Origin.DECLARED: "declaration_changed",
    Origin.DRIFT: "drifted",
    Origin.DUTY: "duty_due",
    Origin.REQUEST: "by_request",
}


def plan_json(plan: Plan) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "plan_id": plan.plan_id,
        "node": plan.node,
        "revision": plan.revision,
        "previous_revision": plan.previous_revision,
        "timestamp": render_moment(plan.created_at),
        "observed": {"fingerprint": plan.observed_fingerprint},
        "running": plan.running,
        "resource_changes": [_step_json(step) for step in plan.steps],
        "resource_drift": _drift_json(plan.of(Origin.DRIFT)),
        "unobserved": [{"type": each.kind, "reason": each.reason} for each in plan.unobserved],
        "unchanged": plan.unchanged,
        "diagnostics": [diagnostic_json(finding) for finding in plan.diagnostics],
        "errored": any(finding.severity is Severity.ERROR for finding in plan.diagnostics),
        "summary": summary_json(summarize(plan)),
        "detailed_exitcode": int(of_plan(plan, detailed=True)),
    }


def summary_json(summary: Summary) -> dict[str, Json]:
    return {
        "add": summary.add,
        "change": summary.change,
        "remove": summary.destroy,
        "restarts": summary.restarts,
        "jobs_interrupted": summary.interrupts,
        "transactions": summary.transactions,
        "cost_wei": str(summary.cost_wei),
        "reversible": summary.reversible,
        "irreversible": list(summary.irreversible),
        "needs_approval": summary.needs_approval,
        "held": summary.held,
    }


def operation_json(operation: Operation) -> dict[str, Json]:
    """What names and explains an operation, without its standing in a plan."""
    address, _, name = operation.target.partition(".")
    return {
        "id": operation.id,
        "address": operation.target,
        "type": operation.kind,
        "name": name or address,
        "verb": operation.verb,
        "action": operation.action.value,
        "symbol": operation.action.symbol,
        "action_reason": _REASONS[operation.origin],
        "origin": operation.origin.value,
        "change": _change_json(operation),
        "cause": {"text": operation.cause.text, "source": source_json(operation.cause.source)},
        "impact": operation.impact.value,
        "impact_note": operation.impact_note,
        "interrupts": operation.interrupts,
        "reversible": operation.reversible,
        "reversible_note": operation.reversible_note,
        "cost": _cost_json(operation.cost),
        "depends_on": list(operation.depends_on),
        "after": operation.after_note,
        "lane": operation.lane,
        "notes": [{"label": label, "text": text} for label, text in operation.notes],
        "needs_approval": operation.needs_approval,
        "not_before": _moment(operation.not_before),
        "deadline": _moment(operation.deadline),
        "timeout_s": operation.timeout_s,
        "fingerprint": operation.fingerprint,
    }


def _step_json(step: Step) -> dict[str, Json]:
    held_by_policy = step.standing is Standing.BLOCKED
    retried = step.standing in {Standing.VETOED, Standing.WAITING}
    return operation_json(step.operation) | {
        "standing": step.standing.value,
        "reason": step.reason,
        "until": _moment(step.until),
        "protected_by": step.reason if held_by_policy else None,
        "retry_of": step.operation.fingerprint if retried else None,
    }


def _change_json(operation: Operation) -> dict[str, Json]:
    change = operation.change
    hidden = change.sensitive
    return {
        "actions": list(_ACTIONS[operation.action]),
        "before": None if hidden else change.before,
        "after": None if hidden else change.after,
        "after_unknown": False,
        "before_sensitive": hidden,
        "after_sensitive": hidden,
        "changed": change.before != change.after,
        "shown": render_change(operation),
    }


def _drift_json(steps: Sequence[Step]) -> list[Json]:
    """What moved: before is what was applied, after is what the world shows now."""
    return [_moved_json(step.operation) for step in steps]


def _moved_json(operation: Operation) -> Json:
    moved = Change(
        before=operation.change.after, after=operation.change.before, sensitive=operation.change.sensitive
    )
    hidden = moved.sensitive
    actions = ["delete"] if moved.after is None else ["create"] if moved.before is None else ["update"]
    return {
        "id": operation.id,
        "address": operation.target,
        "type": operation.kind,
        "cause": {"text": operation.cause.text, "source": source_json(operation.cause.source)},
        "change": {
            "actions": actions,
            "before": None if hidden else moved.before,
            "after": None if hidden else moved.after,
            "before_sensitive": hidden,
            "after_sensitive": hidden,
        },
    }


def _cost_json(cost: Cost | None) -> Json:
    if cost is None:
        return None
    return {"gas": cost.gas, "estimate_wei": str(cost.estimate_wei), "limit_wei": str(cost.limit_wei)}


def _moment(at: float | None) -> Json:
    return None if at is None else render_moment(at)
