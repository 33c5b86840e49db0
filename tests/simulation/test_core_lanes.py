"""Lanes, selections and policies: what may run beside what, and what waits for whom."""

from __future__ import annotations

import asyncio

from reconciler.core.clock import run_virtual
from reconciler.core.engine import Engine, Report
from reconciler.core.exitcodes import Exit
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.node import Policy
from reconciler.core.values import Result
from tests.simulation.synthetic import (
    Wanted,
    World,
    synthetic_engine,
    synthetic_kind,
)


def converge(engine: Engine, **how) -> Report:
    return run_virtual(engine.converge(**how))


def results(report: Report) -> dict[str, Result]:
    return {outcome.operation.id: outcome.result for outcome in report.outcomes}


def test_operations_of_one_lane_never_overlap():
    world = World()
    kinds = [synthetic_kind(name, Wanted({f"x{i}": 1 for i in range(5)}, lane="one")) for name in "ab"]
    report = converge(synthetic_engine(world, *kinds))
    assert report.exit_code is Exit.OK
    assert world.most_overlapping == 1


def test_a_lane_holds_between_runs_that_overlap():
    async def story():
        world = World()
        kinds = [synthetic_kind(name, Wanted({"x": 1}, lane="one")) for name in "ab"]
        engine = synthetic_engine(world, *kinds)
        runs = [engine.converge(only=frozenset({name})) for name in "ab"]
        await asyncio.gather(*runs)
        return world

    world = run_virtual(story())
    assert world.there == {"a": {"x": 1}, "b": {"x": 1}}
    assert world.most_overlapping == 1


def test_lanes_run_side_by_side_up_to_a_bound():
    world = World()
    wanted = Wanted({f"x{i}": 1 for i in range(30)})
    report = converge(synthetic_engine(world, synthetic_kind("a", wanted)))
    assert report.exit_code is Exit.OK
    assert world.most_overlapping == 10, "as many as allowed at once, no more"


def test_protected_actions_and_reported_drift_wait_for_a_person():
    world, journal = World(there={"a": {"x": 1}}), MemoryJournal()
    policy = Policy(protect=frozenset({"a.update", "a.create"}), report_drift=frozenset({"b"}))
    kinds = [synthetic_kind("a", Wanted({"x": 2, "new": 1})), synthetic_kind("b", Wanted({"y": 1}))]
    engine = synthetic_engine(world, *kinds, journal=journal, policy=policy)
    report = converge(engine)
    assert world.there == {"a": {"x": 1, "new": 1}, "b": {"y": 1}}, "protection never blocks creating"
    assert report.exit_code is Exit.PARTLY or report.exit_code is Exit.BLOCKED
    world.there["b"]["y"] = 5
    reasons = {s.operation.id: s.reason for s in run_virtual(engine.plan()).steps}
    assert "automation.protect holds a.update" in reasons["a.x"]
    assert "reported, not healed" in reasons["b.y"]


def test_only_some_kinds_are_worked_on_and_what_they_depend_on_elsewhere_is_waited_for():
    world = World()
    kinds = [
        synthetic_kind("a", Wanted({"x": 1})),
        synthetic_kind("b", Wanted({"y": 1, "z": 1}, after={"y": ("a.x",)})),
    ]
    engine = synthetic_engine(world, *kinds)
    report = converge(engine, only=frozenset({"b"}))
    assert results(report) == {"b.y": Result.WAITING, "b.z": Result.DONE}
    assert converge(engine, only=frozenset({"a"})).outcomes[0].result is Result.DONE
    assert converge(engine, only=frozenset({"b"})).exit_code is Exit.OK
