"""Walks a plan's graph and does what it says. Contains no decision.

Operations of one lane never overlap, not even between two runs; different lanes run side by side, bounded.
The precondition is looked at again right before acting, and the intent is journaled before it. Every
operation gets an outcome: a failing one never raises, it makes those that depend on it SKIPPED. A cancelled
run leaves its intents open, as a crash would. The engine calls it; not calling it is the dry run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from reconciler.core.clock import Clock
from reconciler.core.errors import JournalError, OutcomeUnknown, Terminal, Transient
from reconciler.core.kind import Actor
from reconciler.core.values import Operation, OperationId, Outcome, Plan, PlanId, Result, Standing, Step

HOLDS_TIMEOUT_S = 10.0


class IntentLog(Protocol):
    """The part of the journal that acting needs."""

    def begin(self, operation: Operation, plan_id: PlanId, at: float) -> int: ...

    def finish(self, number: int, outcome: Outcome) -> None: ...


class Progress(Protocol):
    """Hears what happens while it happens. Must not block and must not raise."""

    def started(self, operation: Operation) -> None: ...

    def told(self, operation: Operation, text: str) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...


class Silent:
    """For whoever only wants the outcomes."""

    def started(self, operation: Operation) -> None:
        """Say nothing."""

    def told(self, operation: Operation, text: str) -> None:
        """Say nothing."""

    def ended(self, outcome: Outcome) -> None:
        """Say nothing."""


class Executor:
    """Lives as long as the process: its lanes hold between runs."""

    def __init__(self, log: IntentLog, *, clock: Clock, parallel: int = 10) -> None:
        self._log = log
        self._clock = clock
        self._slots = asyncio.Semaphore(parallel)
        self._lanes: dict[str, asyncio.Lock] = {}
        self._in_flight: set[int] = set()

    @property
    def in_flight(self) -> frozenset[int]:
        """Numbers of the intents that this very process is working on."""
        return frozenset(self._in_flight)

    async def execute(
        self, plan: Plan, actors: Mapping[str, Actor], *, progress: Progress
    ) -> tuple[Outcome, ...]:
        """Outcomes in the plan's order. Raises only where the journal fails: nothing is done unrecorded."""
        tasks: dict[OperationId, asyncio.Task[Outcome]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for step in plan.steps:  # in order, so what it depends on is there already
                    awaited = [tasks[name] for name in step.operation.depends_on if name in tasks]
                    work = self._outcome(step, awaited, plan.plan_id, actors, progress)
                    tasks[step.operation.id] = group.create_task(work)
        except BaseExceptionGroup as failed:
            unwritten = failed.subgroup(JournalError)
            if unwritten is None:
                raise
            raise _first(unwritten) from None
        return tuple(task.result() for task in tasks.values())

    async def _outcome(
        self,
        step: Step,
        awaited: list[asyncio.Task[Outcome]],
        plan_id: PlanId,
        actors: Mapping[str, Actor],
        progress: Progress,
    ) -> Outcome:
        operation = step.operation
        if step.standing is not Standing.READY:
            return self._not_done(operation, Result.WAITING, step.reason, retry_at=step.until)
        for before in [await task for task in awaited]:
            if before.result is not Result.DONE:
                return self._not_done(operation, Result.SKIPPED, f"{before.operation.id} did not happen")
        actor = actors.get(operation.kind)
        if actor is None:
            return self._not_done(operation, Result.SKIPPED, f"nobody here may act on {operation.kind}")
        async with self._lanes.setdefault(operation.lane, asyncio.Lock()), self._slots:
            outcome = await self._try(operation, actor, plan_id, progress)
        progress.ended(outcome)
        return outcome

    def _not_done(
        self, operation: Operation, result: Result, detail: str, *, retry_at: float | None = None
    ) -> Outcome:
        now = self._clock.now()
        return Outcome(
            operation=operation, result=result, started_at=now, ended_at=now, detail=detail, retry_at=retry_at
        )

    async def _try(self, operation: Operation, actor: Actor, plan_id: PlanId, progress: Progress) -> Outcome:
        started_at = self._clock.now()
        verdict = await _still_holds(operation, actor)
        if verdict is not None:
            result, detail = verdict
        else:
            progress.started(operation)
            number = self._log.begin(operation, plan_id, started_at)
            self._in_flight.add(number)
            try:
                outcome = await self._act(operation, actor, started_at, progress)
                self._log.finish(number, outcome)
            finally:
                self._in_flight.discard(number)
            return outcome
        return Outcome(
            operation=operation,
            result=result,
            started_at=started_at,
            ended_at=self._clock.now(),
            detail=detail,
        )

    async def _act(
        self, operation: Operation, actor: Actor, started_at: float, progress: Progress
    ) -> Outcome:
        retry_at, final = None, False
        try:
            async with asyncio.timeout(operation.timeout_s):
                detail = await actor.act(operation, lambda text: progress.told(operation, text))
            result = Result.DONE
        except Transient as failed:
            result, detail = Result.FAILED, _explained(failed)
            retry_at = None if failed.after_s is None else self._clock.now() + failed.after_s
        except Terminal as failed:
            result, detail, final = Result.FAILED, _explained(failed), True
        except OutcomeUnknown as failed:
            result, detail = Result.UNKNOWN, _explained(failed)
        except TimeoutError:
            result, detail = _unclear(operation), f"not done within {operation.timeout_s:g} s"
        except Exception as failed:  # noqa: BLE001 - one actor's fault must not cancel acts of other lanes
            result, detail = _unclear(operation), _explained(failed)
        return Outcome(
            operation=operation,
            result=result,
            started_at=started_at,
            ended_at=self._clock.now(),
            detail=detail,
            retry_at=retry_at,
            final=final,
        )


def _first(group: BaseExceptionGroup[JournalError]) -> JournalError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


async def _still_holds(operation: Operation, actor: Actor) -> tuple[Result, str] | None:
    """Nothing where the act may begin; else why it may not."""
    try:
        async with asyncio.timeout(HOLDS_TIMEOUT_S):
            if await actor.holds(operation):
                return None
    except TimeoutError:
        return Result.FAILED, f"could not look again within {HOLDS_TIMEOUT_S:g} s; nothing was done"
    except Exception as failed:  # noqa: BLE001 - as for acting: contained to this operation
        return Result.FAILED, f"could not look again: {_explained(failed)}; nothing was done"
    return Result.STALE, "what it was planned from has changed; nothing was done"


def _unclear(operation: Operation) -> Result:
    """An act that ended in an unforeseen way may have happened: harmless where it can be repeated."""
    return Result.FAILED if operation.reversible else Result.UNKNOWN


def _explained(failed: Exception) -> str:
    next_step = getattr(failed, "next_step", "")
    text = str(failed) or type(failed).__name__
    return f"{text}; {next_step}" if next_step else text
