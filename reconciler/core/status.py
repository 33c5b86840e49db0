"""What the operator says about its node: the status document as values.

Built by the engine from the newest plan and the journal; renderers make text, JSON and metrics of it. Each
question has its own answer: what was attempted, what was applied, is it ready, is it stuck.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.memory import Intent, Run, Suspension
from reconciler.core.values import Condition, Plan, PlanId, Revision, Step, TargetId, Unobserved


class Accord(StrEnum):
    """How a managed target stands to what is declared."""

    SYNCED = "synced"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """One line of the inventory."""

    target: TargetId
    kind: str
    accord: Accord


@dataclass(frozen=True, slots=True, kw_only=True)
class Veto:
    target: TargetId
    fingerprint: str
    reason: str
    next_try_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Times are unix seconds. `observed_generation` is the revision that the conditions speak about."""

    node: str
    at: float
    observed_generation: Revision
    plan_id: PlanId
    last_attempted_revision: Revision | None
    last_applied_revision: Revision | None
    last_healthy_revision: Revision | None
    last_handled_reconcile_at: float | None
    running: str
    conditions: tuple[Condition, ...]
    inventory: tuple[Managed, ...]
    history: tuple[Run, ...]
    suspended: Suspension | None
    unresolved: tuple[Intent, ...]
    vetoes: tuple[Veto, ...]
    pending: tuple[Step, ...]
    unobserved: tuple[Unobserved, ...]
    next_try_at: float | None
    plan: Plan
