"""The node's real kinds on a simulated machine: coming up, changing while clients stream, breaking, dying.

A client asks twenty times a second through the edge; what it loses is what a gateway would lose.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from random import Random

import pytest

from reconciler.core.clock import VirtualClock, run_virtual
from reconciler.core.exitcodes import Exit
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.values import Impact, Origin, Plan, Standing, Truth
from tests.simulation.node_operator import Declared, Operator
from tests.simulation.node_world import Crash, Grip, NodeWorld


@pytest.fixture(scope="module")
def declared_before(tmp_path_factory):
    """Files read once serve all simulations of this module."""
    return Declared(tmp_path_factory.mktemp("declared"))


class Node:
    """A simulated node with its files, its journal and its operators."""

    def __init__(self, declared: Declared, folder) -> None:
        self.declared = Declared(declared.folder, _nodes=declared._nodes)
        self.world = NodeWorld(VirtualClock().now, folder / "presets.json")
        self.journal = MemoryJournal()

    def operator(self, die_at: int | None = None, seed: int = 1) -> Operator:
        return Operator(self.world, self.declared, self.journal, Grip(die_at), seed)

    async def come_up(self) -> None:
        reports = await self.operator().converge_to_the_end()
        assert reports[-1].exit_code is Exit.OK
        await asyncio.sleep(1)

    @contextlib.asynccontextmanager
    async def streaming(self) -> AsyncIterator[None]:
        client = asyncio.ensure_future(self.world.stream())
        try:
            yield
        finally:
            client.cancel()

    async def check(self) -> None:
        """One runtime, one edge, everything as declared, nothing left to do or in doubt."""
        operator = self.operator()
        plan = await operator.engine.plan()
        assert [(step.operation.id, step.standing) for step in plan.steps] == []
        alive = [process.generation for process in self.world.alive()]
        assert len(alive) == 1, "exactly one runtime"
        assert self.world.routed == tuple(alive)
        now = self.world.now()
        assert len([edge for edge in self.world.edges if edge.is_alive(now) and not edge.ends_at]) == 1
        assert self.world.serve_one() == ""
        assert self.journal.memory().open_intents == ()


@pytest.fixture
def node(declared_before, tmp_path):
    return Node(declared_before, tmp_path)


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


CHANGES = {
    "price": ("1200 wei", "1400 wei"),
    "sessions up": ("sessions: 4", "sessions: 6"),
    "sessions down": ("sessions: 4", "sessions: 2"),
    "preset": ("preset: fast", "preset: veryfast"),
    "log level": ("log: info", "log: debug"),
    "a gateway's price": (
        "pricing:",
        'gateways: {g: {address: "0x' + "ab" * 20 + '", video: 800 wei}}\npricing:',
    ),
    "service name": ("sim.example.com", "new.example.com"),
    "connections per address": ('8935"}', '8935", limits: {connectionsPerAddress: 99}}'),
    "connections": ('8935"}', '8935", limits: {connections: 321}}'),
}


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


# --- dying operators ---------------------------------------------------------------------------------------


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


async def _bury(running: asyncio.Task) -> None:
    running.cancel()
    try:
        await running
    except* (Crash, asyncio.CancelledError):
        pass


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


# --- everything at once ------------------------------------------------------------------------------------

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
        operator.loop.stop()
        await running
        await node.check()
        return operator.loop.latest.remaining

    assert run_virtual(story()).is_empty
