"""Looks at every runtime process: identity, health, accepted document, status. Changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from reconciler.children import Child
from reconciler.core.values import Known, Observation, Unknown
from reconciler.resources.runtime.state import Mark, RuntimeProcess, RuntimesObserved
from reconciler.serving.control import ControlUnreachable, Health, RuntimeControl
from reconciler.serving.instances import Instances
from reconciler.serving.spec import Document
from reconciler.serving.status import RuntimeStatus
from reconciler.serving.wish import Surroundings

_LOOKS = 2
"""A single slow answer is no illness; two in a row are shown, and looked at again before acting."""


class RuntimeSights(Protocol):
    """What observing needs of the node; the registry provides it."""

    def now(self) -> float: ...

    def instances(self) -> Instances: ...

    def control(self, generation: int) -> RuntimeControl: ...

    def handed_over(self, generation: int) -> Document | None:
        """The document that this generation was started with, where it is still kept."""
        ...

    def last_generation(self) -> int:
        """The highest generation that ever was, as far as anything tells; 0 is none."""
        ...

    async def surroundings(self) -> Surroundings: ...


class RuntimeObserver:
    def __init__(self, sights: RuntimeSights) -> None:
        self._sights = sights

    async def observe(self) -> Observation:
        sights = self._sights
        try:
            instances = sights.instances()
            surroundings = await sights.surroundings()
            processes = await asyncio.gather(*(self._process(child) for child in instances.children))
            last = sights.last_generation()
        except OSError as error:
            return Unknown(f"processes cannot be looked at: {error}", sights.now())
        seen = RuntimesObserved(
            processes=tuple(processes),
            routed=instances.routed,
            surroundings=surroundings,
            last_generation=last,
            crashed=instances.crashed,
        )
        return Known(seen, sights.now())

    async def _process(self, child: Child) -> RuntimeProcess:
        look = await _look(self._sights.control(child.generation)) if child.alive else _Look()
        return RuntimeProcess(
            generation=child.generation,
            mark=Mark.parse(child.program),
            alive=child.alive,
            started_at=child.started_at,
            ending=child.ending,
            health=look.health,
            document=look.document or self._sights.handed_over(child.generation),
            status=look.status,
        )


@dataclass(frozen=True, slots=True)
class _Look:
    health: Health | None = None
    document: Document | None = None
    status: RuntimeStatus | None = None


async def _look(control: RuntimeControl) -> _Look:
    health = await health_of(control)
    if health.silent:
        return _Look(health)  # asking on would only cost the same time again
    try:
        return _Look(health, await control.spec(), await control.status())
    except ControlUnreachable as error:
        return _Look(Health(ok=False, reason=str(error), silent=True))


async def health_of(control: RuntimeControl, looks: int = _LOOKS) -> Health:
    """Healthy if one of a few looks says so."""
    health = Health(ok=False)
    for _ in range(looks):
        try:
            health = await control.health()
        except ControlUnreachable as error:
            health = Health(ok=False, reason=str(error), silent=True)
        if health.ok:
            break
    return health
