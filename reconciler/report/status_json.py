"""The status document for machines.

Pure; validates against `schemas/status.schema.json`. Served by the operator's socket and its local port,
printed by `status --json`, packed into the support bundle.
"""

from __future__ import annotations

from reconciler.core.memory import Intent, Run, Suspension
from reconciler.core.values import Condition, Json
from reconciler.report.quantities import render_moment
from reconciler.report.status import ManagedChild, NodeStatus, Refusal

FORMAT_VERSION = "1.0"


def status_json(status: NodeStatus) -> dict[str, Json]:
    core = status.core
    return {
        "format_version": FORMAT_VERSION,
        "node": core.node,
        "version": status.version,
        "timestamp": render_moment(core.at),
        "operator": None
        if status.operator is None
        else {"pid": status.operator.pid, "started_at": render_moment(status.operator.started_at)},
        "observed_generation": core.observed_generation,
        "plan_id": core.plan_id,
        "last_attempted_revision": core.last_attempted_revision,
        "last_applied_revision": core.last_applied_revision,
        "last_healthy_revision": core.last_healthy_revision,
        "last_handled_reconcile_at": _moment(core.last_handled_reconcile_at),
        "next_try_at": _moment(core.next_try_at),
        "next_resync_at": _moment(status.next_resync_at),
        "conditions": [condition_json(condition) for condition in core.conditions],
        "children": [_child_json(child) for child in status.children],
        "inventory": [
            {"target": item.target, "type": item.kind, "state": item.accord.value} for item in core.inventory
        ],
        "history": [run_json(run) for run in core.history],
        "suspended": _suspension_json(core.suspended),
        "pending_transactions": [],
        "unresolved": [_intent_json(intent) for intent in core.unresolved],
        "vetoes": [
            {
                "fingerprint": veto.fingerprint,
                "target": veto.target,
                "next_try_at": _moment(veto.next_try_at),
                "reason": veto.reason,
            }
            for veto in core.vetoes
        ],
        "retries": [
            {"target": step.operation.target, "next_try_at": _moment(step.until), "reason": step.reason}
            for step in status.retries
        ],
        "unobserved": [{"type": each.kind, "reason": each.reason} for each in core.unobserved],
        "refusals": [refusal_json(refusal) for refusal in status.refusals],
        "running": core.running,
        "runtime": None if status.runtime is None else dict(status.runtime),
    }


def condition_json(condition: Condition) -> dict[str, Json]:
    return {
        "type": condition.type,
        "status": condition.status.value,
        "reason": condition.reason,
        "message": condition.message,
        "observed_generation": condition.observed_generation,
        "last_transition_time": render_moment(condition.last_transition_at),
    }


def run_json(run: Run) -> dict[str, Json]:
    return {
        "revision": run.revision,
        "result": run.result,
        "first_at": render_moment(run.first_at),
        "last_at": render_moment(run.last_at),
        "duration_s": round(run.duration_s, 3),
        "count": run.count,
    }


def refusal_json(refusal: Refusal) -> dict[str, Json]:
    return {
        "reason": refusal.reason,
        "gateway": refusal.gateway,
        "count": refusal.count,
        "last_at": render_moment(refusal.last_at),
    }


def _suspension_json(suspended: Suspension | None) -> Json:
    if suspended is None:
        return None
    return {
        "reason": suspended.reason,
        "by": suspended.by,
        "since": render_moment(suspended.since),
        "until": _moment(suspended.until),
    }


def _intent_json(intent: Intent) -> Json:
    return {
        "number": intent.number,
        "id": intent.operation_id,
        "type": intent.kind,
        "target": intent.target,
        "reversible": intent.reversible,
        "began_at": render_moment(intent.began_at),
    }


def _child_json(child: ManagedChild) -> Json:
    return {
        "role": child.role,
        "generation": child.generation,
        "pid": child.pid,
        "state": child.state,
        "started_at": render_moment(child.started_at),
    }


def _moment(at: float | None) -> str | None:
    return None if at is None else render_moment(at)
