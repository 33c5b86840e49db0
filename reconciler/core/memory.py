"""What the operator remembers: values that the journal keeps and that planning may know.

One `Memory` is one consistent reading. Nothing here is needed to be right: where it is lost, every difference
counts as declared, no difference is vetoed, and nothing is suspended. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.core.values import Condition, OperationId, PlanId, Revision, TargetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Somebody switched acting off. Times are unix seconds; without `until` it lasts until `resume`."""

    reason: str
    by: str
    since: float
    until: float | None = None

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How often one difference (by fingerprint) failed to be made away with, under one declared state.

    `in_a_row` counts the target's failures, whatever the difference was. `not_before` is the moment of the
    next try; `final` says that trying again will not help until something changes: one is enough for a veto.
    """

    fingerprint: str
    operation_id: OperationId
    target: TargetId
    revision: Revision
    count: int
    in_a_row: int
    first_at: float
    last_at: float
    not_before: float
    detail: str
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """How often a target was brought about lately, under one declared state.

    A crash loop heals fine each time, and so does an act that says it did but did not: this slows them down.
    """

    target: TargetId
    revision: Revision
    count: int
    last_at: float
    not_before: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Written before acting. One without an outcome means that the operator ended in between."""

    number: int
    plan_id: PlanId
    operation_id: OperationId
    kind: str
    target: TargetId
    fingerprint: str
    reversible: bool
    began_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Runs of one revision with one result, folded into one entry while nothing else comes between."""

    revision: Revision
    result: str
    first_at: float
    last_at: float
    duration_s: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Everything remembered that planning and status may know.

    `failures` is by fingerprint; `applied` holds digests and `owners` kinds by target; `open_intents` are
    acts of unknown end.
    """

    applied: Mapping[TargetId, str] = field(default_factory=dict)
    owners: Mapping[TargetId, str] = field(default_factory=dict)
    applied_revision: Revision | None = None
    attempted_revision: Revision | None = None
    healthy_revision: Revision | None = None
    handled_at: float | None = None
    failures: Mapping[str, Failure] = field(default_factory=dict)
    repairs: Mapping[TargetId, Repair] = field(default_factory=dict)
    suspension: Suspension | None = None
    requests: Mapping[str, str] = field(default_factory=dict)
    open_intents: tuple[Intent, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def forgiven(self) -> Memory:
        """The same without failures, repairs and doubts: what `--force` plans with."""
        return replace(self, failures={}, repairs={}, open_intents=())
