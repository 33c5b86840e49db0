"""The loop over a synthetic world: events, resync, backoff, containment, reload."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest

from reconciler.core.clock import VirtualClock, run_virtual
from reconciler.core.engine import Engine
from reconciler.core.errors import ConfigError, JournalError, Unreachable
from reconciler.core.exitcodes import Exit
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.loop import Loop, Pace
from reconciler.core.values import Diagnostic, Severity, Source, Truth
from tests.simulation.synthetic import Wanted, World, synthetic_kind, synthetic_node


class Stage:
    """A running loop with its world; `wanted` is what the file says now."""

    def __init__(self, wanted: dict[str, Wanted], world: World | None = None, pace: Pace | None = None):
        self.world = world or World()
        self.wanted = wanted
        self.refusal: Exception | None = None
        self.clock = VirtualClock()
        self.reports = []
        self.engine = Engine(self.load(), MemoryJournal(), clock=self.clock, random=Random(1))
        self.loop = Loop(
            self.engine,
            self.load,
            clock=self.clock,
            random=Random(2),
            pace=pace or Pace(),
            on_report=self.reports.append,
        )

    def load(self):
        if self.refusal is not None:
            raise self.refusal
        kinds = [synthetic_kind(name, wanted) for name, wanted in self.wanted.items()]
        return synthetic_node(self.world, *kinds, now=self.clock.now)

    @property
    def names(self):
        return [event.name for event in self.engine.journal.events()]

    @asynccontextmanager
    async def running(self):
        task = asyncio.ensure_future(self.loop.run())
        try:
            yield self
        finally:
            self.loop.stop()
            await task


def test_start_converges_and_a_lost_event_costs_one_resync_at_most():
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(5)
            assert stage.world.there == {"a": {"x": 1}}
            stage.world.there["a"]["x"] = 2
            await asyncio.sleep(40)
            return stage

    stage = run_virtual(story())
    assert stage.world.there == {"a": {"x": 1}}
    assert stage.loop.latest.exit_code is Exit.OK


def test_a_marked_key_is_healed_at_once():
    async def story():
        async with Stage({"a": Wanted({"x": 1}), "b": Wanted({"y": 1})}).running() as stage:
            await asyncio.sleep(5)
            stage.world.there["a"]["x"] = 2
            stage.loop.mark("a", "child ended")
            stage.loop.mark("nobody", "not declared")
            await asyncio.sleep(0.6)
            return dict(stage.world.there["a"])

    assert run_virtual(story()) == {"x": 1}


def test_keys_of_different_kinds_converge_their_common_graph():
    async def story():
        wanted = {
            "a": Wanted({"x": 1}, after={"x": ("b.y",)}),
            "b": Wanted({"y": 1}, after={"y": ("c.z",)}),
            "c": Wanted({"z": 1}),
        }
        async with Stage(wanted).running() as stage:
            await asyncio.sleep(5)
            for there in stage.world.there.values():
                there.clear()
            stage.loop.mark("a", "only one of them is heard of")
            await asyncio.sleep(5)
            return stage

    stage = run_virtual(story())
    assert stage.world.there == {"a": {"x": 1}, "b": {"y": 1}, "c": {"z": 1}}
    assert stage.world.acts[-3:] == ["c.z", "b.y", "a.x"]


def test_a_long_act_of_one_kind_does_not_hold_up_another():
    async def story():
        world = World(act_s=20.0)
        async with Stage({"a": Wanted({"x": 1}), "b": Wanted({"y": 1})}, world).running() as stage:
            await asyncio.sleep(1)  # both acts are under way
            world.act_s = 0.0
            await asyncio.sleep(25)
            world.act_s = 29.0
            stage.world.there["a"]["x"] = 5
            stage.loop.mark("a", "moved")
            await asyncio.sleep(1)
            world.act_s = 0.0
            stage.world.there["b"]["y"] = 5
            stage.loop.mark("b", "moved")
            await asyncio.sleep(1)
            return dict(world.there["a"]), dict(world.there["b"]), len(stage.reports)

    a, b, runs = run_virtual(story())
    assert (a, b) == ({"x": 5}, {"y": 1})
    assert runs < 15, "waiting for the long act does not spin"


def test_waiting_for_an_act_elsewhere_does_not_spin():
    async def story():
        world = World(act_s=25.0)
        wanted = {"a": Wanted({"x": 1}, after={"x": ("b.y",)}), "b": Wanted({"y": 1})}
        async with Stage(wanted, world).running() as stage:
            await asyncio.sleep(1)
            for _ in range(10):
                stage.loop.mark("a", "tick")
                await asyncio.sleep(2)
            await asyncio.sleep(60)
            return stage

    stage = run_virtual(story())
    assert stage.world.there == {"a": {"x": 1}, "b": {"y": 1}}
    assert len(stage.reports) < 30


def test_a_failing_difference_is_tried_three_times_and_then_left_alone():
    async def story():
        world = World(faults={"a.x": ["fail"] * 100})
        async with Stage({"a": Wanted({"x": 1})}, world).running() as stage:
            await asyncio.sleep(3600)
            return stage

    stage = run_virtual(story())
    assert len(stage.world.faults["a.x"]) == 97
    assert stage.names.count("operation.failed") == 3
    assert stage.names.count("operation.vetoed") == 1
    assert stage.loop.figures.vetoed_total == 1
    assert stage.loop.figures.actuations["a", "failed"] == 3


def test_a_broken_run_is_contained_recorded_and_tried_again():
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(5)
            good = stage.world.there["a"]
            stage.world.there["a"] = {1: "the planner cannot sort nor compare this", "x": object()}
            stage.loop.mark("a", "moved")
            await asyncio.sleep(10)
            stage.world.there["a"] = good
            await asyncio.sleep(60)
            return stage

    stage = run_virtual(story())
    figures = stage.loop.figures
    assert figures.runs["a", "panic"] >= 2
    assert "run.failed" in stage.names
    assert stage.loop.latest.exit_code is Exit.OK
    assert figures.running_since is None


def test_a_journal_that_cannot_be_written_does_not_end_the_loop(monkeypatch):
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(5)
            journal = stage.engine.journal

            def full(*_):
                raise JournalError("no space left on device")

            with monkeypatch.context() as patched:
                patched.setattr(journal, "append_event", full)
                patched.setattr(journal, "begin", full)
                stage.world.there["a"]["x"] = 9
                await asyncio.sleep(60)
                held = dict(stage.world.there["a"])
            await asyncio.sleep(120)
            return held, dict(stage.world.there["a"])

    assert run_virtual(story()) == ({"x": 9}, {"x": 1})


def test_a_run_that_takes_too_long_is_ended_and_its_act_found_again():
    async def story():
        world = World(faults={"a.x": ["hang"]})
        stage = Stage({"a": Wanted({"x": 1})}, world, Pace(run_timeout_s=5.0))
        async with stage.running():
            await asyncio.sleep(60)
            return stage

    stage = run_virtual(story())
    assert "run.timed_out" in stage.names
    assert stage.world.there == {"a": {"x": 1}}
    assert stage.engine.journal.memory().open_intents == ()


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


def test_a_kind_that_cannot_be_seen_is_looked_at_again_with_backoff():
    async def story():
        world = World(blind={"a"})
        stage = Stage({"a": Wanted({"x": 1})}, world, Pace(resync_s=1e6))
        async with stage.running():
            await asyncio.sleep(600)
            looks = len(stage.reports)
            world.blind.clear()
            await asyncio.sleep(70)
            return looks, dict(world.there)

    looks, there = run_virtual(story())
    assert 8 < looks < 30
    assert there == {"a": {"x": 1}}


def test_resyncs_are_jittered_around_their_interval():
    async def story():
        async with Stage({"a": Wanted({"x": 1})}).running() as stage:
            await asyncio.sleep(3000)
            return [report.remaining.created_at for report in stage.reports]

    times = run_virtual(story())
    gaps = [b - a for a, b in pairwise(times[2:])]
    assert all(26.9 < gap < 33.1 for gap in gaps)
    assert len({round(gap, 3) for gap in gaps}) > 10
    assert 27 < sum(gaps) / len(gaps) < 33


def test_stopping_waits_for_the_act_under_way():
    async def story():
        world = World(act_s=10.0)
        stage = Stage({"a": Wanted({"x": 1})}, world)
        async with stage.running():
            await asyncio.sleep(1)
        return world.there

    assert run_virtual(story()) == {"a": {"x": 1}}


def test_cancelling_leaves_the_intent_for_the_next_operator():
    async def story():
        world = World(act_s=10.0)
        stage = Stage({"a": Wanted({"x": 1})}, world)
        task = asyncio.ensure_future(stage.loop.run())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [intent.target for intent in stage.engine.journal.memory().open_intents]

    assert run_virtual(story()) == ["a.x"]


def test_every_series_exists_before_anything_happened():
    async def story():
        return Stage({"a": Wanted({})}).loop.figures

    assert run_virtual(story()).actuations["a", "unknown"] == 0
