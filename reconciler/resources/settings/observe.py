"""Looks at what the serving runtime has accepted, over its control socket. Changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from reconciler.core.values import Known, Observation, Unknown
from reconciler.resources.settings.state import SettingsObserved
from reconciler.serving.control import ControlUnreachable, RuntimeControl
from reconciler.serving.instances import Instances
from reconciler.serving.status import RuntimeStatus
from reconciler.serving.wish import Surroundings


class SettingsWorld(Protocol):
    """What observing and acting on settings need of the node; the registry provides it."""

    def now(self) -> float: ...

    def instances(self) -> Instances: ...

    def control(self, generation: int) -> RuntimeControl: ...

    async def surroundings(self) -> Surroundings: ...


class SettingsObserver:
    def __init__(self, world: SettingsWorld) -> None:
        self._world = world

    async def observe(self) -> Observation:
        world = self._world
        try:
            serving = world.instances().serving
            surroundings = await world.surroundings()
            if serving is None:
                return Known(_nothing(surroundings), world.now())
            control = world.control(serving)
            document, status = await control.spec(), await control.status()
        except (OSError, ControlUnreachable) as error:
            return Unknown(f"the runtime does not tell its settings: {error}", world.now())
        around = replace(surroundings, failing=status.failing_devices)
        seen = SettingsObserved(process=serving, document=document, status=status, surroundings=around)
        return Known(seen, world.now())


def _nothing(surroundings: Surroundings) -> SettingsObserved:
    return SettingsObserved(process=None, document={}, status=RuntimeStatus(), surroundings=surroundings)
