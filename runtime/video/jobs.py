"""The values that pass between whoever receives a segment and the worker that transcodes it.

A job names files, never carries media: the source is a file that the receiver wrote, renditions are files
that the worker writes into the job's own directory. Every value survives a round trip through JSON, which is
what crosses the process border (`messages.py`). Nothing here touches a codec or the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from livepeer.wire.profiles import VideoProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeJob:
    """One segment to transcode. `output` is an existing directory of this job alone.

    `provider` is what renditions name as their maker, `Livepeer Transcoder <version> (<id>)`. `duration_ms`
    is what the gateway says, and bounds the time the worker gets. Clip bounds count from the segment's start.
    """

    id: str
    session_id: str
    sequence: int
    source: Path
    profiles: tuple[VideoProfile, ...]
    duration_ms: int
    output: Path
    preset: str
    provider: str
    clip_from_ms: int | None = None
    clip_to_ms: int | None = None
    perceptual_hash: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One finished output, in the order of the job's profiles.

    `frames` are those really in the file, so `pixels` (frames · width · height) is what a decoder counts.
    `keccak` is the Keccak-256 of the file. `perceptual_hash` is the signature file, where one was made.
    """

    path: Path
    size_bytes: int
    pixels: int
    frames: int
    width: int
    height: int
    keccak: bytes
    perceptual_hash: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcoded:
    """`codec_s` is the time inside the worker, `worker` the name of the slot that did it."""

    renditions: tuple[Rendition, ...]
    decoded_pixels: int
    codec_s: float
    worker: str


class TranscodeError(Exception):
    """Raised when a segment cannot be transcoded. The peer sees `text` as it is; `detail` is for our log."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(f"{text}: {detail}" if detail else text)
        self.text = text
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSlot:
    """What one worker process runs on. `device` is `cpu` or a GPU's UUID; 0 threads lets x264 choose.

    A worker above `memory_bytes` of resident memory is killed and replaced; 0 is no limit.
    """

    device: str
    threads: int
    memory_bytes: int


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """One slot as observed. `reason` says why it failed or last restarted; `frames` counts encoded ones."""

    slot: str
    state: Phase
    pid: int | None
    device: str
    reason: str
    restarts: int
    segments: int
    frames: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEvent:
    """Something that happened to a worker. `name` is a constant such as `worker.restarted`."""

    name: str
    slot: str
    fields: Mapping[str, str | int | float]


class Transcoder(Protocol):
    """What the serving side sees of the workers. `runtime.video.pool.WorkerPool` is the real one."""

    async def start(self) -> None:
        """Make ready to work; slots come with `set_workers`."""

    async def set_workers(self, slots: Mapping[str, WorkerSlot]) -> None:
        """Make these the slots. Returns when each new one is ready or failed; others end their segment."""

    async def transcode(self, job: TranscodeJob) -> Transcoded:
        """Transcode one segment, or raise `TranscodeError`. Cancelling stops the work, frees the worker."""

    def states(self) -> tuple[WorkerState, ...]:
        """Every slot as it is now, by name."""

    @property
    def queued(self) -> int:
        """Jobs that wait for a worker."""

    def subscribe(self, listener: Callable[[WorkerEvent], None]) -> Callable[[], None]:
        """Call `listener` on each event, from the event loop; the answer ends it."""

    async def close(self) -> None:
        """Kill every worker. Jobs in flight fail."""
