"""What a resource kind is to the core: a pure decision, a way to look, a way to act.

The three are apart so that a verb gets only what it may do: `drift` and `plan` are handed observers and no
actor exists in their process; the planner is handed neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from reconciler.core.values import (
    Condition,
    Diagnostic,
    Json,
    Observation,
    Operation,
    Origin,
    TargetId,
    Truth,
    digest,
)

NOT_MEASURABLE = "NotMeasurable"
"""The reason of a condition that can never be known on this machine, as things are."""

D_contra = TypeVar("D_contra", contravariant=True)
D = TypeVar("D")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a decision may know beside desired and observed state.

    `applied` maps each target to the digest of the value last applied to it; where it is lost, every
    difference counts as declared. `requests` are wishes made by hand: target → token of the newest wish
    (`runtime.process` → `2026-11-21T01:40:00Z`). A token is never taken back: it is part of what is wanted,
    and a kind compares it with the token that the running thing was started with, so a wish is fulfilled
    exactly once through any crash. No token means no wish.
    """

    now: float
    applied: Mapping[TargetId, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)

    def origin(self, target: TargetId, desired: Json) -> Origin:
        """Drift when this very value was applied before and the world shows another one now."""
        return Origin.DRIFT if self.applied.get(target) == digest(desired) else Origin.DECLARED

    def condition(self, name: str, status: Truth, reason: str, message: str) -> Condition:
        """What a kind says of its part; the core adds the revision and the moment of the last change."""
        return Condition(
            type=name,
            status=status,
            reason=reason,
            message=message,
            observed_generation="",
            last_transition_at=self.now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPlan:
    """A kind's part of a plan: its operations, what it found unchanged, what it wants to say."""

    operations: tuple[Operation, ...] = ()
    unchanged: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()
    running: str = ""


class Planner(Protocol[D_contra]):
    """Pure: equal arguments, equal answer. Called with `Unknown`, it plans nothing."""

    def __call__(self, desired: D_contra, observed: Observation, view: View) -> KindPlan: ...


class Observer(Protocol):
    """Looks at the world. Never changes it. Answers `Unknown` where looking failed; raises nothing."""

    async def observe(self) -> Observation: ...


class Actor(Protocol):
    """Changes the world, one operation at a time, each idempotent.

    `holds` looks again and says whether the operation's precondition is still true. `act` returns a short
    text of what was done, or raises an `ApplyError`. Progress is told through `tell`.
    """

    async def holds(self, operation: Operation) -> bool: ...

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[D]):
    """One line of the registry. `phase` orders kinds that do not depend on each other.

    `conditions` turns an observation into conditions (pure), where True is good: `EdgeServing`,
    `CertificateValid`. `View.condition` makes them. Types named in
    `advisory` are told and do not count against health; nor does an Unknown for reason `NOT_MEASURABLE`.

    `targets` maps every target that the kind wants now to the value it wants, the same that its planner gives
    to `View.origin` (pure; not called with `Unknown`). Their digests are remembered as applied once no
    difference is left, and that is what tells drift from change later.

    `needs` names kinds without whose observation this kind's operations must not run. Beside it, an
    operation's `depends_on` may name operations of other kinds: one that is not in the plan counts as
    settled, unless its kind (the longest kind name that begins the id) could not be observed; then it waits.
    """

    name: str
    phase: int
    desired: D
    plan: Planner[D]
    conditions: Callable[[D, Observation, View], tuple[Condition, ...]] = lambda _d, _o, _v: ()
    targets: Callable[[D, Observation], Mapping[TargetId, Json]] = lambda _d, _o: {}
    needs: tuple[str, ...] = ()
    advisory: frozenset[str] = frozenset()
