"""The operator dies at every possible place, and the next one goes on from there.

Every write to the journal is a place to die before and after; every act is one, too. The places are counted
by running the story once, then each is visited. What must hold afterwards: the world is as declared, the next
plan is empty, no act that cannot be repeated harmlessly happened twice, and the journal has no loose end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import count
from random import Random

import pytest

from reconciler.core.clock import VirtualClock, run_virtual
from reconciler.core.engine import Engine
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.journal_sqlite import SqliteJournal
from reconciler.core.loop import Loop
from reconciler.core.values import Standing
from tests.simulation.synthetic import Crash, Wanted, World, synthetic_kind, synthetic_node

WRITES = (
    "begin",
    "finish",
    "settle",
    "remember_failure",
    "forget_failures",
    "remember_repair",
    "remember_applied",
    "remember_attempt",
    "remember_success",
    "remember_healthy",
    "remember_conditions",
    "remember_run",
    "append_event",
)


class Deadly:
    """Counts the places where an operator can die, and dies at the chosen one."""

    def __init__(self, die_at: int | None) -> None:
        self.die_at = die_at
        self.passed = count(1)
        self.seen = 0

    def place(self) -> None:
        self.seen = next(self.passed)
        if self.seen == self.die_at:
            raise Crash

    def journal(self, inner):
        """The same journal, with a place to die before and after each write."""
        outer = self

        class Mortal:
            def __getattr__(self, name):
                method = getattr(inner, name)
                if name not in WRITES:
                    return method

                def write(*args, **kwargs):
                    outer.place()
                    answer = method(*args, **kwargs)
                    outer.place()
                    return answer

                return write

        return Mortal()

    def actor(self, inner):
        outer = self

        class Mortal:
            async def holds(self, operation):
                return await inner.holds(operation)

            async def act(self, operation, tell):
                outer.place()
                answer = await inner.act(operation, tell)
                outer.place()
                return answer

        return Mortal()


KINDS = {
    "a": Wanted({"x": 1, "y": 2}, after={"y": ("a.x",)}),
    "b": Wanted({"z": 3, "s": 4}, after={"z": ("a.y",)}, sharp=frozenset({"s"})),
}


def operator(world: World, journal, deadly: Deadly) -> Engine:
    clock = VirtualClock()
    kinds = [synthetic_kind(name, wanted) for name, wanted in KINDS.items()]
    node = synthetic_node(world, *kinds, now=clock.now)
    mortal = {name: deadly.actor(actor) for name, actor in node.actors.items()}
    return Engine(replace(node, actors=mortal), deadly.journal(journal), clock=clock, random=Random(3))


def fresh_world() -> World:
    return World(there={"a": {"x": 0, "old": 1}, "b": {}}, faults={"a.y": ["lie"]})


async def live_and_die(world: World, journal, deadly: Deadly) -> bool:
    """One operator's life: converge, wait, converge again. True if it lived to the end."""
    survived = False
    try:
        engine = operator(world, journal, deadly)
        for _ in range(3):
            await engine.converge()
            await asyncio.sleep(5)
        survived = True
    except* Crash:
        world.overlapping = 0
        world.running.clear()
    return survived


def places() -> int:
    deadly = Deadly(None)
    assert run_virtual(live_and_die(fresh_world(), MemoryJournal(), deadly))
    return deadly.seen


PLACES = places()


def check_the_end(world: World, journal, last_plan) -> None:
    assert world.there == {"a": {"x": 1, "y": 2}, "b": {"z": 3, "s": 4}}
    assert last_plan.is_empty
    assert Counter(world.acts)["b.s"] == 1, "an act that cannot be repeated happened exactly once"
    assert journal.memory().open_intents == ()


async def go_on(world: World, journal) -> tuple[object, bool]:
    """The next operators, until nothing is left; and whether a person had to say `--force`."""
    engine, forced = operator(world, journal, Deadly(None)), False
    for _ in range(8):
        report = await engine.converge()
        blocked = [step for step in report.remaining.steps if step.standing is Standing.BLOCKED]
        if blocked:
            assert [step.operation.target for step in blocked] == ["b.s"], "only the doubtful one is held"
            assert world.acts.count("b.s") == 0, "what the world shows as done is not in doubt"
            forced = True
            await engine.converge(force=True)
        await asyncio.sleep(300)
    return (await engine.converge()).remaining, forced


def test_there_are_many_places_to_die():
    assert PLACES > 60


@pytest.mark.parametrize("place", range(1, PLACES + 1))
def test_the_next_operator_goes_on_wherever_the_last_one_died(place):
    async def story():
        world, journal = fresh_world(), MemoryJournal()
        assert not await live_and_die(world, journal, Deadly(place))
        remaining, forced = await go_on(world, journal)
        return world, journal, remaining, forced

    world, journal, remaining, _ = run_virtual(story())
    check_the_end(world, journal, remaining)


def test_a_person_is_asked_only_where_the_irreversible_act_may_have_happened():
    async def story(place):
        world, journal = fresh_world(), MemoryJournal()
        await live_and_die(world, journal, Deadly(place))
        return (await go_on(world, journal))[1]

    asked = [place for place in range(1, PLACES + 1) if run_virtual(story(place))]
    assert 1 <= len(asked) <= 10, "only deaths between the intent and the act of that one operation"


@pytest.mark.parametrize("place", range(1, PLACES + 1, 7))
def test_two_deaths_in_a_row_are_survived_on_disk(place, tmp_path):
    async def story():
        world, path = fresh_world(), tmp_path / "operator.db"
        for die_at in (place, 11):
            journal = SqliteJournal.open(path)
            await live_and_die(world, journal, Deadly(die_at))
            journal.close()
        journal = SqliteJournal.open(path)
        remaining, _ = await go_on(world, journal)
        check_the_end(world, journal, remaining)
        journal.close()

    run_virtual(story())


@pytest.mark.parametrize("place", range(1, PLACES + 1, 3))
def test_a_dying_loop_is_followed_by_one_that_converges(place):
    async def story():
        world, journal, deadly = fresh_world(), MemoryJournal(), Deadly(place)
        engine = operator(world, journal, deadly)
        loop = Loop(engine, lambda: engine.node, clock=VirtualClock(), random=Random(4))
        try:
            async with asyncio.timeout(100):
                await loop.run()
        except* (Crash, TimeoutError):
            pass
        engine = operator(world, journal, Deadly(None))
        loop = Loop(engine, lambda: engine.node, clock=VirtualClock(), random=Random(5))
        running = asyncio.ensure_future(loop.run())
        await asyncio.sleep(400)
        if loop.latest.remaining.steps:
            await loop.handle("a person looked", force=True)
        loop.stop()
        await running
        return world, journal, loop.latest.remaining

    world, journal, remaining = run_virtual(story())
    check_the_end(world, journal, remaining)
