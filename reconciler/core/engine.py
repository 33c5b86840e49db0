"""Converges a node: observe, plan, guard, act, observe again, remember.

The one path for one shot and for the loop. It owns the executor (so lanes hold between runs) and is the only
writer of the journal. An operation's failure is an outcome, not an exception; what it raises is a journal
that cannot be written, a stale saved plan, or a kind that contradicts itself. Decisions are made in the pure
modules.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from reconciler.core import bookkeeping, exitcodes
from reconciler.core.clock import Clock
from reconciler.core.errors import JournalError
from reconciler.core.events import TOLD, condition_fields, outcome_fields
from reconciler.core.executor import Executor, Progress, Silent
from reconciler.core.guards import veto_ends_at, veto_reason
from reconciler.core.journal import Journal
from reconciler.core.memory import Memory, Run, Suspension
from reconciler.core.node import Desired, Node
from reconciler.core.planner import insist_on, select
from reconciler.core.status import Status
from reconciler.core.survey import Survey, Surveyor, status_of
from reconciler.core.values import (
    Condition,
    Event,
    Json,
    Observation,
    Operation,
    Origin,
    Outcome,
    Plan,
    PlanId,
    Result,
    Standing,
    Truth,
)

_LOG = logging.getLogger(__name__)

Announce = Callable[[Event], None]
"""Hears every event after it is in the journal. Must not block and must not raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run meant to do, what came of it, and what is left.

    `plan` is the part that was handed to the executor; `after` is the look that followed, over everything.
    """

    plan: Plan
    outcomes: tuple[Outcome, ...]
    after: Survey
    conditions: tuple[Condition, ...]
    runs: tuple[Run, ...]

    @property
    def remaining(self) -> Plan:
        return self.after.plan

    @property
    def status(self) -> Status:
        return status_of(self.after, self.runs)

    @property
    def exit_code(self) -> exitcodes.Exit:
        return exitcodes.of_converge(self.outcomes, self.remaining)

    @property
    def changed(self) -> bool:
        return any(outcome.result is Result.DONE for outcome in self.outcomes)


def merged(reports: Sequence[Report]) -> Report:
    """One report of several runs in a row: of each operation the newest outcome, and the newest look."""
    steps = {step.operation.id: step for report in reports for step in report.plan.steps}
    outcomes = {outcome.operation.id: outcome for report in reports for outcome in report.outcomes}
    plan = replace(reports[-1].plan, steps=tuple(steps.values()))
    return replace(reports[-1], plan=plan, outcomes=tuple(outcomes.values()))


@dataclass(frozen=True, slots=True)
class _Booking:
    """Passes progress on, after what ended is in the journal."""

    listener: Progress
    book: Callable[[Outcome], None]

    def started(self, operation: Operation) -> None:
        self.listener.started(operation)

    def told(self, operation: Operation, text: str) -> None:
        self.listener.told(operation, text)

    def ended(self, outcome: Outcome) -> None:
        self.book(outcome)
        self.listener.ended(outcome)


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
        self._rejection = ""
        self._announced: PlanId | None = None
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
        self._rejection = ""

    def reject(self, why: str) -> None:
        """A newer declared state was not fit to be taken: keep the last good one, and say so."""
        self._rejection = why

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
        """Do once what is to be done.

        `only` these kinds; `force` forgives earlier failures; `expected` is a saved plan that must still be
        the plan, or nothing is done and `StalePlan` is raised. Runs of different kinds may overlap.
        """
        began_at = self._clock.now()
        if force:
            self._journal.forget_failures()
        before = await self._surveyor().survey(force=force)
        if expected is not None:
            insist_on(expected, before.plan)
        plan = select(before.plan, only)
        self._announce_plan(before.plan)
        if before.memory.attempted_revision != plan.revision:
            self._journal.remember_attempt(plan.revision)
        listening = _Booking(progress or Silent(), lambda outcome: self._book(outcome, before.desired))
        outcomes = await self._executor.execute(plan, self._node.actors, progress=listening)
        self._count_repairs(outcomes, before.desired)
        acted = any(step.standing is Standing.READY for step in plan.steps)
        after = await self._surveyor().survey() if acted else before
        conditions = self._remember(after, outcomes)
        self._record(after.plan, outcomes, began_at)
        after = replace(after, memory=self._journal.memory())  # with what was just remembered
        runs = self._journal.runs()
        return Report(plan=plan, outcomes=outcomes, after=after, conditions=conditions, runs=runs)

    def suspend(self, *, reason: str, by: str, until: float | None = None) -> None:
        """Stop acting, from the next plan on. Acts that are under way end."""
        suspension = Suspension(reason=reason, by=by, since=self._clock.now(), until=until)
        self._journal.suspend(suspension)
        self.emit("automation.suspended", {"reason": reason, "by": by, "until": until})

    def resume(self, *, by: str) -> None:
        self._journal.resume()
        self.emit("automation.resumed", {"by": by})

    def request(self, target: str, token: str, *, by: str) -> None:
        """Wish by hand that this target be done over; a new token each time."""
        self._journal.request(target, token)
        self.emit("target.requested", {"target": target, "token": token, "by": by})

    def emit(self, name: str, fields: Mapping[str, Json]) -> None:
        """Journal an event, then tell it. One that cannot be written is logged and lost: intents matter."""
        try:
            event = self._journal.append_event(self._clock.now(), name, fields)
        except JournalError as failed:
            _LOG.error("journal.failed", exc_info=failed, extra={"fields": {"event": name}})
            return
        self._announce(event)

    def _surveyor(self) -> Surveyor:
        return Surveyor(self._node, self._journal, clock=self._clock, rejection=self._rejection)

    def _announce_plan(self, plan: Plan) -> None:
        """Once for each different plan, not for each look."""
        if plan.plan_id == self._announced or (plan.is_empty and self._announced is None):
            return
        self._announced = plan.plan_id
        if plan.is_empty:
            return
        drifted = [step.operation.target for step in plan.of(Origin.DRIFT)]
        fields = {"plan_id": plan.plan_id, "revision": plan.revision, "operations": len(plan.steps)}
        self.emit("plan.created", {**fields, "drifted": drifted})

    def _book(self, outcome: Outcome, desired: Desired) -> None:
        """Count failures, and tell what was done, as soon as it is."""
        target = outcome.operation.target
        if outcome.result is Result.FAILED:
            self._book_failure(outcome, desired)
        elif outcome.result in TOLD:
            self.emit(TOLD[outcome.result], outcome_fields(outcome))
        failures = self._journal.memory().failures.values()
        if outcome.result is Result.DONE and any(failure.target == target for failure in failures):
            self._journal.forget_failures([target])

    def _count_repairs(self, outcomes: Iterable[Outcome], desired: Desired) -> None:
        memory, random = self._journal.memory(), self._random
        for repair in bookkeeping.repairs_after(outcomes, memory, revision=desired.revision, random=random):
            self._journal.remember_repair(repair)

    def _book_failure(self, outcome: Outcome, desired: Desired) -> None:
        failure = bookkeeping.failure_after(
            outcome, self._journal.memory(), revision=desired.revision, random=self._random
        )
        self._journal.remember_failure(failure)
        until = veto_ends_at(failure, desired.policy)
        next_try_at = failure.not_before if until is None else until
        fields = outcome_fields(outcome) | {"failures": failure.count, "next_try_at": next_try_at}
        self.emit("operation.failed", fields)
        if until is not None:
            self.emit("operation.vetoed", {**outcome_fields(outcome), "reason": veto_reason(failure, until)})

    def _remember(self, after: Survey, outcomes: Iterable[Outcome]) -> tuple[Condition, ...]:
        """Write what the world shows now."""
        memory, journal, plan = self._journal.memory(), self._journal, after.plan
        settled = bookkeeping.settled_intents(memory, self._executor.in_flight, after.observations, plan)
        if settled:
            journal.settle(settled, plan.created_at, "the world was looked at")
        gone = bookkeeping.resolved_failures(memory, plan)
        if gone:
            journal.forget_failures(gone)
        news = bookkeeping.applied_after(after.desired, after.observations, memory, plan, outcomes)
        for kind, digests in news.items():
            journal.remember_applied(kind, digests)
        if plan.is_empty and not plan.unobserved and memory.applied_revision != plan.revision:
            journal.remember_success(plan.revision, after.desired.text, plan.created_at)
        return self._remember_conditions(after, memory)

    def _remember_conditions(self, after: Survey, memory: Memory) -> tuple[Condition, ...]:
        conditions = after.conditions
        if conditions != memory.conditions:
            self._journal.remember_conditions(conditions)
            former = {condition.type: condition.status for condition in memory.conditions}
            for condition in conditions:
                if former.get(condition.type) is not condition.status:
                    self.emit("condition.changed", condition_fields(condition))
            for name in sorted(former.keys() - {condition.type for condition in conditions}):
                self.emit("condition.changed", {"condition": name, "status": "absent"})
        ready = any(c.type == "Ready" and c.status is Truth.TRUE for c in conditions)
        if ready and memory.healthy_revision != after.plan.revision:
            self._journal.remember_healthy(after.plan.revision)
        return conditions

    def _record(self, remaining: Plan, outcomes: Iterable[Outcome], began_at: float) -> None:
        ended_at = self._clock.now()
        self._journal.remember_run(
            Run(
                revision=remaining.revision,
                result=exitcodes.of_converge(outcomes, remaining).name.lower(),
                first_at=began_at,
                last_at=ended_at,
                duration_s=ended_at - began_at,
                count=1,
            )
        )
