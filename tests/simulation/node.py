"""A simulated node with its files, its journal and its operators, and changes of the file to make."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from reconciler.core.clock import VirtualClock
from reconciler.core.exitcodes import Exit
from reconciler.core.journal_memory import MemoryJournal
from tests.simulation.node_operator import Declared, Operator
from tests.simulation.node_world import Grip, NodeWorld

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
