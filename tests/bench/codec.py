"""Transcoding speed beside ffmpeg's own command line: one decode of 1080p30 into 720p, 360p and 240p.

Both do the same work: the same source, one decode, the same scaling, preset, rate control and audio copy, on
the same cores, in turn. Ours is a warm worker process asked through the pool, as in serving; ffmpeg's time
includes its start. Processor time is that of the whole worker and of the whole command.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from livepeer.wire.profiles import VideoProfile
from runtime.video.jobs import TranscodeJob, WorkerSlot
from runtime.video.pool import WorkerPool
from tests.bench.table import Row

SECONDS = 6
RATE = 30
PAIRS = 5
PRESETS = ("veryfast", "medium")
LADDER = ((1280, 720, 3_000_000), (640, 360, 1_000_000), (426, 240, 500_000))
TARGET_SPEED = 0.98
TARGET_CPU = 1.1


@dataclass(frozen=True, slots=True)
class Taken:
    wall_s: float
    cpu_s: float

    @property
    def frames_per_s(self) -> float:
        return SECONDS * RATE / self.wall_s


def run() -> list[Row]:
    if shutil.which("ffmpeg") is None:
        return [
            Row(measure="1080p30 → 720p/360p/240p", ours="left out: needs `ffmpeg` (Debian package ffmpeg)")
        ]
    with tempfile.TemporaryDirectory() as folder:
        source = write_source(Path(folder))
        return [row for preset in PRESETS for row in asyncio.run(_compare(source, Path(folder), preset))]


def write_source(folder: Path) -> Path:
    """Moving detail with grain, 8 Mbit/s, a tone beside it."""
    path = folder / "source.ts"
    picture = f"testsrc2=s=1920x1080:r={RATE}:d={SECONDS},noise=alls=8:allf=t"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        picture,
        "-f",
        "lavfi",
        "-i",
        f"sine=d={SECONDS}",
    ]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "8M", "-g", "60", "-c:a", "aac", str(path)]
    subprocess.run(command, check=True, timeout=300)
    return path


async def _compare(source: Path, folder: Path, preset: str) -> Iterator[Row]:
    pool = WorkerPool()
    await pool.set_workers({"bench": WorkerSlot(device="cpu", threads=0, memory_bytes=0)})
    try:
        await _ours(pool, source, folder, preset)  # both files are in the cache and the worker is warm
        pairs = [
            (await _ours(pool, source, folder, preset), _ffmpeg(source, folder, preset)) for _ in range(PAIRS)
        ]
    finally:
        await pool.close()
    return _rows(pairs, preset)


def _rows(pairs: list[tuple[Taken, Taken]], preset: str) -> Iterator[Row]:
    speed = statistics.median(ours.frames_per_s / theirs.frames_per_s for ours, theirs in pairs)
    cpu = statistics.median(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs)
    ours_fps = statistics.median(ours.frames_per_s for ours, _ in pairs)
    their_fps = statistics.median(theirs.frames_per_s for _, theirs in pairs)
    work = f"1080p30 → 720p/360p/240p, {preset}"
    yield Row(
        measure=f"{work}: frames/s",
        ours=f"{ours_fps:.1f} ({speed:.2f} of ffmpeg)",
        reference=f"ffmpeg {their_fps:.1f}",
        target=f"≥ {TARGET_SPEED}",
        met=speed >= TARGET_SPEED,
    )
    yield Row(
        measure=f"{work}: CPU seconds",
        ours=f"{statistics.median(ours.cpu_s for ours, _ in pairs):.2f} ({cpu:.2f} of ffmpeg)",
        reference=f"ffmpeg {statistics.median(theirs.cpu_s for _, theirs in pairs):.2f}",
        target=f"≤ {TARGET_CPU}",
        met=cpu <= TARGET_CPU,
    )


async def _ours(pool: WorkerPool, source: Path, folder: Path, preset: str) -> Taken:
    output = folder / "ours"
    output.mkdir(exist_ok=True)
    profiles = tuple(
        VideoProfile(name=f"{height}p", width=width, height=height, bitrate=bitrate, fps=RATE)
        for width, height, bitrate in LADDER
    )
    job = TranscodeJob(
        id="bench",
        session_id="bench",
        sequence=0,
        source=source,
        profiles=profiles,
        duration_ms=SECONDS * 1000,
        output=output,
        preset=preset,
        provider="bench",
    )
    (state,) = pool.states()
    cpu, began = _cpu_s(state.pid), time.monotonic()
    result = await pool.transcode(job)
    taken = Taken(time.monotonic() - began, _cpu_s(state.pid) - cpu)
    if [rendition.frames for rendition in result.renditions] != [SECONDS * RATE] * len(LADDER):
        raise AssertionError("the renditions do not have the source's frames")
    return taken


def _cpu_s(pid: int | None) -> float:
    """User and system time of the worker so far, with its started programs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _ffmpeg(source: Path, folder: Path, preset: str) -> Taken:
    names = "abc"[: len(LADDER)]
    graph = f"[0:v]split={len(names)}" + "".join(f"[{name}]" for name in names)
    outputs: list[str] = []
    for name, (width, height, bitrate) in zip(names, LADDER, strict=True):
        graph += f";[{name}]scale={width}:{height},fps={RATE},format=yuv420p[{name}1]"
        outputs += ["-map", f"[{name}1]", "-map", "0:a", "-c:a", "copy", "-c:v", "libx264", "-preset", preset]
        for option in ("b:v", "minrate", "maxrate", "bufsize"):
            outputs += [f"-{option}", str(bitrate)]
        outputs += ["-bf", "3", "-forced-idr", "1", "-f", "mpegts", str(folder / f"{name}.ts")]
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-y",
        "-nostdin",
        "-i",
        str(source),
        "-filter_complex",
        graph,
        *outputs,
    ]
    before, began = os.times(), time.monotonic()
    subprocess.run(command, check=True, timeout=300)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(time.monotonic() - began, cpu_s)
