"""Everything at once, by seed: kills, faults, blindness, edits, upgrades; then quiet, and all is as declared.

`SIMULATION_SEEDS` sets how many.
"""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest

from reconciler.core.clock import run_virtual
from reconciler.core.values import Plan
from tests.simulation.node import CHANGES, Node
from tests.simulation.node_operator import Operator
from tests.simulation.node_world import Crash


async def _bury(running: asyncio.Task) -> None:
    running.cancel()
    try:
        await running
    except* (Crash, asyncio.CancelledError):
        pass


SEEDS = int(os.environ.get("SIMULATION_SEEDS", "25"))
TROUBLE = ("kill_runtime", "kill_edge", "operator", "put", "start", "blind", "file", "program", "silent")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_any_troubles_the_node_is_as_declared(node, seed):
    random = Random(seed)
    edits = list(CHANGES.values())
    random.shuffle(edits)

    def make_trouble(node: Node, operator: Operator) -> None:
        world = node.world
        match random.choice(TROUBLE):
            case "kill_runtime":
                world.kill_runtime()
                operator.loop.mark("runtime", "child ended")
            case "kill_edge":
                world.kill_edge()
                operator.loop.mark("edge", "child ended")
            case "operator":
                operator.grip.dead = True
            case "put":
                world.faults.setdefault("put", []).append(random.choice(["fail", "lie"]))
            case "start":
                world.faults.setdefault("start", []).append(random.choice(["fail", "die"]))
            case "blind":
                world.blind = set(random.sample(["runtime", "edge", "edge.certificate"], k=1))
            case "file":
                old, new = edits.pop() if edits else ("", "")
                if old in node.declared.text:
                    node.declared.write(old, new)
                operator.loop.reload("file changed")
            case "program":
                node.declared.program = random.choice(["aaaa", "bbbb", "cccc"])
                operator.loop.reload("program changed")
            case "silent":
                for process in world.alive():
                    process.silent = True

    async def story() -> Plan:
        operator = node.operator(seed=seed)
        running = asyncio.ensure_future(operator.loop.run())
        for _ in range(15):
            await asyncio.sleep(random.uniform(0.0, 8.0))
            make_trouble(node, operator)
            if operator.grip.dead:
                await _bury(running)
                operator = node.operator(seed=seed)
                running = asyncio.ensure_future(operator.loop.run())
        node.world.faults.clear()
        node.world.blind.clear()
        operator.loop.reload("the last word")
        await asyncio.sleep(1500)
        if operator.loop.latest.status.vetoes:  # it failed three times in a row: a person has to ask
            await operator.loop.handle("asked", force=True)
            await asyncio.sleep(30)
        operator.loop.stop()
        await running
        await node.check()
        return operator.loop.latest.remaining

    assert run_virtual(story()).is_empty
