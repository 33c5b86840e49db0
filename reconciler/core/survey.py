"""Looks and decides, and can do nothing else: what `plan`, `diff`, `drift` and `status` run on.

It is handed observers and a `Recollection`; no actor and no way to write reach it, so a verb built on it
cannot change the world. The engine uses the same code before it acts, so a preview is the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.clock import Clock
from reconciler.core.conditions import conditions_of
from reconciler.core.journal import Recollection
from reconciler.core.kind import Observer
from reconciler.core.memory import Memory, Run
from reconciler.core.node import Desired, Node
from reconciler.core.planner import make_plan, select
from reconciler.core.status import Accord, Managed, Status, Veto
from reconciler.core.values import Condition, Known, Observation, Plan, Standing, Unknown

OBSERVE_TIMEOUT_S = 10.0
"""For one kind. A kind that does not answer is unknown; the others are planned all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One look at everything, and what follows from it."""

    desired: Desired
    observations: Mapping[str, Observation]
    memory: Memory
    plan: Plan
    rejection: str = ""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return conditions_of(
            self.desired, self.observations, self.memory, self.plan, rejection=self.rejection
        )


class Surveyor:
    """`rejection` says why a newer declared state was not taken, where that is so."""

    def __init__(self, node: Node, recollection: Recollection, *, clock: Clock, rejection: str = "") -> None:
        self._node = node
        self._rejection = rejection
        self._recollection = recollection
        self._clock = clock

    async def observe(self) -> dict[str, Observation]:
        """Every kind at once. Never raises: what cannot be seen is `Unknown`."""
        names = [kind.name for kind in self._node.kinds]
        seen = await asyncio.gather(*(self._look(name) for name in names))
        return dict(zip(names, seen, strict=True))

    async def survey(self, *, force: bool = False) -> Survey:
        """`force` forgives earlier failures for this plan."""
        observations = await self.observe()
        memory = self._recollection.memory()
        desired = self._node.desired
        considered = memory.forgiven() if force else memory
        plan = make_plan(desired, observations, considered, now=self._clock.now())
        return Survey(
            desired=desired,
            observations=observations,
            memory=memory,
            plan=plan,
            rejection=self._rejection,
        )

    async def plan(self, *, only: frozenset[str] | None = None, force: bool = False) -> Plan:
        survey = await self.survey(force=force)
        return select(survey.plan, only)

    async def status(self) -> Status:
        return status_of(await self.survey(), self._recollection.runs())

    async def _look(self, name: str) -> Observation:
        observer: Observer | None = self._node.observers.get(name)
        if observer is None:
            return Unknown("nobody looks at it", self._clock.now())
        try:
            async with asyncio.timeout(OBSERVE_TIMEOUT_S):
                return await observer.observe()
        except TimeoutError:
            return Unknown(f"no answer within {OBSERVE_TIMEOUT_S:g} s", self._clock.now())
        except Exception as failed:  # noqa: BLE001 - one blind kind must not blind the others
            return Unknown(f"{type(failed).__name__}: {failed}", self._clock.now())


def status_of(survey: Survey, runs: tuple[Run, ...]) -> Status:
    memory, plan = survey.memory, survey.plan
    suspension = memory.suspension
    if suspension is not None and not suspension.holds(plan.created_at):
        suspension = None
    return Status(
        node=plan.node,
        at=plan.created_at,
        observed_generation=plan.revision,
        plan_id=plan.plan_id,
        last_attempted_revision=memory.attempted_revision,
        last_applied_revision=memory.applied_revision,
        last_healthy_revision=memory.healthy_revision,
        last_handled_reconcile_at=memory.handled_at,
        running=plan.running,
        conditions=survey.conditions,
        inventory=_inventory(survey),
        history=runs,
        suspended=suspension,
        unresolved=memory.open_intents,
        vetoes=tuple(
            Veto(
                target=step.operation.target,
                fingerprint=step.operation.fingerprint,
                reason=step.reason,
                next_try_at=step.until,
            )
            for step in plan.steps
            if step.standing is Standing.VETOED
        ),
        pending=plan.steps,
        unobserved=plan.unobserved,
        next_try_at=min((step.until for step in plan.steps if step.until is not None), default=None),
        plan=plan,
    )


def _inventory(survey: Survey) -> tuple[Managed, ...]:
    differing = {step.operation.target for step in survey.plan.steps}
    lines = []
    for kind in survey.desired.kinds:
        observation = survey.observations.get(kind.name)
        if isinstance(observation, Known):
            targets = kind.targets(kind.desired, observation)
            accords = {t: Accord.DIFFERS if t in differing else Accord.SYNCED for t in targets}
        else:
            owned = [t for t, owner in survey.memory.owners.items() if owner == kind.name]
            accords = dict.fromkeys(owned, Accord.UNKNOWN)
        lines += [Managed(target=t, kind=kind.name, accord=accord) for t, accord in accords.items()]
    return tuple(sorted(lines, key=lambda line: line.target))
