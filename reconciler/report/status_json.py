"""The status document for machines.

Pure; validates against `schemas/status.schema.json`. Served by the operator's socket and its local port,
printed by `status --json`, packed into the support bundle.
"""

from __future__ import annotations

from reconciler.core.values import Condition, Json
from reconciler.report.quantities import render_moment
from reconciler.report.status import ManagedChild, NodeStatus, SuspensionStatus

FORMAT_VERSION = "1.0"


def status_json(status: NodeStatus) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "node": status.node,
        "version": status.version,
        "timestamp": render_moment(status.at),
        "operator": None
        if status.operator is None
        else {"pid": status.operator.pid, "started_at": render_moment(status.operator.started_at)},
        "observed_generation": status.observed_generation,
        "last_attempted_revision": status.last_attempted_revision,
        "last_applied_revision": status.last_applied_revision,
        "last_healthy_revision": status.last_healthy_revision,
        "last_handled_reconcile_at": _moment(status.last_handled_reconcile_at),
        "next_resync_at": _moment(status.next_resync_at),
        "conditions": [condition_json(condition) for condition in status.conditions],
        "children": [_child_json(child) for child in status.children],
        "inventory": [
            {"target": item.target, "type": item.kind, "state": item.state, "facts": dict(item.facts)}
            for item in status.inventory
        ],
        "history": [
            {
                "revision": entry.revision,
                "status": entry.status,
                "first_at": render_moment(entry.first_at),
                "last_at": render_moment(entry.last_at),
                "duration_s": round(entry.duration_s, 3),
                "count": entry.count,
            }
            for entry in status.history
        ],
        "suspended": suspension_json(status.suspended),
        "pending_transactions": [],
        "vetoes": [
            {
                "fingerprint": veto.fingerprint,
                "target": veto.target,
                "failures": veto.failures,
                "reason": veto.reason,
                "since": render_moment(veto.since),
                "frees": veto.frees,
            }
            for veto in status.vetoes
        ],
        "retries": [
            {
                "target": retry.target,
                "failures": retry.failures,
                "next_try_at": render_moment(retry.next_try_at),
                "reason": retry.reason,
            }
            for retry in status.retries
        ],
        "refusals": [
            {
                "reason": refusal.reason,
                "gateway": refusal.gateway,
                "count": refusal.count,
                "last_at": render_moment(refusal.last_at),
            }
            for refusal in status.refusals
        ],
        "running": status.running,
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


def suspension_json(suspended: SuspensionStatus | None) -> dict[str, Json] | None:
    if suspended is None:
        return None
    return {
        "reason": suspended.reason,
        "by": suspended.by,
        "since": render_moment(suspended.since),
        "until": _moment(suspended.until),
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
