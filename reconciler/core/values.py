"""The values that the reconciler thinks in: what is wanted, what is there, what is done, what came of it.

Everything between observing and acting is one of these frozen values, so a plan can be shown, stored,
compared, replayed and property-tested. Nothing here knows a resource kind, reads a clock or does IO.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, Self

Json = object
"""A value that `json.dumps` takes; compared by equality. Kinds give it a real type at their own door."""

TargetId = NewType("TargetId", str)
"""What an operation changes, as shown to people: `runtime.pricing.video`, `edge.certificate`."""

OperationId = NewType("OperationId", str)
"""Names an operation in its plan: the target, with a verb where it has several (`runtime.process:start`)."""

PlanId = NewType("PlanId", str)
Revision = NewType("Revision", str)
"""Digest of the declared state (later: the git commit and that digest)."""


def canonical(value: Json) -> str:
    """The one text of a JSON value: sorted keys, no spaces. Digests and fingerprints are made of it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Json) -> str:
    """Hex SHA-256 of the canonical text. Secrets never get here: they are compared by keyed digest."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


class Action(StrEnum):
    """What happens to the target, and the symbol that plans show for it."""

    symbol: str

    CREATE = "create", "+"
    UPDATE = "update", "~"
    DELETE = "delete", "-"
    REPLACE = "replace", "+/-"  # new beside old, then the old one goes
    RECREATE = "recreate", "-/+"  # the old one goes first
    RESTART = "restart", "!"
    READ = "read", "<="
    DUTY = "duty", "*"

    def __new__(cls, text: str, symbol: str) -> Self:
        member = str.__new__(cls, text)
        member._value_, member.symbol = text, symbol
        return member


class Impact(StrEnum):
    """What an operation does to work in progress, from nothing to everything."""

    NONE = "none"
    RELOAD = "reload"
    DRAIN = "drain"
    RESTART = "restart"
    REPLACE = "replace"


class Origin(StrEnum):
    """Why declared and observed differ."""

    DECLARED = "declared"  # you changed the file
    DRIFT = "drift"  # the world moved
    DUTY = "duty"  # the time has come
    REQUEST = "request"  # somebody asked for it by hand (`reconcile restart runtime`)


@dataclass(frozen=True, slots=True)
class Source:
    """A place in the declared state, 1-based."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an operation is there, in the reader's words: `price changed`, `exited 137`."""

    text: str
    source: Source | None = None

    def __str__(self) -> str:
        return f"{self.source} {self.text}" if self.source else self.text


@dataclass(frozen=True, slots=True)
class Cost:
    """What a transaction may cost. Amounts in wei."""

    gas: int
    estimate_wei: int
    limit_wei: int


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one target, before and after, as JSON values.

    `shown` is the reader's text of it (`1200 wei -> 1400 wei per pixel (+16.7 %)`); where it is empty a
    renderer shows before and after. Sensitive values are replaced by their keyed digest before they get here.
    """

    before: Json = None
    after: Json = None
    shown: str = ""
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One side effect, with everything a reader needs to agree to it and an executor needs to do it.

    `precondition` is the part of the observed state that the decision stands on; the actor compares it
    again right before acting. `arguments` is what the actor needs and no reader does. Operations of one
    `lane` never overlap (one process, one nonce owner). `note`s are further labelled lines of the plan.
    """

    id: OperationId
    kind: str
    verb: str
    target: TargetId
    action: Action
    origin: Origin
    cause: Cause
    change: Change
    lane: str
    impact: Impact = Impact.NONE
    impact_note: str = ""
    interrupts: int = 0
    reversible: bool = True
    reversible_note: str = ""
    depends_on: tuple[OperationId, ...] = ()
    after_note: str = ""
    precondition: Json = None
    arguments: Json = None
    notes: tuple[tuple[str, str], ...] = ()
    cost: Cost | None = None
    needs_approval: bool = False
    not_before: float | None = None
    deadline: float | None = None
    timeout_s: float = 60.0

    @property
    def fingerprint(self) -> str:
        """Identifies *this* attempt to make *this* difference go away; vetoes count failures by it."""
        return digest([self.id, self.verb, self.change.before, self.change.after, self.precondition])


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something a person should know: what, the rule behind it, where, what to do next."""

    severity: Severity
    summary: str
    detail: str = ""
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What was observed, with the moment (unix seconds) it was true."""

    value: object
    at: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """It could not be observed. Never the same as absent: nothing is created or deleted on it."""

    reason: str
    at: float


Observation = Known | Unknown


class Standing(StrEnum):
    """Whether an operation of a plan may run now."""

    READY = "ready"
    BLOCKED = "blocked"  # by protection, policy, missing approval, cost limit
    VETOED = "vetoed"  # the same difference failed too often; tried again seldom
    WAITING = "waiting"  # for its window or its backoff


@dataclass(frozen=True, slots=True)
class Step:
    """An operation with its standing in this plan. `reason` says what holds it up and what would free it."""

    operation: Operation
    standing: Standing = Standing.READY
    reason: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Unobserved:
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done now, at `created_at` (unix seconds). A step stands after those it depends on."""

    plan_id: PlanId
    node: str
    revision: Revision
    previous_revision: Revision | None
    created_at: float
    steps: tuple[Step, ...]
    unchanged: int
    running: str = ""
    observed_fingerprint: str = ""
    unobserved: tuple[Unobserved, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(step.operation for step in self.steps)

    @property
    def is_empty(self) -> bool:
        return not self.steps

    def of(self, *origins: Origin) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.operation.origin in origins)


class Result(StrEnum):
    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    SKIPPED = "skipped"  # what it depends on did not happen
    STALE = "stale"  # its precondition no longer held
    UNKNOWN = "unknown"  # it may or may not have happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one operation. Times are unix seconds. `final`: failed, and again would fail again."""

    operation: Operation
    result: Result
    started_at: float
    ended_at: float
    detail: str = ""
    retry_at: float | None = None
    final: bool = False


class Truth(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One answer about the node. `last_transition_at` moves only when `status` does."""

    type: str
    status: Truth
    reason: str
    message: str
    observed_generation: str
    last_transition_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, worth telling once. `name` is a constant such as `operation.applied`."""

    sequence: int
    at: float
    name: str
    fields: Mapping[str, Json] = field(default_factory=dict)
