"""A running loop over a synthetic world, for tests to act on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random

from reconciler.core.clock import VirtualClock
from reconciler.core.engine import Engine
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.loop import Loop, Pace
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
