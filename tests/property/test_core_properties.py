"""What holds for every declared state, every world and every finite series of faults."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.clock import VirtualClock, run_virtual
from reconciler.core.engine import Engine
from reconciler.core.errors import PlanError
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.loop import Loop
from reconciler.core.memory import Failure, Memory, Suspension
from reconciler.core.node import Desired, Policy
from reconciler.core.planner import make_plan, select
from reconciler.core.values import (
    Known,
    Revision,
    Standing,
    Unknown,
    canonical,
    digest,
)
from tests.simulation.synthetic import Crash, Wanted, World, synthetic_kind, synthetic_node

QUICK = settings(deadline=None)  # a busy machine is no failure
SLOW = settings(deadline=None, max_examples=50)
KINDS = ("a", "b", "c")
NAMES = tuple("uvwxyz")
VALUES = st.one_of(st.integers(0, 3), st.lists(st.integers(0, 2), max_size=2))
THINGS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
FAULTS = st.sampled_from(["fail", "lie", "later", "bug", "hang", "idle"])


@st.composite
def wishes(draw):
    """Kinds with targets that depend on earlier ones, within a kind and across: never in a cycle."""
    wanted, before = {}, []
    for kind in draw(st.permutations(KINDS)):
        values = draw(THINGS)
        after = {}
        for name in values:
            after[name] = tuple(draw(st.lists(st.sampled_from(before), max_size=2))) if before else ()
            before.append(f"{kind}.{name}")
        wanted[kind] = Wanted(values, after)
    return wanted


worlds = st.fixed_dictionaries(dict.fromkeys(KINDS, THINGS))
blindness = st.sets(st.sampled_from(KINDS))


def desired_of(wanted, policy=None) -> Desired:
    kinds = [synthetic_kind(name, wish, phase=ord(name) % 2) for name, wish in wanted.items()]
    node = synthetic_node(World(), *kinds, now=lambda: 0.0, policy=policy)
    return node.desired


def observed(there, blind=frozenset()):
    return {k: Unknown("dark", 0.0) if k in blind else Known(dict(v), 0.0) for k, v in there.items()}


def text_of(plan) -> str:
    return canonical(asdict(plan))


def shuffled(mapping, random):
    keys = list(mapping)
    random.shuffle(keys)
    return {key: mapping[key] for key in keys}


@QUICK
@given(wishes(), worlds, blindness, st.randoms(use_true_random=False))
def test_equal_inputs_give_equal_bytes_in_whatever_order_they_are_declared(wanted, there, blind, random):
    plan = make_plan(desired_of(wanted), observed(there, blind), Memory(), now=1.0)
    mixed = {
        kind: Wanted(shuffled(wish.values, random), wish.after, wish.sharp)
        for kind, wish in shuffled(wanted, random).items()
    }
    moved = shuffled({kind: shuffled(things, random) for kind, things in there.items()}, random)
    again = make_plan(desired_of(mixed), observed(moved, blind), Memory(), now=1.0)
    assert text_of(again) == text_of(plan)


@QUICK
@given(wishes(), worlds, blindness)
def test_every_step_stands_after_those_it_depends_on_and_waits_where_they_do(wanted, there, blind):
    plan = make_plan(desired_of(wanted), observed(there, blind), Memory(), now=1.0)
    seen = {}
    planned = {operation.id for operation in plan.operations}
    for step in plan.steps:
        for name in step.operation.depends_on:
            assert name in seen or name not in planned
            if step.standing is Standing.READY:
                assert seen.get(name, Standing.READY) is Standing.READY
        seen[step.operation.id] = step.standing


@QUICK
@given(wishes(), worlds, blindness)
def test_what_cannot_be_seen_is_neither_touched_nor_leant_on(wanted, there, blind):
    plan = make_plan(desired_of(wanted), observed(there, blind), Memory(), now=1.0)
    assert {item.kind for item in plan.unobserved} == blind
    assert not [operation for operation in plan.operations if operation.kind in blind]
    for step in plan.steps:
        if step.standing is Standing.READY:
            assert not [name for name in step.operation.depends_on if name.split(".")[0] in blind]


@QUICK
@given(wishes(), worlds, st.sets(st.sampled_from(KINDS), min_size=1))
def test_a_selection_runs_nothing_outside_and_nothing_whose_dependency_is_outside(wanted, there, only):
    whole = make_plan(desired_of(wanted), observed(there), Memory(), now=1.0)
    part = select(whole, frozenset(only))
    planned = {operation.id for operation in whole.operations}
    ready = {step.operation.id for step in part.steps if step.standing is Standing.READY}
    for step in part.steps:
        assert step.operation.kind in only
        if step.standing is Standing.READY:
            assert all(name in ready or name not in planned for name in step.operation.depends_on)


@QUICK
@given(wishes(), worlds, st.sets(st.sampled_from([f"{k}.{v}" for k in KINDS for v in ("update", "delete")])))
def test_what_is_protected_is_never_ready(wanted, there, protect):
    policy = Policy(protect=frozenset(protect))
    plan = make_plan(desired_of(wanted, policy), observed(there), Memory(), now=1.0)
    for step in plan.steps:
        if f"{step.operation.kind}.{step.operation.verb}" in protect:
            assert step.standing in {Standing.BLOCKED, Standing.WAITING}


@QUICK
@given(wishes(), worlds, st.floats(0, 100), st.one_of(st.none(), st.floats(0, 100)))
def test_suspended_nothing_is_ready_until_the_suspension_ends(wanted, there, now, until):
    memory = Memory(suspension=Suspension(reason="r", by="b", since=0.0, until=until))
    plan = make_plan(desired_of(wanted), observed(there), memory, now=now)
    if until is None or now < until:
        assert not [step for step in plan.steps if step.standing is Standing.READY]
    else:
        free = make_plan(desired_of(wanted), observed(there), Memory(), now=now)
        assert plan.steps == free.steps


@QUICK
@given(wishes(), worlds, st.integers(1, 5), st.booleans(), st.booleans())
def test_a_veto_holds_for_this_difference_under_this_declared_state_only(wanted, there, count, final, same):
    desired = desired_of(wanted)
    plan = make_plan(desired, observed(there), Memory(), now=10.0)
    failures = {
        operation.fingerprint: Failure(
            fingerprint=operation.fingerprint,
            operation_id=operation.id,
            target=operation.target,
            revision=desired.revision if same else Revision("another"),
            count=count,
            in_a_row=count,
            first_at=1.0,
            last_at=2.0,
            not_before=3.0,
            detail="no",
            final=final,
        )
        for operation in plan.operations[:1]
    }
    again = make_plan(desired, observed(there), Memory(failures=failures), now=10.0)
    for step in again.steps:
        if step.operation.fingerprint in failures and same and (final or count >= 3):
            assert step.standing is Standing.VETOED
        else:
            assert step.standing is Standing.READY or step.reason.startswith("waits for")


@QUICK
@given(st.permutations([f"a.{name}" for name in NAMES]))
def test_a_cycle_is_an_error_that_names_its_members(order):
    ring = {
        name.split(".")[1]: (follower,) for name, follower in zip(order, order[1:] + order[:1], strict=True)
    }
    wanted = {"a": Wanted(dict.fromkeys(NAMES, 1), ring)}
    with pytest.raises(PlanError) as failed:
        make_plan(desired_of(wanted), observed({"a": {}}), Memory(), now=0.0)
    assert all(name in str(failed.value) for name in order)


def test_an_id_used_twice_is_an_error():
    desired = desired_of({"a": Wanted({"x": 1})})
    twin = replace(desired.kinds[0], name="b")  # plans the operations of `a` under another name
    twins = replace(desired, kinds=(desired.kinds[0], twin))
    with pytest.raises(PlanError, match=r"a\.x"):
        make_plan(twins, observed({"a": {}, "b": {}}), Memory(), now=0.0)


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
