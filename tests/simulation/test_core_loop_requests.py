"""What is asked of a running loop: another file, a suspension, a run now, a forced one."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.core.clock import run_virtual
from reconciler.core.errors import ConfigError, Unreachable
from reconciler.core.exitcodes import Exit
from reconciler.core.values import Diagnostic, Severity, Source, Truth
from tests.simulation.stage import Stage
from tests.simulation.synthetic import Wanted, World


def test_a_changed_file_is_taken_and_a_bad_one_keeps_the_last_good():
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(5)
            stage.refusal = ConfigError(
                (
                    Diagnostic(Severity.ERROR, "unknown key `prise`", source=Source("orchestrator.yaml", 3)),
                    Diagnostic(Severity.ERROR, "another"),
                )
            )
            stage.wanted = {"a": Wanted({"x": 2})}
            stage.loop.reload("file changed")
            await asyncio.sleep(5)
            held = dict(stage.world.there["a"])
            conditions = {c.type: c for c in stage.loop.latest.conditions}
            stage.refusal = None
            stage.loop.reload("file changed")
            await asyncio.sleep(5)
            return stage, held, conditions

    stage, held, conditions = run_virtual(story())
    assert held == {"x": 1}
    assert conditions["Ready"].status is Truth.FALSE
    assert (
        "orchestrator.yaml:3: unknown key `prise` (and 1 more)" in conditions["DeclarationRejected"].message
    )
    assert stage.world.there["a"] == {"x": 2}
    after = {c.type for c in stage.loop.latest.conditions}
    assert "DeclarationRejected" not in after
    assert stage.names.count("declaration.rejected") == 1
    assert stage.names.count("declaration.loaded") == 1


def test_new_kinds_of_a_changed_file_are_worked_on():
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(5)
            stage.wanted = {"a": Wanted({"x": 1}), "b": Wanted({"y": 1})}
            stage.loop.reload("file changed")
            await asyncio.sleep(5)
            return stage

    stage = run_virtual(story())
    assert stage.world.there["b"] == {"y": 1}
    assert stage.loop.figures.actuations["b", "done"] == 1


def test_suspended_the_loop_looks_and_reports_and_does_nothing():
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(5)
            stage.engine.suspend(reason="moving", by="ann")
            stage.world.there["a"]["x"] = 9
            acts = len(stage.world.acts)
            report = await stage.loop.handle("asked")
            await asyncio.sleep(300)
            same = len(stage.world.acts) == acts
            stage.engine.resume(by="ann")
            freed = await stage.loop.handle("resumed")
            return same, report, freed

    same, report, freed = run_virtual(story())
    assert same
    assert report.exit_code is Exit.BLOCKED
    assert freed.exit_code is Exit.OK


def test_a_handled_request_waits_for_a_run_that_began_after_it():
    async def story():
        world = World(act_s=10.0)
        async with Stage({"a": Wanted({"x": 1})}, world).running() as stage:
            await asyncio.sleep(5)  # the first run is acting
            world.act_s = 0.0
            stage.wanted = {"a": Wanted({"x": 2})}
            stage.loop.reload("file changed")
            report = await stage.loop.handle("asked")
            return report, dict(world.there["a"])

    report, there = run_virtual(story())
    assert there == {"x": 2}
    assert report.exit_code is Exit.OK


def test_a_request_hears_of_all_runs_that_it_took():
    async def story():
        world = World(act_s=5.0)
        async with Stage({"a": Wanted({"x": 1}), "b": Wanted({"y": 1})}, world).running() as stage:
            await asyncio.sleep(20)
            world.there["a"]["x"] = 2
            stage.loop.mark("a", "moved")
            await asyncio.sleep(1)  # heals for five seconds
            world.there["b"]["y"] = 2
            world.faults["b.y"] = ["fail"]
            report = await stage.loop.handle("asked")
            return {o.operation.id: o.result.value for o in report.outcomes}, report.exit_code

    results, code = run_virtual(story())
    assert results["b.y"] == "failed"
    assert code in {Exit.ERROR, Exit.PARTLY}


def test_a_request_to_an_ending_loop_is_told_so():
    async def story():
        world = World(act_s=50.0)
        stage = Stage({"a": Wanted({"x": 1})}, world)
        async with stage.running():
            await asyncio.sleep(1)
            asking = asyncio.ensure_future(stage.loop.handle("asked"))
            await asyncio.sleep(1)
        with pytest.raises(Unreachable, match="ending"):
            await asking

    run_virtual(story())


def test_a_fault_in_loading_keeps_the_last_good_state():
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(5)
            stage.refusal = ZeroDivisionError("a fault of the loader")
            stage.loop.reload("file changed")
            await asyncio.sleep(5)
            return {c.type: c.message for c in stage.loop.latest.conditions}

    assert "ZeroDivisionError: a fault of the loader" in run_virtual(story())["DeclarationRejected"]


def test_force_through_the_loop_lifts_a_veto():
    async def story():
        world = World(faults={"a.x": ["never"]})
        async with Stage({"a": Wanted({"x": 1})}, world).running() as stage:
            await asyncio.sleep(100)
            before = stage.loop.latest.exit_code
            after = await stage.loop.handle("asked", force=True)
            return before, after.exit_code

    assert run_virtual(story()) == (Exit.BLOCKED, Exit.OK)
