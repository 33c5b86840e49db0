"""A journal that lives as long as its process: for simulations, and for verbs on a node that has none yet.

Keeps the same contract as the SQLite one, except that nothing outlives it. A simulation hands the same
instance to the next operator, which is what a disk would do.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.core.journal import DECLARATIONS_KEPT, EVENTS_KEPT, FAILURES_KEPT, RUNS_KEPT
from reconciler.core.memory import Failure, Intent, Memory, Repair, Run, Suspension
from reconciler.core.values import (
    Condition,
    Event,
    Json,
    Operation,
    Outcome,
    PlanId,
    Result,
    Revision,
    TargetId,
)


class MemoryJournal:
    def __init__(self) -> None:
        self._memory = Memory()
        self._numbers = itertools.count(1)
        self._sequences = itertools.count(1)
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._runs: deque[Run] = deque(maxlen=RUNS_KEPT)
        self._declarations: dict[Revision, str] = {}

    def memory(self) -> Memory:
        return self._memory

    def events(self, *, after: int = 0, limit: int = 1_000) -> tuple[Event, ...]:
        return tuple(itertools.islice((e for e in self._events if e.sequence > after), limit))

    def runs(self) -> tuple[Run, ...]:
        return tuple(self._runs)

    def declaration(self, revision: Revision) -> str | None:
        return self._declarations.get(revision)

    def begin(self, operation: Operation, plan_id: PlanId, at: float) -> int:
        intent = Intent(
            number=next(self._numbers),
            plan_id=plan_id,
            operation_id=operation.id,
            kind=operation.kind,
            target=operation.target,
            fingerprint=operation.fingerprint,
            reversible=operation.reversible,
            began_at=at,
        )
        self._set(open_intents=(*self._memory.open_intents, intent))
        return intent.number

    def finish(self, number: int, outcome: Outcome) -> None:
        if outcome.result is not Result.UNKNOWN:
            self._close([number])

    def settle(self, numbers: Iterable[int], at: float, detail: str) -> None:  # noqa: ARG002 - no history here
        self._close(numbers)

    def remember_failure(self, failure: Failure) -> None:
        failures = {**self._memory.failures, failure.fingerprint: failure}
        of_target = sorted((f for f in failures.values() if f.target == failure.target), key=_last_at)
        for old in of_target[:-FAILURES_KEPT]:
            del failures[old.fingerprint]
        self._set(failures=failures)

    def forget_failures(self, targets: Iterable[TargetId] | None = None) -> None:
        if targets is None:
            self._set(failures={}, repairs={})
            return
        gone = set(targets)
        self._set(failures={k: f for k, f in self._memory.failures.items() if f.target not in gone})

    def remember_repair(self, repair: Repair) -> None:
        self._set(repairs={**self._memory.repairs, repair.target: repair})

    def remember_applied(self, kind: str, digests: Mapping[TargetId, str]) -> None:
        self._set(
            applied={**self._memory.applied, **digests},
            owners={**self._memory.owners, **dict.fromkeys(digests, kind)},
        )

    def forget_applied(self) -> None:
        self._set(applied={}, owners={})

    def remember_attempt(self, revision: Revision) -> None:
        self._set(attempted_revision=revision)

    def remember_success(self, revision: Revision, text: str, at: float) -> None:  # noqa: ARG002 - in order
        self._set(applied_revision=revision)
        self._declarations.pop(revision, None)
        self._declarations[revision] = text
        while len(self._declarations) > DECLARATIONS_KEPT:
            del self._declarations[next(iter(self._declarations))]

    def remember_healthy(self, revision: Revision) -> None:
        self._set(healthy_revision=revision)

    def remember_conditions(self, conditions: Iterable[Condition]) -> None:
        self._set(conditions=tuple(conditions))

    def remember_run(self, run: Run) -> None:
        newest = self._runs[0] if self._runs else None
        if newest is not None and (newest.revision, newest.result) == (run.revision, run.result):
            self._runs[0] = replace(run, first_at=newest.first_at, count=newest.count + run.count)
        else:
            self._runs.appendleft(run)
        self._set(handled_at=run.last_at)

    def suspend(self, suspension: Suspension) -> None:
        self._set(suspension=suspension)

    def resume(self) -> None:
        self._set(suspension=None)

    def request(self, target: str, token: str) -> None:
        self._set(requests={**self._memory.requests, target: token})

    def append_event(self, at: float, name: str, fields: Mapping[str, Json]) -> Event:
        event = Event(sequence=next(self._sequences), at=at, name=name, fields=dict(fields))
        self._events.append(event)
        return event

    def close(self) -> None:
        """Nothing to let go of."""

    def _set(self, **changes: object) -> None:
        self._memory = replace(self._memory, **changes)  # type: ignore[arg-type]  # names and types stand above

    def _close(self, numbers: Iterable[int]) -> None:
        closed = set(numbers)
        self._set(open_intents=tuple(i for i in self._memory.open_intents if i.number not in closed))


def _last_at(failure: Failure) -> float:
    return failure.last_at
