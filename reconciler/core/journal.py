"""The operator's memory as a capability: `Recollection` reads, `Journal` also writes.

Invariants, proved by one contract suite for the in-memory and the SQLite one: an intent is on disk before its
act begins; what was written is read back by the next operator; numbers of intents and events only grow;
history and events are bounded. One process writes (it holds the operator's lock); any may read meanwhile.
The engine and the verbs that change something call it; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from reconciler.core.memory import Failure, Memory, Repair, Run, Suspension
from reconciler.core.values import (
    Condition,
    Event,
    Json,
    Operation,
    Outcome,
    PlanId,
    Revision,
    TargetId,
)

EVENTS_KEPT = 10_000
RUNS_KEPT = 50
INTENTS_KEPT = 1_000
DECLARATIONS_KEPT = 10
FAILURES_KEPT = 8


class Recollection(Protocol):
    """Reading. Each call is one consistent snapshot."""

    def memory(self) -> Memory: ...

    def events(self, *, after: int = 0, limit: int = 1_000) -> tuple[Event, ...]:
        """Events with a greater sequence than `after`, oldest first."""
        ...

    def runs(self) -> tuple[Run, ...]:
        """Newest first."""
        ...

    def declaration(self, revision: Revision) -> str | None:
        """The text of a declared state that was once applied, where it is still kept."""
        ...


class Journal(Recollection, Protocol):
    """Writing. Each call is durable when it returns."""

    def begin(self, operation: Operation, plan_id: PlanId, at: float) -> int:
        """Write the intent to do `operation`; the number names it."""
        ...

    def finish(self, number: int, outcome: Outcome) -> None:
        """Write what came of an intent. An unknown outcome leaves the intent open."""
        ...

    def settle(self, numbers: Iterable[int], at: float, detail: str) -> None:
        """Close intents whose end became known otherwise: the world was looked at."""
        ...

    def remember_failure(self, failure: Failure) -> None:
        """By fingerprint; of one target, the newest `FAILURES_KEPT` stay."""
        ...

    def forget_failures(self, targets: Iterable[TargetId] | None = None) -> None:
        """Of these targets; `None` is all (failures and repairs), as `--force` wants it."""
        ...

    def remember_repair(self, repair: Repair) -> None: ...

    def remember_applied(self, kind: str, digests: Mapping[TargetId, str]) -> None:
        """Set the digests of these targets of one kind; others stay."""
        ...

    def forget_applied(self) -> None:
        """The node was ended on purpose: what is missing from now on is no drift."""
        ...

    def remember_attempt(self, revision: Revision) -> None: ...

    def remember_success(self, revision: Revision, text: str, at: float) -> None:
        """The declared state is wholly applied; its text is kept."""
        ...

    def remember_healthy(self, revision: Revision) -> None: ...

    def remember_conditions(self, conditions: Iterable[Condition]) -> None: ...

    def remember_run(self, run: Run) -> None:
        """Folded into the newest entry where revision and result are the same. Its end is `handled_at`."""
        ...

    def suspend(self, suspension: Suspension) -> None: ...

    def resume(self) -> None: ...

    def request(self, target: str, token: str) -> None: ...

    def append_event(self, at: float, name: str, fields: Mapping[str, Json]) -> Event: ...

    def close(self) -> None: ...
