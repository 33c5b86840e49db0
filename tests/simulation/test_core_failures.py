"""What fails, hangs, lies or keeps breaking: outcomes, pauses, vetoes, doubts."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from reconciler.core.clock import run_virtual
from reconciler.core.engine import Engine, Report
from reconciler.core.errors import JournalError
from reconciler.core.exitcodes import Exit
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.values import Result, Standing
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


def test_what_depends_on_a_failure_is_skipped_and_the_rest_goes_on():
    world = World(faults={"a.x": ["fail"]})
    wanted = Wanted({"x": 1, "y": 1, "z": 1}, after={"y": ("a.x",)})
    report = converge(synthetic_engine(world, synthetic_kind("a", wanted)))
    assert results(report) == {"a.x": Result.FAILED, "a.y": Result.SKIPPED, "a.z": Result.DONE}
    assert report.exit_code is Exit.PARTLY


def test_a_failed_operation_waits_before_it_is_tried_again():
    async def story():
        world = World(faults={"a.x": ["fail"]})
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        first = await engine.converge()
        second = await engine.converge()
        await asyncio.sleep(2)
        third = await engine.converge()
        return [report.outcomes[0].result for report in (first, second, third)]

    assert run_virtual(story()) == [Result.FAILED, Result.WAITING, Result.DONE]


def test_retry_after_of_the_other_side_beats_the_backoff():
    async def story():
        world = World(faults={"a.x": ["later"]})
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        report = await engine.converge()
        until = report.remaining.steps[0].until
        return until - report.outcomes[0].ended_at

    assert run_virtual(story()) == pytest.approx(120.0)


def test_the_same_difference_is_vetoed_after_seven_failures_until_the_file_changes():
    async def story():
        world, journal = World(faults={"a.x": ["fail"] * 8}), MemoryJournal()
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})), journal=journal)
        for _ in range(10):
            report = await engine.converge()
            await asyncio.sleep(70)
        left_over = list(world.faults["a.x"])
        vetoed = report
        other = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 2})), journal=journal)
        world.faults.clear()
        return left_over, vetoed, await other.converge(), journal

    left_over, vetoed, other, journal = run_virtual(story())
    assert left_over == ["fail"], "only seven tries"
    assert vetoed.remaining.steps[0].standing is Standing.VETOED
    assert vetoed.exit_code is Exit.BLOCKED
    assert vetoed.status.vetoes[0].target == "a.x"
    assert "it did not work" in vetoed.status.vetoes[0].reason
    assert {c.type: c.reason for c in vetoed.conditions}["Stalled"] == "Vetoed"
    assert other.exit_code is Exit.OK
    assert [e.name for e in journal.events() if e.name == "operation.vetoed"] == ["operation.vetoed"]


def test_force_tries_a_vetoed_difference_again():
    async def story():
        world = World(faults={"a.x": ["never"]})
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        first = await engine.converge()
        second = await engine.converge()
        return first, second, await engine.converge(force=True)

    first, second, third = run_virtual(story())
    assert first.remaining.steps[0].standing is Standing.VETOED, "a terminal failure is vetoed at once"
    assert second.outcomes[0].result is Result.WAITING
    assert third.exit_code is Exit.OK


def test_nothing_is_done_that_cannot_be_written_down():
    class FullDisk(MemoryJournal):
        def begin(self, operation, plan_id, at):
            raise JournalError("no space left on device")

    world = World()
    kind = synthetic_kind("a", Wanted({"x": 1, "y": 1}))
    with pytest.raises(JournalError, match="no space left"):
        converge(synthetic_engine(world, kind, journal=FullDisk()))
    assert world.there == {}


def test_an_operation_that_takes_too_long_is_ended():
    world = World(faults={"a.x": ["hang"]})
    report = converge(synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1}))))
    assert results(report) == {"a.x": Result.FAILED}
    assert report.outcomes[0].detail == "not done within 30 s"


@pytest.mark.parametrize("fault", ["hang", "doubt", "bug"])
def test_an_irreversible_act_of_unknown_end_is_not_repeated_but_settled_by_looking(fault):
    async def story():
        world = World(faults={"a.x": [fault]})
        wanted = Wanted({"x": 1}, sharp=frozenset({"x"}))
        engine = synthetic_engine(world, synthetic_kind("a", wanted))
        first = await engine.converge()
        await asyncio.sleep(1000)
        second = await engine.converge()
        acts_of_ours = list(world.acts)
        world.there["a"] = {"x": 1}
        third = await engine.converge()
        return first, second, acts_of_ours, third, engine.journal.memory()

    first, second, acts, third, memory = run_virtual(story())
    assert first.exit_code is Exit.UNKNOWN
    if fault == "doubt":  # it had happened: looking shows it, and the doubt is gone
        assert second.exit_code is Exit.OK
    else:
        assert second.remaining.steps[0].standing is Standing.BLOCKED
        assert "outcome is unknown" in second.remaining.steps[0].reason
        assert acts == []
    assert third.exit_code is Exit.OK
    assert memory.open_intents == ()


def test_a_healed_target_that_keeps_breaking_is_healed_at_once_a_few_times_and_then_slower():
    async def story():
        world = World(act_s=0.0)
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        healed_at = []
        for _ in range(4000):
            report = await engine.converge()
            if report.changed:
                healed_at.append(report.outcomes[0].ended_at)
                world.there["a"].pop("x")
            await asyncio.sleep(0.25)
        return [round(b - a, 2) for a, b in pairwise(healed_at)]

    gaps = run_virtual(story())
    assert gaps[:4] == [0.25] * 4
    assert gaps[4] >= 1.0
    assert all(later > 1.5 * earlier for earlier, later in pairwise(gaps[4:9]))


def test_an_act_that_says_it_did_and_did_not_is_slowed_down_too():
    async def story():
        world = World(act_s=0.0, faults={"a.x": ["idle"] * 1000})
        engine = synthetic_engine(world, synthetic_kind("a", Wanted({"x": 1})))
        for _ in range(400):
            await engine.converge()
            await asyncio.sleep(0.25)
        return 1000 - len(world.faults["a.x"])

    assert run_virtual(story()) < 15
