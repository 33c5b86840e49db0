"""The engine over a synthetic world: what one converge does, leaves, remembers and answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from reconciler.core.clock import VirtualClock, run_virtual
from reconciler.core.engine import Engine, Report
from reconciler.core.errors import StalePlan
from reconciler.core.exitcodes import Exit
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.values import Origin, Result, Standing, Truth
from tests.simulation.synthetic import (
    Wanted,
    World,
    synthetic_engine,
    synthetic_kind,
    synthetic_node,
)


def converge(engine: Engine, **how) -> Report:
    return run_virtual(engine.converge(**how))


def results(report: Report) -> dict[str, Result]:
    return {outcome.operation.id: outcome.result for outcome in report.outcomes}


def test_plan_after_converging_is_empty_and_everything_is_remembered_as_applied():
    world = World(there={"a": {"x": 1, "old": 9}})
    engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 2, "y": 3})))
    report = converge(engine)
    assert world.there["a"] == {"x": 2, "y": 3}
    assert report.remaining.is_empty
    assert report.exit_code is Exit.OK
    assert report.status.last_applied_revision == engine.node.revision
    assert run_virtual(engine.plan()).is_empty


def test_an_unchanged_node_needs_no_act_and_its_values_count_as_applied():
    world = World(there={"a": {"x": 1}})
    engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
    assert converge(engine).outcomes == ()
    world.there["a"]["x"] = 5
    plan = run_virtual(engine.plan())
    assert [step.operation.origin for step in plan.steps] == [Origin.DRIFT]


def test_a_changed_file_is_a_change_and_a_moved_world_is_drift():
    world, journal = World(), MemoryJournal()
    converge(synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1, "y": 1})), journal=journal))
    world.there["a"]["y"] = 7
    engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 2, "y": 1})), journal=journal)
    origins = {op.target: op.origin for op in run_virtual(engine.plan()).operations}
    assert origins == {"a.x": Origin.DECLARED, "a.y": Origin.DRIFT}


def test_a_lost_journal_makes_every_difference_a_change():
    world = World()
    converge(synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1}))))
    world.there["a"]["x"] = 7
    plan = run_virtual(synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1}))).plan())
    assert plan.operations[0].origin is Origin.DECLARED


def test_declaring_a_dropped_value_again_is_a_change():
    world, journal = World(), MemoryJournal()
    for values in ({"x": 1, "y": 1}, {"x": 1}):
        converge(synthetic_engine(world, synthetic_kind("a", Wanted(values)), journal=journal))
    engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1, "y": 1})), journal=journal)
    assert run_virtual(engine.plan()).operations[0].origin is Origin.DECLARED


def test_suspended_nothing_is_done_and_the_status_says_who_and_why():
    async def story():
        world = World()
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        engine.suspend(reason="moving house", by="ann")
        held = await engine.converge()
        acts = list(world.acts)
        engine.resume(by="ann")
        return acts, held, await engine.converge()

    acts, held, freed = run_virtual(story())
    assert acts == []
    assert held.exit_code is Exit.BLOCKED
    suspended = next(c for c in held.conditions if c.type == "Suspended")
    assert suspended.message == "by ann: moving house"
    assert held.status.suspended is not None
    assert not any(c.type == "Stalled" for c in held.conditions)
    assert freed.exit_code is Exit.OK
    assert not any(c.type == "Suspended" for c in freed.conditions)


def test_a_suspension_with_an_end_ends_by_itself():
    async def story():
        engine = synthetic_engine(World(), synthetic_kind("a", Wanted({"x": 1})))
        engine.suspend(reason="night", by="ann", until=VirtualClock().now() + 60)
        held = await engine.converge()
        await asyncio.sleep(61)
        return held, await engine.converge()

    held, freed = run_virtual(story())
    assert held.remaining.steps[0].until is not None
    assert freed.exit_code is Exit.OK
    assert freed.status.suspended is None


def test_nothing_is_created_or_deleted_for_a_kind_that_cannot_be_seen():
    world = World(there={"a": {"old": 1}}, blind={"a"})
    engine = synthetic_engine(
        world,
        synthetic_kind("a", Wanted({"x": 1})),
        synthetic_kind("b", Wanted({"y": 1}, after={"y": ("a.x",)})),
    )
    report = converge(engine)
    assert world.there == {"a": {"old": 1}}
    assert [item.kind for item in report.remaining.unobserved] == ["a"]
    step = report.remaining.steps[0]
    assert (step.operation.id, step.standing) == ("b.y", Standing.WAITING)
    assert "a could not be observed: nothing to be seen" in step.reason
    ready = next(c for c in report.conditions if c.type == "Ready")
    assert ready.status is Truth.UNKNOWN


def test_a_kind_that_needs_an_unseen_one_waits_whatever_its_operations_say():
    world = World(blind={"a"})
    engine = synthetic_engine(
        world,
        synthetic_kind("a", Wanted({"x": 1})),
        synthetic_kind("b", Wanted({"y": 1}), needs=("a",)),
        synthetic_kind("c", Wanted({"z": 1})),
    )
    report = converge(engine)
    assert world.acts == ["c.z"]
    assert report.exit_code is Exit.UNREACHABLE


def test_an_observer_that_breaks_or_hangs_makes_its_kind_unknown_only():
    class Broken:
        async def observe(self):
            raise ValueError("a fault of the observer")

    class Hanging:
        async def observe(self):
            await asyncio.sleep(1e6)

    async def story():
        world = World()
        kinds = [synthetic_kind(name, Wanted({"x": 1})) for name in "abc"]
        engine = synthetic_engine(world, *kinds)
        node = engine.node
        engine.declare(replace(node, observers={**node.observers, "a": Broken(), "b": Hanging()}))
        return world, await engine.converge()

    world, report = run_virtual(story())
    assert world.acts == ["c.x"]
    reasons = {item.kind: item.reason for item in report.remaining.unobserved}
    assert reasons == {"a": "ValueError: a fault of the observer", "b": "no answer within 10 s"}


def test_a_moved_world_makes_an_operation_stale_and_nothing_is_done():
    class Mover:
        """Moves the world between looking and acting."""

        def __init__(self, world, inner):
            self.world, self.inner = world, inner

        async def holds(self, operation):
            self.world.there["a"]["x"] = 99
            return await self.inner.holds(operation)

        async def act(self, operation, tell):
            raise AssertionError("must not act on a stale precondition")

    world = World(there={"a": {"x": 1}})
    engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 2})))
    node = engine.node
    engine.declare(replace(node, actors={"a": Mover(world, node.actors["a"])}))
    report = converge(engine)
    assert results(report) == {"a.x": Result.STALE}
    assert report.exit_code is Exit.STALE


def test_a_saved_plan_is_applied_exactly_or_refused():
    async def story():
        world = World()
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        saved = await engine.plan()
        world.there["a"] = {"y": 3}
        with pytest.raises(StalePlan, match=r"moved: a\.y"):
            await engine.converge(expected=saved)
        assert world.acts == []
        world.there["a"] = {}
        return await engine.converge(expected=saved)

    assert run_virtual(story()).exit_code is Exit.OK


def test_an_actors_own_fault_is_an_outcome_and_other_lanes_finish():
    world = World(faults={"a.x": ["bug"]})
    report = converge(synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1, "y": 1}))))
    assert results(report) == {"a.x": Result.FAILED, "a.y": Result.DONE}
    assert report.outcomes[0].detail == "a fault of the actor"


def test_a_node_without_actors_is_planned_and_left_alone():
    world = World()
    engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
    engine.declare(replace(engine.node, actors={}))
    report = converge(engine)
    assert results(report) == {"a.x": Result.SKIPPED}
    assert world.acts == []


def test_a_request_is_an_event_and_reaches_the_kinds():
    engine = synthetic_engine(World(), synthetic_kind("a", Wanted({})))
    run_virtual(_requested(engine))
    assert engine.journal.memory().requests == {"a.x": "token-1"}
    assert engine.journal.events()[-1].name == "target.requested"


async def _requested(engine: Engine) -> None:
    engine.request("a.x", "token-1", by="ann")


def test_transition_times_move_only_with_the_status_and_outlive_the_operator():
    async def story():
        world, journal = World(), MemoryJournal()
        kind = synthetic_kind("a", Wanted({"x": 1}))
        first = await synthetic_engine(world, kind, journal=journal).converge()
        await asyncio.sleep(500)
        second = await synthetic_engine(world, kind, journal=journal).converge()
        world.blind.add("a")
        await asyncio.sleep(500)
        third = await synthetic_engine(world, kind, journal=journal).converge()
        return [next(c for c in r.conditions if c.type == "Ready") for r in (first, second, third)]

    first, second, third = run_virtual(story())
    assert second.last_transition_at == first.last_transition_at
    assert (first.status, third.status) == (Truth.TRUE, Truth.UNKNOWN)
    assert third.last_transition_at > second.last_transition_at + 400


def test_history_folds_equal_runs_and_events_tell_only_news():
    async def story():
        world, journal = World(), MemoryJournal()
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})), journal=journal)
        for _ in range(5):
            await engine.converge()
            await asyncio.sleep(10)
        return journal

    journal = run_virtual(story())
    assert [(run.result, run.count) for run in journal.runs()] == [("ok", 5)]
    names = [event.name for event in journal.events()]
    assert names == ["plan.created", "operation.applied", "condition.changed", "condition.changed"]


def test_what_is_done_is_told_at_once_and_not_when_the_slowest_act_ends():
    async def story():
        world = World(faults={"a.slow": ["hang"]})
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"slow": 1, "quick": 1})))
        running = asyncio.ensure_future(engine.converge())
        await asyncio.sleep(5)
        told = [(event.name, event.fields.get("target")) for event in engine.journal.events()]
        await running
        return told

    assert ("operation.applied", "a.quick") in run_virtual(story())


def test_a_node_declared_anew_is_what_the_next_run_wants():
    async def story():
        world, clock = World(), VirtualClock()
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        await engine.converge()
        engine.declare(synthetic_node(world, synthetic_kind("a", Wanted({"x": 2})), now=clock.now))
        report = await engine.converge()
        return world, report

    world, report = run_virtual(story())
    assert world.there["a"] == {"x": 2}
    assert report.plan.previous_revision is not None
