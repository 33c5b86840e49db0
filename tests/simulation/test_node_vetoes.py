"""Children that cannot start: tried for a minute, then given up and said so, and tried again seldom."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.core.clock import run_virtual
from reconciler.core.exitcodes import Exit
from reconciler.core.values import Standing
from reconciler.operator.stopping import forget_serving
from reconciler.resources.edge.state import PortHolder


@pytest.mark.parametrize("fault", ["die", "fail"])
def test_a_runtime_that_cannot_start_is_given_up_after_seven_tries_until_forced(node, fault):
    async def story():
        node.world.faults["start"] = [fault] * 20
        operator = node.operator()
        for _ in range(10):
            report = await operator.engine.converge()
            await asyncio.sleep(72)
        tries = 20 - len(node.world.faults["start"])
        node.world.faults.clear()
        unforced = await operator.engine.converge()
        forced = await operator.engine.converge(force=True)
        await asyncio.sleep(1)
        return tries, report, unforced, forced

    tries, report, unforced, forced = run_virtual(story())
    assert tries == 7
    (veto,) = report.status.vetoes
    assert veto.target == "runtime.process"
    assert "given up after 7 tries" in veto.reason
    conditions = {condition.type: condition for condition in report.conditions}
    assert conditions["Stalled"].reason == "Vetoed"
    assert "runtime.process" in conditions["Stalled"].message
    assert "Reconciling" not in conditions, "what stands after it does not move either"
    standings = {step.operation.id: step.standing for step in report.remaining.steps}
    assert standings["runtime.route"] is Standing.BLOCKED
    assert unforced.exit_code is Exit.BLOCKED
    assert forced.exit_code is Exit.OK
    assert not forced.status.vetoes


def test_a_killed_runtime_whose_successors_cannot_start_is_given_up_too(node):
    async def story():
        await node.come_up()
        node.world.kill_runtime()
        node.world.faults["start"] = ["die"] * 20
        operator = node.operator()
        running = asyncio.ensure_future(operator.loop.run())
        operator.loop.mark("runtime", "child ended")
        await asyncio.sleep(800)
        operator.loop.stop()
        await running
        return 20 - len(node.world.faults["start"]), operator.loop.latest

    tries, latest = run_virtual(story())
    assert tries == 7
    standings = {step.operation.id: step.standing for step in latest.remaining.steps}
    assert standings["runtime.process:start"] is Standing.VETOED


def test_a_killed_runtime_comes_back_by_itself_after_an_outage_of_minutes(node):
    async def story():
        await node.come_up()
        node.world.kill_runtime()
        node.world.faults["start"] = ["fail"] * 100
        operator = node.operator()
        running = asyncio.ensure_future(operator.loop.run())
        operator.loop.mark("runtime", "child ended")
        await asyncio.sleep(600)
        given_up = operator.loop.latest
        node.world.faults.clear()
        await asyncio.sleep(600)
        operator.loop.stop()
        await running
        return given_up, operator.loop.latest

    given_up, latest = run_virtual(story())
    assert [veto.target for veto in given_up.status.vetoes] == ["runtime.process"]
    assert latest.remaining.is_empty
    assert latest.status.vetoes == ()


def test_an_edge_that_cannot_start_is_given_up_after_seven_tries(node):
    async def story():
        node.world.faults["edge"] = ["die"] * 20
        operator = node.operator()
        for _ in range(10):
            report = await operator.engine.converge()
            await asyncio.sleep(72)
        return 20 - len(node.world.faults["edge"]), report

    tries, report = run_virtual(story())
    assert tries == 7
    assert [veto.target for veto in report.status.vetoes] == ["edge.process"]


def test_an_edge_starts_by_itself_once_its_port_is_free(node):
    async def story():
        node.world.port_holder = PortHolder(pid=9, command="livepeer")
        operator = node.operator()
        for _ in range(3):
            report = await operator.engine.converge()
            await asyncio.sleep(400)
        node.world.port_holder = None
        return report, await operator.engine.converge()

    report, freed = run_virtual(story())
    assert [veto.target for veto in report.status.vetoes] == ["edge.process"]
    assert "port 8935 is in use by pid 9 (livepeer)" in report.status.vetoes[0].reason
    assert freed.exit_code is Exit.OK


def test_a_node_that_was_stopped_is_tried_afresh(node):
    async def story():
        node.world.faults["start"] = ["die"] * 7
        for _ in range(8):
            report = await node.operator().engine.converge()
            await asyncio.sleep(72)
        forget_serving(node.journal)
        return report, (await node.operator().converge_to_the_end())[-1]

    report, started = run_virtual(story())
    assert [veto.target for veto in report.status.vetoes] == ["runtime.process"]
    assert started.exit_code is Exit.OK


@pytest.mark.parametrize(("fault", "target"), [("start", "runtime.process"), ("edge", "edge.process")])
def test_a_restart_asked_for_by_hand_is_tried_whatever_failed_before(node, fault, target):
    async def story():
        node.world.faults[fault] = ["die"] * 7
        operator = node.operator()
        for _ in range(8):
            report = await operator.engine.converge()
            await asyncio.sleep(72)
        operator.engine.request(target, "T1", by="a person")
        return report, (await operator.converge_to_the_end())[-1]

    report, asked = run_virtual(story())
    assert [veto.target for veto in report.status.vetoes] == [target]
    assert asked.exit_code is Exit.OK
