"""The one set of eyes on everything around the runtime, shared by the kinds that need it.

Processes and routes, control sockets, documents handed over, kept measurements, GPUs. GPUs are looked at once
for all kinds of a run: their reading is kept for a second. It changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from reconciler.layout import Layout
from reconciler.serving.capacity import GpusUnknown
from reconciler.serving.control import HttpRuntimeControl, RuntimeControl
from reconciler.serving.gpus import GpuInventory, Inventory, reading_of
from reconciler.serving.instances import Instances, look_at_instances
from reconciler.serving.presets import read_cache
from reconciler.serving.spec import Document
from reconciler.serving.wish import Surroundings

_LONGEST_DOCUMENT_BYTES = 4 * 1024 * 1024
_GPUS_KEPT_S = 1.0
_DOCUMENT = re.compile(r"([0-9]{1,10})\.json")


@dataclass(slots=True)
class ServingWorld:
    """`gpus` None: the node uses none. `clock` is unix time."""

    layout: Layout
    gpus: GpuInventory | None
    clock: Callable[[], float]
    _seen: tuple[float, Inventory | GpusUnknown] | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def now(self) -> float:
        return self.clock()

    def instances(self) -> Instances:
        return look_at_instances(self.layout)

    def control(self, generation: int) -> RuntimeControl:
        return HttpRuntimeControl(self.layout.runtime_control(generation))

    def handed_over(self, generation: int) -> Document | None:
        try:
            with open(self.layout.specs / f"{generation}.json", "rb") as file:
                value = json.loads(file.read(_LONGEST_DOCUMENT_BYTES))
        except (OSError, ValueError):
            return None
        return cast("Document", value) if isinstance(value, dict) else None

    def last_generation(self) -> int:
        """The highest generation that ever was, as far as identities and kept documents tell."""
        numbers = [child.generation for child in self.instances().children]
        if self.layout.specs.is_dir():
            names = (_DOCUMENT.fullmatch(path.name) for path in self.layout.specs.iterdir())
            numbers += [int(match[1]) for match in names if match]
        return max(numbers, default=0)

    async def inventory(self) -> Inventory | GpusUnknown:
        if self.gpus is None:
            return Inventory(driver="")
        async with self._looking:
            if self._seen is None or self.now() - self._seen[0] > _GPUS_KEPT_S:
                found = await asyncio.to_thread(self.gpus.look)
                self._seen = (self.now(), found)
            return self._seen[1]

    async def surroundings(self) -> Surroundings:
        gpus = reading_of(await self.inventory())
        return Surroundings(gpus=gpus, cache=read_cache(self.layout.presets))
