"""How many video sessions and which workers: the declared wish sized to the machine that is there.

Pure, and the one place where `auto` gets its meaning:

* CPU (GPUs `none`, or `auto` and none found): as many sessions as cores, but no more than one per GiB of
  memory; as many workers as sessions and cores allow; x264 threads so that three renditions per worker fill
  the cores.
* GPU: a session per GiB of its memory (of the declared `vram`), at most ten, which is go-livepeer's own
  default; up to four workers, since an encoder is shared well and each worker's context costs memory.

GPUs that could not be observed are never taken for absent: declared ones keep their workers, and where they
were to be found by `auto` the running workers stay as they are. Called for the runtime's document.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.values import Source

_GIB = 1024**3
_SESSIONS_PER_GPU = 10
_WORKERS_PER_GPU = 4
_RENDITIONS = 3
CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this machine offers to us, container limits included. `cpu` is its model name."""

    cpu: str
    cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFact:
    """One GPU as found. `lost`: the driver still lists it, but it fell off the bus."""

    uuid: str
    name: str
    memory_bytes: int
    lost: bool = False


@dataclass(frozen=True, slots=True)
class GpusUnknown:
    """GPUs could not be looked at, and why."""

    reason: str


GpuReading = tuple[GpuFact, ...] | GpusUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuWish:
    """A GPU declared for video. Its sessions and memory budget are None for `auto`."""

    name: str
    uuid: str
    sessions: int | None = None
    vram_bytes: int | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoWish:
    """The declared part of video's size; None is `auto` (for `gpus`: whatever GPUs are found)."""

    sessions: int | None
    workers: int | None
    worker_memory_bytes: int
    gpus: tuple[GpuWish, ...] | None
    uses_cpu: bool
    software_fallback: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSlot:
    """One video worker process. `device` is `cpu` or a GPU's UUID; 0 bytes is no limit of its memory."""

    name: str
    device: str
    threads: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """`workers` None: GPUs could not be observed, so whatever runs is kept; so are the sessions then."""

    sessions: int | None
    workers: tuple[WorkerSlot, ...] | None

    @property
    def encodes_on_cpu(self) -> bool:
        return any(slot.device == CPU for slot in self.workers or ())


def size_video(
    wish: VideoWish, machine: Machine, gpus: GpuReading, failing: frozenset[str] = frozenset()
) -> Size:
    """`failing` are GPUs, by UUID, whose workers do not come up. They keep their workers, which try again;
    where software is declared to take their place, it does so meanwhile.
    """
    if wish.gpus is None and isinstance(gpus, GpusUnknown):
        return Size(sessions=wish.sessions, workers=None)
    present = _present(wish, gpus)
    missing = len(wish.gpus or ()) - len(present) if wish.gpus is not None else 0
    idle = {gpu.name for gpu in present if gpu.uuid in failing} if wish.software_fallback else set()
    on_cpu = (wish.uses_cpu and not present) or (wish.software_fallback and bool(missing or idle))
    gpu_sessions = {gpu.name: _gpu_sessions(gpu, gpus) for gpu in present}
    working = sum(count for name, count in gpu_sessions.items() if name not in idle)
    sessions = wish.sessions
    if sessions is None:
        sessions = working + (_cpu_sessions(machine) if on_cpu else 0)
    slots: tuple[WorkerSlot, ...] = ()
    for gpu in present:
        slots += _gpu_slots(gpu, min(gpu_sessions[gpu.name], sessions), wish.worker_memory_bytes)
    if on_cpu:
        slots += _cpu_slots(wish, machine, max(0, sessions - working))
    return Size(sessions=sessions if slots else 0, workers=slots)


def missing_gpus(wish: VideoWish, gpus: GpuReading) -> tuple[GpuWish, ...]:
    """Declared for video and known not to be usable."""
    if isinstance(gpus, GpusUnknown):
        return ()
    usable = {gpu.uuid for gpu in gpus if not gpu.lost}
    return tuple(gpu for gpu in wish.gpus or () if gpu.uuid not in usable)


def automatic_name(uuid: str) -> str:
    """The name of a GPU that is used without being declared: stable in whatever order the driver lists."""
    return f"gpu-{uuid.removeprefix('GPU-')[:8].lower()}"


def _present(wish: VideoWish, gpus: GpuReading) -> tuple[GpuWish, ...]:
    if isinstance(gpus, GpusUnknown):
        return wish.gpus or ()
    if wish.gpus is None:
        found = (GpuWish(name=automatic_name(gpu.uuid), uuid=gpu.uuid) for gpu in gpus if not gpu.lost)
        return tuple(sorted(found, key=lambda gpu: gpu.name))
    missing = missing_gpus(wish, gpus)
    return tuple(gpu for gpu in wish.gpus if gpu not in missing)


def _gpu_sessions(gpu: GpuWish, gpus: GpuReading) -> int:
    if gpu.sessions is not None:
        return gpu.sessions
    memory = gpu.vram_bytes
    if memory is None and not isinstance(gpus, GpusUnknown):
        memory = next((found.memory_bytes for found in gpus if found.uuid == gpu.uuid), None)
    if memory is None:
        return _SESSIONS_PER_GPU
    return max(1, min(_SESSIONS_PER_GPU, memory // _GIB))


def _cpu_sessions(machine: Machine) -> int:
    return max(1, min(machine.cores, machine.memory_bytes // _GIB))


def _gpu_slots(gpu: GpuWish, sessions: int, memory_bytes: int) -> tuple[WorkerSlot, ...]:
    return tuple(
        WorkerSlot(name=f"{gpu.name}-{index}", device=gpu.uuid, threads=0, memory_bytes=memory_bytes)
        for index in range(min(sessions, _WORKERS_PER_GPU))
    )


def _cpu_slots(wish: VideoWish, machine: Machine, sessions: int) -> tuple[WorkerSlot, ...]:
    count = min(sessions, machine.cores) if wish.workers is None else min(wish.workers, sessions)
    threads = max(1, machine.cores // (_RENDITIONS * count)) if count else 0
    return tuple(
        WorkerSlot(name=f"{CPU}-{index}", device=CPU, threads=threads, memory_bytes=wish.worker_memory_bytes)
        for index in range(count)
    )
