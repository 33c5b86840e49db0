"""The loop over a synthetic world: events, resync, backoff, containment, reload."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from reconciler.core.clock import run_virtual
from reconciler.core.errors import JournalError
from reconciler.core.exitcodes import Exit
from reconciler.core.loop import Pace
from tests.simulation.stage import Stage
from tests.simulation.synthetic import Wanted, World


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


def test_a_failing_difference_is_tried_for_a_minute_and_then_seldom():
    async def story():
        world = World(faults={"a.x": ["fail"] * 100})
        async with Stage({"a": Wanted({"x": 1})}, world).running() as stage:
            await asyncio.sleep(3600)
            return stage

    stage = run_virtual(story())
    tried_at = [event.at for event in stage.engine.journal.events() if event.name == "operation.failed"]
    pauses = [later - earlier for earlier, later in pairwise(tried_at)]
    assert len(tried_at) == 100 - len(stage.world.faults["a.x"]) == 7 + 3
    assert 50 < sum(pauses[:6]) < 90, "the first seven span about a minute"
    assert all(900 <= pause < 960 for pause in pauses[6:]), "then one in a quarter of an hour"
    assert stage.names.count("operation.vetoed") == 1 + 3, "each failure after that is one more veto"
    assert stage.loop.figures.actuations["a", "failed"] == 10


def test_what_was_given_up_heals_by_itself_after_the_outage():
    async def story():
        world = World(faults={"a.x": ["fail"] * 100})
        async with Stage({"a": Wanted({"x": 1})}, world).running() as stage:
            await asyncio.sleep(300)
            given_up = stage.loop.latest
            world.faults.clear()
            await asyncio.sleep(850)
            return given_up, stage.loop.latest

    given_up, healed = run_virtual(story())
    (veto,) = given_up.status.vetoes
    assert given_up.exit_code is Exit.BLOCKED
    assert given_up.status.next_try_at == veto.next_try_at > given_up.status.at
    assert healed.exit_code is Exit.OK
    assert not healed.status.vetoes
    assert not healed.after.memory.failures


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
