"""`diff` shows what differs, and nothing else."""

from __future__ import annotations

from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Operation,
    OperationId,
    Origin,
    Plan,
    PlanId,
    Revision,
    Step,
    TargetId,
)
from reconciler.report.diff_text import render_diff


def test_a_line_that_only_gained_a_successor_has_not_changed() -> None:
    operation = Operation(
        id=OperationId("a.b"),
        kind="a",
        verb="update",
        target=TargetId("a.b"),
        action=Action.UPDATE,
        origin=Origin.DECLARED,
        cause=Cause("changed"),
        change=Change(
            before={"listen": "x:1", "tls": True}, after={"listen": "x:2", "tls": True, "version": 2}
        ),
        lane="a",
    )
    plan = Plan(
        plan_id=PlanId("p"),
        node="n",
        revision=Revision("r"),
        previous_revision=None,
        created_at=0.0,
        steps=(Step(operation),),
        unchanged=0,
    )
    changed = [line for line in render_diff(plan).splitlines() if line[0] in "+-"]
    assert changed == ['-   "listen": "x:1"', '+   "listen": "x:2"', '+   "version": 2']
