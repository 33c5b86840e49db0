"""The node's real kinds on a simulated machine: coming up, changing while clients stream, breaking, dying.

A client asks twenty times a second through the edge; what it loses is what a gateway would lose.
"""

from __future__ import annotations

import asyncio

import pytest

from reconciler.core.clock import run_virtual
from reconciler.core.exitcodes import Exit
from reconciler.core.values import Impact, Origin, Standing, Truth
from tests.simulation.node import CHANGES


def test_a_node_comes_up_from_nothing_and_the_next_plan_is_empty(node):
    async def story():
        await node.come_up()
        await node.check()
        return await node.operator().converge_to_the_end()

    (again,) = run_virtual(story())
    assert again.outcomes == ()
    ready = {condition.type: condition for condition in again.conditions}["Ready"]
    assert (ready.status, ready.message) == (Truth.TRUE, "the node is as declared")
    order = node.world.log
    assert order.index("certificate") < order.index("edge 1")
    assert order.index("start 1") < order.index("route 1")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_file_drops_nothing(node, change):
    async def story():
        await node.come_up()
        node.declared.write(*CHANGES[change])
        operator = node.operator()
        plan = await operator.engine.plan()
        async with node.streaming():
            await asyncio.sleep(1)
            await operator.converge_to_the_end()
            await asyncio.sleep(5)
        await node.check()
        return plan

    plan = run_virtual(story())
    assert plan.steps, "the change is seen"
    assert {step.operation.origin for step in plan.steps} == {Origin.DECLARED}
    assert {step.operation.impact for step in plan.steps} <= {Impact.NONE, Impact.RELOAD}
    assert sum(operation.interrupts for operation in plan.operations) == 0
    assert node.world.dropped == []
    assert node.world.served > 100
    assert not [line for line in node.world.log if line.startswith(("stop", "start 2", "edge 2"))]


def test_another_program_is_started_beside_the_old_one_and_drops_nothing(node):
    async def story():
        await node.come_up()
        node.declared.program = "bbbb"
        async with node.streaming():
            await asyncio.sleep(1)
            await node.operator().converge_to_the_end()
            await asyncio.sleep(5)
        await node.check()

    run_virtual(story())
    assert node.world.dropped == []
    tail = node.world.log[-3:]
    assert tail == ["start 2", "route 2", "stop 1"]


def test_a_restart_asked_for_by_hand_happens_once_and_drops_nothing(node):
    async def story():
        await node.come_up()
        operator = node.operator()
        operator.engine.request("runtime.process", "token-1", by="ann")
        plan = await operator.engine.plan()
        async with node.streaming():
            await operator.converge_to_the_end()
            await asyncio.sleep(5)
            await node.operator().converge_to_the_end()
        await node.check()
        return plan

    plan = run_virtual(story())
    assert {step.operation.origin for step in plan.steps} == {Origin.REQUEST}
    assert node.world.dropped == []
    assert [line for line in node.world.log if line.startswith("start")] == ["start 1", "start 2"]


def test_a_new_program_that_cannot_start_leaves_the_old_one_serving(node):
    async def story():
        await node.come_up()
        node.declared.program = "bbbb"
        node.world.faults["start"] = ["fail", "die", "slow"] * 100
        loop = node.operator().loop
        running = asyncio.ensure_future(loop.run())
        async with node.streaming():
            await asyncio.sleep(3600)
            tries = 300 - len(node.world.faults["start"])
            conditions = {condition.type: condition for condition in loop.latest.conditions}
            node.world.faults.clear()
            await loop.handle("asked", force=True)
            await asyncio.sleep(5)
        loop.stop()
        await running
        await node.check()
        return tries, conditions

    tries, conditions = run_virtual(story())
    assert node.world.dropped == []
    assert 3 <= tries <= 30
    assert conditions["Ready"].status is Truth.FALSE


def test_the_world_moving_is_drift_and_is_healed(node):
    async def story():
        await node.come_up()
        process = node.world.alive()[0]
        process.document = {**process.document, "pricing": {"video": "1"}, "generation": 77}
        plan = await node.operator().engine.plan()
        await node.operator().converge_to_the_end()
        await node.check()
        return plan

    plan = run_virtual(story())
    assert [(step.operation.target, step.operation.origin) for step in plan.steps] == [
        ("runtime.pricing.video", Origin.DRIFT)
    ]


@pytest.mark.parametrize(("killed", "key"), [("kill_runtime", "runtime"), ("kill_edge", "edge")])
def test_a_killed_child_is_back_within_two_seconds(node, killed, key):
    async def story():
        await node.come_up()
        loop = node.operator().loop
        running = asyncio.ensure_future(loop.run())
        await asyncio.sleep(5)
        getattr(node.world, killed)()
        loop.mark(key, "child ended")
        await asyncio.sleep(2)
        healed = node.world.serve_one()
        loop.stop()
        await running
        return healed

    assert run_virtual(story()) == ""


def test_a_runtime_that_dies_all_the_time_is_restarted_ever_more_slowly(node):
    async def story():
        await node.come_up()
        loop = node.operator().loop
        running = asyncio.ensure_future(loop.run())
        starts = []
        for _ in range(3600):
            await asyncio.sleep(1)
            if node.world.alive() and node.world.serve_one() == "":
                node.world.kill_runtime()
                loop.mark("runtime", "child ended")
                starts.append(node.world.now())
        loop.stop()
        await running
        return starts

    starts = run_virtual(story())
    assert starts[3] - starts[0] < 10, "the first deaths are healed at once"
    assert len(starts) < 30, "a crash loop does not spin"


@pytest.mark.parametrize("kind", ["data_directory", "edge.certificate", "runtime", "edge"])
def test_a_kind_that_cannot_be_seen_is_left_alone(node, kind):
    async def story():
        await node.come_up()
        before = list(node.world.log)
        node.world.blind.add(kind)
        node.declared.program = "bbbb"
        node.declared.write("sim.example.com", "new.example.com")
        async with node.streaming():
            for _ in range(5):
                await node.operator().converge_to_the_end()
                await asyncio.sleep(60)
        new = node.world.log[len(before) :]
        node.world.blind.clear()
        await node.operator().converge_to_the_end()
        await asyncio.sleep(60)
        await node.check()
        return new

    new = run_virtual(story())
    assert node.world.dropped == []
    touched = {
        "data_directory": ("certificate", "start", "stop", "route", "edge"),
        "edge.certificate": ("certificate",),
        "runtime": ("start", "stop", "route", "put"),
        "edge": ("edge",),
    }[kind]
    assert not [line for line in new if line.startswith(touched)]


def test_suspended_a_node_is_watched_and_left_alone(node):
    async def story():
        await node.come_up()
        operator = node.operator()
        operator.engine.suspend(reason="night", by="ann")
        node.declared.write(*CHANGES["price"])
        before = list(node.world.log)
        node.world.kill_runtime()
        reports = await node.operator().converge_to_the_end()
        assert node.world.log == before
        return reports[-1]

    report = run_virtual(story())
    assert report.exit_code is Exit.BLOCKED
    assert {step.standing for step in report.remaining.steps} == {Standing.BLOCKED}
