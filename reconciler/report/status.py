"""The status of a node as one frozen value, from which text, JSON and metrics are drawn.

It answers apart: what was attempted, what was last applied, is it ready, is it stuck, who switched automation
off. Built by the operator (or by `status` where none runs); rendered by this package. Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.values import Condition, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorProcess:
    pid: int
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedChild:
    """A process the operator started. `state` is a word such as `serving`, `draining`, `ended`."""

    role: str
    generation: int
    pid: int
    state: str
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryItem:
    """A resource under management. `facts` are labelled values worth showing, in order."""

    target: str
    kind: str
    state: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Runs of one revision with one result, collapsed: flapping shows as a count."""

    revision: str
    status: str
    first_at: float
    last_at: float
    duration_s: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspensionStatus:
    reason: str
    by: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoStatus:
    """A difference that is not tried again; `frees` says what would lift the veto."""

    fingerprint: str
    target: str
    failures: int
    reason: str
    since: float
    frees: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStatus:
    target: str
    failures: int
    next_try_at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalStatus:
    """Refused work, counted by reason and gateway."""

    reason: str
    gateway: str
    count: int
    last_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """`runtime` is the serving runtime's own status document, as it answered, or None."""

    node: str
    version: str
    at: float
    operator: OperatorProcess | None
    observed_generation: str
    last_attempted_revision: str | None
    last_applied_revision: str | None
    last_healthy_revision: str | None
    last_handled_reconcile_at: float | None
    next_resync_at: float | None = None
    conditions: tuple[Condition, ...] = ()
    children: tuple[ManagedChild, ...] = ()
    inventory: tuple[InventoryItem, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    suspended: SuspensionStatus | None = None
    vetoes: tuple[VetoStatus, ...] = ()
    retries: tuple[RetryStatus, ...] = ()
    refusals: tuple[RefusalStatus, ...] = ()
    running: str = ""
    runtime: Mapping[str, Json] | None = field(default=None)
