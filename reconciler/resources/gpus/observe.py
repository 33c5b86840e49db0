"""Looks at the GPUs through the narrow `GpuInventory`. Changes nothing."""

from __future__ import annotations

from typing import Protocol

from reconciler.core.values import Known, Observation, Unknown
from reconciler.serving.capacity import GpusUnknown
from reconciler.serving.gpus import Inventory


class GpusWorld(Protocol):
    """What observing GPUs needs of the node; the registry provides it."""

    def now(self) -> float: ...

    async def inventory(self) -> Inventory | GpusUnknown: ...


class GpusObserver:
    def __init__(self, world: GpusWorld) -> None:
        self._world = world

    async def observe(self) -> Observation:
        found = await self._world.inventory()
        if isinstance(found, GpusUnknown):
            return Unknown(found.reason, self._world.now())
        return Known(found, self._world.now())
