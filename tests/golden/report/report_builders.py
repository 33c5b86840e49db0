"""Plans and statuses that the report's tests render: small, complete, with every feature in one of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Cost,
    Diagnostic,
    Impact,
    Operation,
    OperationId,
    Origin,
    Plan,
    PlanId,
    Revision,
    Severity,
    Source,
    Standing,
    Step,
    TargetId,
    Unobserved,
)

NOW = 1_800_000_000.0
CANARY = "canary-5f0c2b"
HERE = Path(__file__).parent


def operation(target: str, **fields) -> Operation:
    values = {
        "id": OperationId(target),
        "kind": target.partition(".")[0],
        "verb": "set",
        "target": TargetId(target),
        "action": Action.UPDATE,
        "origin": Origin.DECLARED,
        "cause": Cause("changed", Source("orchestrator.yaml", 5)),
        "change": Change(before="a", after="b"),
        "lane": "runtime",
    }
    return Operation(**(values | fields))


def plan(*steps: Step | Operation, **fields) -> Plan:
    values = {
        "plan_id": PlanId("3e91c0a-5f02"),
        "node": "fra-1",
        "revision": Revision("3e91c0ab77d1"),
        "previous_revision": Revision("77b21fd9ab01"),
        "created_at": NOW,
        "steps": tuple(step if isinstance(step, Step) else Step(step) for step in steps),
        "unchanged": 61,
        "observed_fingerprint": "9f02",
    }
    return Plan(**(values | fields))


def price_change() -> Operation:
    return operation(
        "runtime.pricing.video",
        cause=Cause("changed", Source("orchestrator.yaml", 21, 10)),
        change=Change(before="1200", after="1400", shown="1200 wei -> 1400 wei per pixel (+16.7 %)"),
        impact_note="12 sessions keep 1200 wei until they end",
        notes=(("note", "daydream 800 wei, studio 950 wei: unchanged (negotiated)"),),
    )


def everything() -> Plan:
    """Each section, symbol, impact, standing and note once."""
    return plan(
        operation(
            "edge.process",
            action=Action.RESTART,
            origin=Origin.DRIFT,
            cause=Cause("exited 137"),
            change=Change(before="exited", after="running"),
            impact=Impact.RESTART,
            interrupts=2,
        ),
        operation(
            "chain.reward",
            action=Action.DUTY,
            origin=Origin.DUTY,
            verb="call",
            cause=Cause("not yet called this round"),
            change=Change(after="round 3912"),
            cost=Cost(505_000, 10_100_000_000_000, 20_000_000_000_000),
            deadline=NOW + 51_180,
            reversible=False,
            lane="chain",
        ),
        price_change(),
        operation(
            "container.sdxl",
            action=Action.CREATE,
            cause=Cause("warm false -> true", Source("aiModels.json", 14)),
            change=Change(after="running", shown="on GPU b"),
            notes=(("VRAM", "b: 24.0 GiB = 9.1 in use + 12.8 this model + 1.2 margin; 0.9 left"),),
        ),
        operation(
            "edge.certificate",
            change=Change(before="sha256:aa", after="sha256:bb", sensitive=True),
            impact=Impact.RELOAD,
            depends_on=(OperationId("runtime.pricing.video"),),
        ),
        operation("probe", action=Action.READ, change=Change(), after_note="edge.names"),
        operation(
            "runtime.process",
            action=Action.REPLACE,
            origin=Origin.REQUEST,
            cause=Cause("asked for by hand"),
            change=Change(before="generation 3", after="generation 4"),
            impact=Impact.REPLACE,
            impact_note="new beside old, then drain",
        ),
        operation(
            "chain.registry.main",
            change=Change(before="https://a:8935", after="https://b:8935"),
            cost=Cost(45_000, 900_000_000_000, 1_800_000_000_000),
            reversible_note="by another transaction",
            needs_approval=True,
            lane="chain",
        ),
        operation("edge.old", action=Action.DELETE, change=Change(before={"name": "old"}, after=None)),
        operation("gpu.a", action=Action.RECREATE, impact=Impact.DRAIN, not_before=NOW + 90),
        Step(operation("runtime.sessions"), Standing.WAITING, "backoff after 2 failures", NOW + 48),
        Step(
            operation("workers.cpu-0"),
            Standing.VETOED,
            "given up after 7 tries: exited 1; tried again at 08:15 UTC, or now with `reconcile --force`",
            NOW + 900,
        ),
        Step(
            operation("stake.amount", verb="decrease"),
            Standing.BLOCKED,
            "automation.protect holds stake.decrease (orchestrator.yaml:60)",
        ),
        running="12 video sessions, 3 AI jobs",
        unobserved=(Unobserved("gpus", "NVML did not answer within 2 s"),),
        diagnostics=(
            Diagnostic(
                Severity.WARNING,
                "gateways that pin orch-1.example.com (-orchAddr) lose this node after 48 h: tell them.",
                "Seen in 7 days: daydream, studio, 0xccc…",
            ),
            Diagnostic(
                Severity.ERROR,
                "chain.cuts is declared but not supported yet",
                "Remove it, or keep it out until it is.",
                Source("orchestrator.yaml", 48, 3),
            ),
        ),
    )


def first() -> Plan:
    return plan(
        operation(
            "data.directory", action=Action.CREATE, change=Change(after="0700"), cause=Cause("missing")
        ),
        previous_revision=None,
        unchanged=1,
    )


def nothing() -> Plan:
    return plan(previous_revision=Revision("3e91c0ab77d1"))


def with_canary() -> Plan:
    """A sensitive change whose kind forgot the keyed digest: the reports must not show it all the same."""
    leaky = operation(
        "edge.certificate",
        change=Change(before=CANARY, after=CANARY + "2", shown=f"{CANARY} -> new", sensitive=True),
        arguments={"key": CANARY},
        precondition={"key": CANARY},
    )
    return plan(leaky, replace(leaky, id=OperationId("drifted"), origin=Origin.DRIFT))


def assert_golden(name: str, actual: str) -> None:
    """Compares with the stored text; `UPDATE_GOLDEN=1` stores it instead (then read the diff)."""
    path = HERE / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(actual)
    assert path.read_text() == actual
