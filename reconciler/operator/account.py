"""Gathers what the status says beyond the core: processes, the runtime's own words, refused work.

Looks only. What does not answer is left out, never guessed; nothing here raises for a missing runtime.
Called by the operator for its doors and by `status` where no operator runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from reconciler.children import Child, observe_children
from reconciler.core.status import Status
from reconciler.core.values import Json
from reconciler.layout import Layout
from reconciler.report.status import ManagedChild, NodeStatus, OperatorProcess, Refusal
from reconciler.serving.control import ControlUnreachable, HttpRuntimeControl
from reconciler.serving.instances import look_at_instances

_ASK_TIMEOUT_S = 2.0


async def node_status(
    core: Status, layout: Layout, *, version: str, operator: OperatorProcess | None
) -> NodeStatus:
    runtime = await runtime_account(layout)
    return NodeStatus(
        core=core,
        version=version,
        operator=operator,
        children=managed_children(layout),
        refusals=refusals_of(runtime),
        runtime=runtime,
    )


def managed_children(layout: Layout) -> tuple[ManagedChild, ...]:
    """The living ones, and how the newest dead one of each role ended."""
    try:
        found = observe_children(layout)
    except OSError:
        return ()
    newest = {child.role: child.generation for child in found}  # in order, so the last one stays
    return tuple(_managed(child) for child in found if child.alive or child.generation == newest[child.role])


def _managed(child: Child) -> ManagedChild:
    return ManagedChild(
        role=child.role,
        generation=child.generation,
        pid=child.pid,
        state="running" if child.alive else child.ending or "ended",
        started_at=child.started_at,
    )


async def runtime_account(layout: Layout) -> Mapping[str, Json] | None:
    """The serving runtime's status document, or None where none answers."""
    body = await ask_runtime(layout, "/status")
    if body is None:
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return cast("Mapping[str, Json]", found) if isinstance(found, dict) else None


async def ask_runtime(layout: Layout, path: str) -> bytes | None:
    """A document of the serving runtime's control socket, or None where none answers."""
    try:
        serving = look_at_instances(layout).serving
        if serving is None:
            return None
        control = HttpRuntimeControl(layout.runtime_control(serving), timeout_s=_ASK_TIMEOUT_S)
        answer = await control.fetch(path)
    except (OSError, ControlUnreachable):
        return None
    return answer.body if answer.status == 200 else None


def refusals_of(runtime: Mapping[str, Json] | None) -> tuple[Refusal, ...]:
    """Most often first. Entries that are not understood are left out: another version may say more."""
    listed = (runtime or {}).get("refusals")
    found = [each for each in map(_refusal, listed) if each] if isinstance(listed, list) else []
    return tuple(sorted(found, key=lambda each: (-each.count, each.reason, each.gateway)))


def _refusal(entry: object) -> Refusal | None:
    if not isinstance(entry, dict):
        return None
    reason, count, last_at = entry.get("reason"), entry.get("count"), entry.get("last_at")
    if not isinstance(reason, str) or not isinstance(count, int) or not isinstance(last_at, int | float):
        return None
    return Refusal(reason=reason, gateway=str(entry.get("gateway") or ""), count=count, last_at=last_at)
