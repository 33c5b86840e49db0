"""A kind without meaning: N named targets with values, over a world that is a plain dictionary.

It exercises the real planner, executor, journal and loop where the resource does not matter. The world can be
made blind, slow, failing, lying (it did it and says it failed) or deadly (the operator dies before or after).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from reconciler.core.clock import VirtualClock
from reconciler.core.engine import Engine
from reconciler.core.errors import OutcomeUnknown, Terminal, Transient
from reconciler.core.journal import Journal
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.kind import Kind, KindPlan, View
from reconciler.core.node import Node, Policy
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Impact,
    Known,
    Observation,
    Operation,
    OperationId,
    Origin,
    Revision,
    TargetId,
    Unknown,
    digest,
)


class Crash(BaseException):
    """The operator's process ends here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`after` maps a target to those it depends on; `sharp` targets cannot be repeated harmlessly.

    Each target has a lane of its own unless `lane` names one for all.
    """

    values: Mapping[str, object]
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sharp: frozenset[str] = frozenset()
    lane: str = ""


def target_of(kind: str, name: str) -> TargetId:
    return TargetId(f"{kind}.{name}")


def plan_for(kind: str) -> Callable[[Wanted, Observation, View], KindPlan]:
    def plan(desired: Wanted, observed: Observation, view: View) -> KindPlan:
        if isinstance(observed, Unknown):
            return KindPlan()
        there: Mapping[str, object] = observed.value
        operations = [
            _operation(kind, name, there, desired, view)
            for name in {**desired.values, **there}
            if there.get(name) != desired.values.get(name)
        ]
        same = sum(1 for name, value in desired.values.items() if there.get(name) == value)
        return KindPlan(operations=tuple(operations), unchanged=same)

    return plan


def _operation(kind: str, name: str, there: Mapping[str, object], desired: Wanted, view: View) -> Operation:
    target = target_of(kind, name)
    after = desired.values.get(name)
    origin = view.origin(target, after)
    action = Action.CREATE if name not in there else Action.UPDATE if after is not None else Action.DELETE
    return Operation(
        id=OperationId(target),
        kind=kind,
        verb=action.value,
        target=target,
        action=action,
        origin=origin,
        cause=Cause("the value changed" if origin is Origin.DECLARED else "the world moved"),
        change=Change(before=there.get(name), after=after),
        lane=desired.lane or target,
        impact=Impact.NONE,
        reversible=name not in desired.sharp,
        depends_on=tuple(OperationId(d) for d in desired.after.get(name, ())),
        precondition=there.get(name),
        timeout_s=30.0,
    )


def targets_for(kind: str) -> Callable[[Wanted, Observation], dict[TargetId, object]]:
    return lambda desired, _seen: {target_of(kind, n): v for n, v in desired.values.items()}


@dataclass
class World:
    """What is there, by kind; and what is wrong with it. Faults are consumed in order, one per act."""

    there: dict[str, dict[str, object]] = field(default_factory=dict)
    blind: set[str] = field(default_factory=set)
    faults: dict[str, list[str]] = field(default_factory=dict)
    acts: list[str] = field(default_factory=list)
    overlapping: int = 0
    most_overlapping: int = 0
    act_s: float = 0.5
    running: Counter[str] = field(default_factory=Counter)

    def next_fault(self, target: str) -> str:
        queue = self.faults.get(target, [])
        return queue.pop(0) if queue else ""


class SyntheticObserver:
    def __init__(self, world: World, kind: str, now: Callable[[], float]) -> None:
        self._world, self._kind, self._now = world, kind, now

    async def observe(self) -> Observation:
        if self._kind in self._world.blind:
            return Unknown("nothing to be seen", self._now())
        return Known(dict(self._world.there.get(self._kind, {})), self._now())


class SyntheticActor:
    def __init__(self, world: World, kind: str) -> None:
        self._world, self._kind = world, kind

    async def holds(self, operation: Operation) -> bool:
        name = operation.target.removeprefix(f"{self._kind}.")
        return self._world.there.get(self._kind, {}).get(name) == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        world = self._world
        fault = world.next_fault(operation.target)
        world.overlapping += 1
        world.most_overlapping = max(world.most_overlapping, world.overlapping)
        world.running[operation.lane] += 1
        assert world.running[operation.lane] == 1, "two operations of one lane overlap"
        try:
            return await self._do(operation, fault, tell)
        finally:
            world.overlapping -= 1
            world.running[operation.lane] -= 1

    async def _do(self, operation: Operation, fault: str, tell: Callable[[str], None]) -> str:
        if fault == "crash-before":
            raise Crash
        await asyncio.sleep(self._world.act_s)
        tell("half way")
        if fault == "hang":
            await asyncio.sleep(1e6)
        if fault == "fail":
            raise Transient("it did not work")
        if fault == "later":
            raise Transient("too many requests", after_s=120.0)
        if fault == "never":
            raise Terminal("it cannot work", next_step="declare something else")
        if fault == "bug":
            raise ZeroDivisionError("a fault of the actor")
        if fault == "idle":
            return "said it did, did nothing"
        self._write(operation)
        if fault == "lie":
            raise Transient("the answer was lost")
        if fault == "doubt":
            raise OutcomeUnknown("the answer was lost")
        if fault == "crash-after":
            raise Crash
        return "done"

    def _write(self, operation: Operation) -> None:
        name = operation.target.removeprefix(f"{self._kind}.")
        there = self._world.there.setdefault(self._kind, {})
        if operation.change.after is None:
            del there[name]
        else:
            there[name] = operation.change.after
        self._world.acts.append(operation.id)


def synthetic_kind(name: str, wanted: Wanted, *, phase: int = 0, needs: tuple[str, ...] = ()) -> Kind[Wanted]:
    return Kind(
        name=name, phase=phase, desired=wanted, plan=plan_for(name), targets=targets_for(name), needs=needs
    )


def synthetic_node(
    world: World,
    *kinds: Kind[Wanted],
    now: Callable[[], float],
    policy: Policy | None = None,
    name: str = "sim-1",
) -> Node:
    text = [[k.name, dict(k.desired.values)] for k in sorted(kinds, key=lambda k: k.name)]
    return Node(
        name=name,
        revision=Revision(digest(text)),
        kinds=kinds,
        observers={k.name: SyntheticObserver(world, k.name, now) for k in kinds},
        actors={k.name: SyntheticActor(world, k.name) for k in kinds},
        policy=policy or Policy(),
        text=str(text),
    )


def synthetic_engine(
    world: World, *kinds: Kind[Wanted], journal: Journal | None = None, policy: Policy | None = None
) -> Engine:
    clock = VirtualClock()
    node = synthetic_node(world, *kinds, now=clock.now, policy=policy)
    return Engine(node, journal or MemoryJournal(), clock=clock, random=Random(7))
