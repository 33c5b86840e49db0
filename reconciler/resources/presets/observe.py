"""Looks whether a measurement is there, and whether the machine is free for one. Changes nothing."""

from __future__ import annotations

from typing import Protocol, cast

from reconciler.core.values import Known, Observation, Unknown
from reconciler.resources.presets.state import PresetsObserved
from reconciler.serving.control import ControlUnreachable, RuntimeControl
from reconciler.serving.instances import Instances
from reconciler.serving.spec import Document
from reconciler.serving.wish import Surroundings


class PresetsWorld(Protocol):
    """What observing and measuring need of the node; the registry provides it."""

    def now(self) -> float: ...

    def instances(self) -> Instances: ...

    def control(self, generation: int) -> RuntimeControl: ...

    def handed_over(self, generation: int) -> Document | None: ...

    async def surroundings(self) -> Surroundings: ...


class PresetsObserver:
    def __init__(self, world: PresetsWorld) -> None:
        self._world = world

    async def observe(self) -> Observation:
        world = self._world
        try:
            instances = world.instances()
            seen = PresetsObserved(
                surroundings=await world.surroundings(),
                may_measure=may_measure(instances),
                serving_preset=await _preset(world, instances.serving),
            )
        except OSError as error:
            return Unknown(f"it cannot be told whether a runtime serves: {error}", world.now())
        return Known(seen, world.now())


def may_measure(instances: Instances) -> bool:
    """Nothing lives, and the last runtime ended on purpose: one that crashed must be back at once."""
    return not instances.alive and not instances.crashed


async def _preset(world: PresetsWorld, generation: int | None) -> str | None:
    if generation is None:
        return None
    try:
        document: Document | None = await world.control(generation).spec()
    except ControlUnreachable:
        document = world.handed_over(generation)
    video = (document or {}).get("video")
    return cast("str | None", video.get("preset")) if isinstance(video, dict) else None
