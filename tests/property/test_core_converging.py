"""What holds for every way from any world to any declared state, through every finite series of faults."""

from __future__ import annotations

import asyncio
from random import Random

from core_wishes import (
    FAULTS,
    KINDS,
    NAMES,
    QUICK,
    SLOW,
    blindness,
    wishes,
    worlds,
)
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.clock import VirtualClock, run_virtual
from reconciler.core.engine import Engine
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.loop import Loop
from reconciler.core.values import (
    digest,
)
from tests.simulation.synthetic import Crash, Wanted, World, synthetic_kind, synthetic_node


def engine_of(world, wanted, journal) -> Engine:
    clock = VirtualClock()
    kinds = [synthetic_kind(name, wish) for name, wish in wanted.items()]
    node = synthetic_node(world, *kinds, now=clock.now)
    return Engine(node, journal, clock=clock, random=Random(5))


def as_declared(world, wanted) -> bool:
    return all(world.there.get(kind, {}) == dict(wish.values) for kind, wish in wanted.items())


def copied(there):
    return {kind: dict(things) for kind, things in there.items()}


@QUICK
@given(wishes(), worlds)
def test_the_plan_after_one_faultless_converge_is_empty(wanted, there):
    async def story():
        world = World(there=copied(there))
        engine = engine_of(world, wanted, MemoryJournal())
        await engine.converge()
        return world, await engine.plan(), engine.journal.memory()

    world, plan, memory = run_virtual(story())
    assert plan.is_empty
    assert as_declared(world, wanted)
    applied = {f"{k}.{n}": digest(v) for k, wish in wanted.items() for n, v in wish.values.items()}
    assert memory.applied == applied


fault_lists = st.dictionaries(
    st.sampled_from([f"{kind}.{name}" for kind in KINDS for name in NAMES]),
    st.lists(FAULTS, min_size=1, max_size=2),
    max_size=5,
)


@SLOW
@given(wishes(), worlds, fault_lists, blindness)
def test_the_loop_converges_once_faults_end_and_blind_kinds_are_seen_again(wanted, there, faults, blind):
    async def story():
        world = World(there=copied(there), faults=copied_lists(faults), blind=set(blind))
        engine = engine_of(world, wanted, MemoryJournal())
        loop = Loop(engine, lambda: engine.node, clock=VirtualClock(), random=Random(6))
        running = asyncio.ensure_future(loop.run())
        await asyncio.sleep(50)
        for kind in blind:
            assert world.there[kind] == there[kind], "a kind that cannot be seen was touched"
        world.blind.clear()
        await asyncio.sleep(4000)
        loop.stop()
        await running
        return world, loop.latest

    world, report = run_virtual(story())
    assert as_declared(world, wanted)
    assert report.remaining.is_empty
    assert report.after.memory.open_intents == ()


def copied_lists(faults):
    return {target: list(names) for target, names in faults.items()}


@SLOW
@given(wishes(), worlds, st.lists(st.sampled_from(["crash-before", "crash-after"]), max_size=4), st.data())
def test_operators_that_die_while_acting_are_followed_by_one_that_converges(wanted, there, deaths, data):
    targets = [f"{kind}.{name}" for kind, wish in wanted.items() for name in wish.values]
    faults: dict[str, list[str]] = {}
    for death in deaths if targets else []:
        faults.setdefault(data.draw(st.sampled_from(targets)), []).append(death)

    async def story():
        world, journal = World(there=copied(there), faults=faults), MemoryJournal()
        for _ in range(len(deaths) + 1):
            world.overlapping = 0
            world.running.clear()
            try:
                report = await engine_of(world, wanted, journal).converge()
            except* Crash:
                report = None
            if report is not None:
                break
        return world, journal, report

    world, journal, report = run_virtual(story())
    assert report is not None
    assert report.remaining.is_empty
    assert as_declared(world, wanted)
    assert journal.memory().open_intents == ()


@QUICK
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_drift_is_told_from_change_along_any_history_of_files(history):
    """The same file again with another world is drift; another file is a change."""

    async def story():
        world, journal, origins = World(), MemoryJournal(), []
        for value in history:
            wanted = {"a": Wanted({"x": value})}
            engine = engine_of(world, wanted, journal)
            plan = await engine.plan()
            origins += [("file", operation.origin) for operation in plan.operations]
            await engine.converge()
            world.there["a"]["x"] = "moved"
            plan = await engine.plan()
            origins += [("world", operation.origin) for operation in plan.operations]
            await engine.converge(force=True)
        return origins

    for why, origin in run_virtual(story()):
        assert origin == {"file": "declared", "world": "drift"}[why]
