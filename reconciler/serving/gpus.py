"""How GPUs are seen: a narrow Protocol, and the values behind it.

`NvmlInventory` (kind `gpus`) is the real one. What cannot be read of a GPU is None; that a GPU cannot be
read at all is `lost`; that nothing can be read is `GpusUnknown`. Never is "could not look" taken for "not
there".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconciler.serving.capacity import GpuFact, GpuReading, GpusUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that uses a GPU. `ours`: it is, or descends from, a managed child of this node."""

    pid: int
    name: str
    memory_bytes: int | None
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU. Utilisation is in percent; `encoder_sessions` are NVENC sessions of everybody."""

    uuid: str
    name: str
    memory_bytes: int
    memory_used_bytes: int | None = None
    utilisation: int | None = None
    encoder_sessions: int | None = None
    temperature_c: int | None = None
    processes: tuple[GpuProcess, ...] = ()
    lost: bool = False

    @property
    def fact(self) -> GpuFact:
        return GpuFact(uuid=self.uuid, name=self.name, memory_bytes=self.memory_bytes, lost=self.lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All GPUs, by UUID. No driver on a machine without the device is an empty one: known, nothing there."""

    driver: str
    gpus: tuple[Gpu, ...] = ()


class GpuInventory(Protocol):
    """Looks at the GPUs. Takes milliseconds, changes nothing, raises nothing."""

    def look(self) -> Inventory | GpusUnknown: ...


def reading_of(found: Inventory | GpusUnknown) -> GpuReading:
    """What sizing the video needs of it."""
    return found if isinstance(found, GpusUnknown) else tuple(gpu.fact for gpu in found.gpus)
