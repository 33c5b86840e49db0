"""Looks at the node and plans, for the verbs that only show: observers, no actor, no lock."""

from __future__ import annotations

import asyncio

from reconciler.cli.narrator import Narrator
from reconciler.cli.workplace import Workplace
from reconciler.core.values import Plan


def plan_now(work: Workplace, *, force: bool = False) -> Plan:
    """The plan of this moment. A kind that cannot be observed is in it as such."""
    from reconciler.operator.assembly import open_survey  # noqa: PLC0415

    with Narrator() as narrator, open_survey(work.declaration, work.layout) as surveyor:
        narrator.begin("look", "looking at the node")
        plan = asyncio.run(surveyor.plan(force=force))
        narrator.end("look")
    return plan
