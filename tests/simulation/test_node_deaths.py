"""The operator is killed at every place of a story, and again; children serve on, the next one finishes."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.core.clock import run_virtual
from tests.simulation.node import CHANGES, Node
from tests.simulation.node_operator import Operator
from tests.simulation.node_world import Crash


def _nothing(node: Node) -> None:
    """Coming up from an empty machine."""


def _price_and_sessions(node: Node) -> None:
    node.declared.write(*CHANGES["price"])
    node.declared.write(*CHANGES["sessions up"])


def _program(node: Node) -> None:
    node.declared.program = "bbbb"


def _dead_runtime(node: Node) -> None:
    node.world.kill_runtime()


def _dead_edge_and_name(node: Node) -> None:
    node.world.kill_edge()
    node.declared.write(*CHANGES["service name"])


STORIES = {
    "from nothing": (_nothing, False),
    "price and sessions": (_price_and_sessions, True),
    "another program": (_program, True),
    "a dead runtime": (_dead_runtime, True),
    "a dead edge and another name": (_dead_edge_and_name, True),
}
DROPS_NOTHING = {"price and sessions", "another program"}


async def _die(operator: Operator) -> bool:
    died = False
    try:
        await operator.converge_to_the_end()
    except* Crash:
        died = True
    return died


@pytest.mark.timeout(300)  # hundreds of lives each
@pytest.mark.parametrize("story", STORIES)
def test_wherever_the_operator_is_killed_the_next_one_finishes(declared_before, tmp_path, story):
    """Every place of the story in turn, and a second death of the next operator somewhere."""
    begin, comes_up_first = STORIES[story]

    async def live(place: int) -> tuple[bool, Node]:
        node = Node(declared_before, tmp_path)
        node.world.cache_file.unlink(missing_ok=True)
        if comes_up_first:
            await node.come_up()
        begin(node)
        async with node.streaming():
            died = await _die(node.operator(place))
            await asyncio.sleep(0.3)
            await _die(node.operator(1 + place * 7 % 23))
            await asyncio.sleep(3)
            for _ in range(6):
                await node.operator().converge_to_the_end()
                await asyncio.sleep(20)
        await node.check()
        return died, node

    place = 1
    while True:
        died, node = run_virtual(live(place))
        if story in DROPS_NOTHING:
            assert node.world.dropped == [], f"killed at place {place}"
        if not died:
            break
        place += 1
    assert place > 15
