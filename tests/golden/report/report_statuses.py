"""Statuses that the report's tests render: a node that never ran, and one with everything in it."""

from __future__ import annotations

from report_builders import NOW, operation, plan

from reconciler.core.memory import Intent, Run, Suspension
from reconciler.core.status import Accord, Managed, Status, Veto
from reconciler.core.values import (
    Condition,
    OperationId,
    PlanId,
    Revision,
    Standing,
    Step,
    TargetId,
    Truth,
    Unobserved,
)
from reconciler.report.status import ManagedChild, NodeStatus, OperatorProcess, Refusal


def condition(name: str, status: Truth, reason: str, message: str) -> Condition:
    return Condition(
        type=name,
        status=status,
        reason=reason,
        message=message,
        observed_generation="3e91c0ab77d1",
        last_transition_at=NOW - 7200,
    )


def core_status(**fields) -> Status:
    values = {
        "node": "fra-1",
        "at": NOW,
        "observed_generation": Revision("3e91c0ab77d1"),
        "plan_id": PlanId("3e91c0a-5f02"),
        "last_attempted_revision": None,
        "last_applied_revision": None,
        "last_healthy_revision": None,
        "last_handled_reconcile_at": None,
        "running": "",
        "conditions": (),
        "inventory": (),
        "history": (),
        "suspended": None,
        "unresolved": (),
        "vetoes": (),
        "pending": (),
        "unobserved": (),
        "next_try_at": None,
        "plan": plan(),
    }
    return Status(**(values | fields))


def quiet_status() -> NodeStatus:
    return NodeStatus(core=core_status(), version="0.1.0", operator=None)


def busy_status() -> NodeStatus:
    newest, older = Revision("3e91c0ab77d1"), Revision("77b21fd9ab01")
    core = core_status(
        last_attempted_revision=newest,
        last_applied_revision=older,
        last_healthy_revision=older,
        last_handled_reconcile_at=NOW - 12,
        next_try_at=NOW + 48,
        running="2 video sessions",
        conditions=(
            condition("Ready", Truth.FALSE, "OperationFailed", "runtime.sessions was refused"),
            condition(
                "DeclarationRejected",
                Truth.TRUE,
                "Invalid",
                "orchestrator.yaml:21: 12 wie is not a price; the last good declared state stays in force",
            ),
            condition("Stalled", Truth.TRUE, "Vetoed", "1 difference is given up"),
            condition("Healthy", Truth.TRUE, "Serving", "the probe was answered"),
            condition("DiskSpace", Truth.UNKNOWN, "NotObserved", "statvfs failed"),
            condition("Reconciling", Truth.TRUE, "Progressing", "applying 3e91c0a"),
        ),
        inventory=(
            Managed(target=TargetId("edge.process"), kind="edge", accord=Accord.SYNCED),
            Managed(target=TargetId("edge.names"), kind="edge", accord=Accord.SYNCED),
            Managed(target=TargetId("runtime.sessions"), kind="runtime", accord=Accord.DIFFERS),
            Managed(target=TargetId("gpus.a"), kind="gpus", accord=Accord.UNKNOWN),
        ),
        history=(
            Run(
                revision=newest,
                result="failed",
                first_at=NOW - 600,
                last_at=NOW - 12,
                duration_s=1.25,
                count=3,
            ),
            Run(
                revision=older,
                result="applied",
                first_at=NOW - 9000,
                last_at=NOW - 9000,
                duration_s=4,
                count=1,
            ),
        ),
        suspended=Suspension(reason="moving racks", by="root@fra-1", since=NOW - 300, until=NOW + 3600),
        unresolved=(
            Intent(
                number=12,
                plan_id=PlanId("3e91c0a-5f02"),
                operation_id=OperationId("chain.reward"),
                kind="chain",
                target=TargetId("chain.reward"),
                fingerprint="cd34",
                reversible=False,
                began_at=NOW - 40,
            ),
        ),
        vetoes=(
            Veto(
                target=TargetId("workers.cpu-0"),
                fingerprint="ab12",
                reason="given up after 7 tries: exited 1; tried again at 08:15 UTC",
                next_try_at=NOW + 900,
            ),
        ),
        pending=(Step(operation("runtime.sessions"), Standing.WAITING, "failed lately", NOW + 48),),
        unobserved=(Unobserved("gpus", "NVML did not answer within 2 s"),),
    )
    return NodeStatus(
        core=core,
        version="0.1.0",
        operator=OperatorProcess(pid=4711, started_at=NOW - 93_784),
        next_resync_at=NOW + 41,
        children=(
            ManagedChild(role="edge", generation=3, pid=812, state="running", started_at=NOW - 9000),
            ManagedChild(
                role="runtime", generation=7, pid=813, state="killed by SIGKILL", started_at=NOW - 60
            ),
        ),
        refusals=(
            Refusal(reason="OrchestratorCapped", gateway="0xaaa", count=17, last_at=NOW - 30),
            Refusal(reason="NoTranscodersAvailable", gateway="", count=1, last_at=NOW - 300),
        ),
        runtime={"pid": 813, "serving": True},
    )
