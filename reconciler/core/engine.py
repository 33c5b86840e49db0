"""Converges a node: observe, plan, guard, act, observe again, remember.

The one path for one shot and for the loop. It owns the executor (so lanes hold between runs) and is the only
writer of the journal. An operation's failure is an outcome, not an exception; what it raises is a journal that
cannot be written, a stale saved plan, or a kind that contradicts itself. Decisions are in the pure modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from reconciler.core import bookkeeping, exitcodes
from reconciler.core.clock import Clock
from reconciler.core.errors import StalePlan
from reconciler.core.executor import Executor, Progress, Silent
from reconciler.core.journal import Journal
from reconciler.core.memory import Memory, Run
from reconciler.core.node import Node
from reconciler.core.planner import select
from reconciler.core.status import Status
from reconciler.core.survey import Survey, Surveyor, status_of
from reconciler.core.values import (
    Condition,
    Event,
    Json,
    Observation,
    Outcome,
    Plan,
    Result,
    Standing,
    Truth,
)

Announce = Callable[[Event], None]
"""Hears every event after it is in the journal. Must not block and must not raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run meant to do, what came of it, and what is left. `before` and `remaining` are whole plans;
    `plan` is the part that was handed to the executor."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    remaining: Plan
    conditions: tuple[Condition, ...]
    status: Status

    @property
    def exit_code(self) -> exitcodes.Exit:
        return exitcodes.of_converge(self.outcomes, self.remaining)

    @property
    def changed(self) -> bool:
        return any(outcome.result is Result.DONE for outcome in self.outcomes)


class Engine:
    def __init__(
        self,
        node: Node,
        journal: Journal,
        *,
        clock: Clock,
        random: Random,
        announce: Announce = lambda _event: None,
        parallel: int = 10,
    ) -> None:
        self._node = node
        self._journal = journal
        self._clock = clock
        self._random = random
        self._announce = announce
        self._executor = Executor(journal, clock=clock, parallel=parallel)

    @property
    def node(self) -> Node:
        return self._node

    @property
    def journal(self) -> Journal:
        return self._journal

    def declare(self, node: Node) -> None:
        """From the next run on, this is what is wanted."""
        self._node = node

    async def observe(self) -> dict[str, Observation]:
        return await self._surveyor().observe()

    async def plan(self, *, only: frozenset[str] | None = None, force: bool = False) -> Plan:
        return await self._surveyor().plan(only=only, force=force)

    async def status(self) -> Status:
        return await self._surveyor().status()

    async def converge(
        self,
        *,
        only: frozenset[str] | None = None,
        force: bool = False,
        expected: Plan | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Do once what is to be done. `only` these kinds; `force` forgives earlier failures; `expected` is a
        saved plan that must still be the plan, or nothing is done and `StalePlan` is raised."""
        began_at = self._clock.now()
        if force:
            self._journal.forget_failures()
        before = await self._surveyor().survey(force=force)
        if expected is not None:
            _insist_on(expected, before.plan)
        plan = select(before.plan, only)
        self._journal.remember_attempt(before.plan.revision, began_at)
        outcomes = await self._executor.execute(plan, self._node.actors, progress=progress or Silent())
        self._book(outcomes, before)
        acted = any(step.standing is Standing.READY for step in plan.steps)
        after = await self._surveyor().survey() if acted else before
        self._remember(after, outcomes)
        conditions = after.conditions
        self._record(after, conditions, outcomes, began_at)
        status = status_of(
            Survey(
                desired=after.desired,
                observations=after.observations,
                memory=self._journal.memory(),
                plan=after.plan,
            ),
            self._journal.runs(),
        )
        return Report(
            plan=plan, outcomes=outcomes, remaining=after.plan, conditions=conditions, status=status
        )

    def emit(self, name: str, fields: Mapping[str, Json]) -> None:
        """Journal an event, then tell it."""
        self._announce(self._journal.append_event(self._clock.now(), name, fields))

    def _surveyor(self) -> Surveyor:
        return Surveyor(self._node, self._journal, clock=self._clock)

    def _book(self, outcomes: Iterable[Outcome], before: Survey) -> None:
        raise NotImplementedError

    def _remember(self, after: Survey, outcomes: Iterable[Outcome]) -> None:
        raise NotImplementedError

    def _record(
        self, after: Survey, conditions: Iterable[Condition], outcomes: Iterable[Outcome], began_at: float
    ) -> None:
        raise NotImplementedError


def _insist_on(expected: Plan, found: Plan) -> None:
    if expected.plan_id == found.plan_id:
        return
    former = {operation.id: operation.fingerprint for operation in expected.operations}
    current = {operation.id: operation.fingerprint for operation in found.operations}
    moved = sorted(name for name in former.keys() | current.keys() if former.get(name) != current.get(name))
    if expected.revision != found.revision:
        moved.insert(0, f"the declared state ({expected.revision[:7]} -> {found.revision[:7]})")
    raise StalePlan(
        f"plan {expected.plan_id} is out of date, moved: {', '.join(moved) or 'the observed state'}",
        next_step="plan again, and apply the new one",
    )
