"""Measures x264's presets on this machine: `python -m runtime.video.calibrate --sessions N [--json]`.

Picks the slowest preset that transcodes N sessions of the reference ladder (1080p30 into 720p, 360p, 240p) in
real time with a reserve. It loads every core, so it runs before a node serves, never while; it ends within
its time budget with what it knows by then. Faster presets are measured first; the first that is too slow ends
it, because each next one is slower still.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av

from livepeer.wire.profiles import VideoProfile
from runtime.video.codec.devices import CPU, Device
from runtime.video.codec.sample import write_sample
from runtime.video.codec.transcode import transcode
from runtime.video.jobs import TranscodeJob

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
LADDER = ((1280, 720, 3_000_000), (640, 360, 1_000_000), (426, 240, 500_000))
SOURCE = (1920, 1080)
RATE = 30
RESERVE = 0.25
BUDGET_S = 18.0
_FRAMES = 60
_CORES_PER_STREAM = 4
_SLOWER_BY = 2.0
"""No preset takes more than about twice the time of the one before it; used to stay within the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one preset reached on all cores together. `sessions` is how many it holds with the reserve."""

    preset: str
    frames_per_s: float

    @property
    def sessions(self) -> int:
        return int(self.frames_per_s / (RATE * (1 + RESERVE)))


def measure(sessions: int, *, budget_s: float) -> Iterator[Measured]:
    """From the fastest preset on, until one holds fewer than `sessions` or the time is over."""
    ends_at = time.monotonic() + budget_s
    with tempfile.TemporaryDirectory(prefix="calibrate-") as folder:
        source = Path(folder) / "source.ts"
        write_sample(source, size=SOURCE, frames=_FRAMES, rate=RATE, bitrate=8_000_000)
        for preset in PRESETS:
            began = time.monotonic()
            measured = Measured(preset=preset, frames_per_s=_frames_per_s(source, Path(folder), preset))
            yield measured
            took_s = time.monotonic() - began
            if measured.sessions < sessions or time.monotonic() + took_s * _SLOWER_BY > ends_at:
                return


def chosen(measured: Sequence[Measured], sessions: int) -> Measured:
    """The slowest that holds; the fastest of all where none does."""
    return next((entry for entry in reversed(measured) if entry.sessions >= sessions), measured[0])


def report(measured: Sequence[Measured], sessions: int, took_s: float) -> dict[str, object]:
    best = chosen(measured, sessions)
    return {
        "format": 1,
        "preset": best.preset,
        "summary": _summary(best, sessions),
        "sessions": sessions,
        "holds": best.sessions >= sessions,
        "reserve": RESERVE,
        "ladder": {
            "source": f"{SOURCE[0]}x{SOURCE[1]}@{RATE}",
            "renditions": [f"{width}x{height}@{RATE} {bitrate} bit/s" for width, height, bitrate in LADDER],
        },
        "presets": [
            {
                "preset": entry.preset,
                "frames_per_s": round(entry.frames_per_s, 1),
                "sessions": entry.sessions,
            }
            for entry in measured
        ],
        "machine": machine(),
        "versions": versions(),
        "took_s": round(took_s, 1),
    }


def machine() -> dict[str, object]:
    """What the measurement is true for; another fingerprint means measure again."""
    model = next((line.split(":", 1)[1].strip() for line in _cpu_lines("model name")), platform.machine())
    cores = len(os.sched_getaffinity(0))
    told = json.dumps([model, cores, versions()], sort_keys=True)
    return {"model": model, "cores": cores, "fingerprint": hashlib.sha256(told.encode()).hexdigest()[:16]}


def versions() -> dict[str, str]:
    return {"pyav": av.__version__, "ffmpeg": av.ffmpeg_version_info}


def _cpu_lines(name: str) -> Iterator[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            yield from (line for line in file.read(1 << 20).splitlines() if line.startswith(name))
    except OSError:
        return


def _summary(best: Measured, sessions: int) -> str:
    reached = (
        f"{best.frames_per_s:.0f} frames/s of 1080p30 into 720p, 360p and 240p on {machine()['cores']} cores"
    )
    if best.sessions >= sessions:
        return (
            f"{reached} holds {best.sessions} in real time with a reserve of {RESERVE:.0%}, {sessions} wanted"
        )
    return f"{reached} does not hold {sessions} in real time with a reserve of {RESERVE:.0%}: declare fewer"


def _frames_per_s(source: Path, folder: Path, preset: str) -> float:
    """Many cores get several segments at once, as in serving: one encoder cannot fill them."""
    streams = max(1, len(os.sched_getaffinity(0)) // _CORES_PER_STREAM)
    jobs = [_job(source, folder / f"{preset}-{number}", preset) for number in range(streams)]
    device = Device(name=CPU, threads=0)
    began = time.monotonic()
    with ThreadPoolExecutor(streams) as pool:
        results = list(pool.map(lambda job: transcode(job, device, "calibrate"), jobs))
    took_s = time.monotonic() - began
    return sum(result.renditions[0].frames for result in results) / took_s


def _job(source: Path, output: Path, preset: str) -> TranscodeJob:
    output.mkdir()
    profiles = tuple(
        VideoProfile(name=f"{height}p", width=width, height=height, bitrate=bitrate, fps=RATE)
        for width, height, bitrate in LADDER
    )
    return TranscodeJob(
        id=preset,
        session_id="calibrate",
        sequence=0,
        source=source,
        profiles=profiles,
        duration_ms=_FRAMES * 1000 // RATE,
        output=output,
        preset=preset,
        provider="calibrate",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m runtime.video.calibrate", description=__doc__)
    parser.add_argument("--sessions", type=int, required=True, help="video sessions that shall run at once")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds to measure for, at most")
    options = parser.parse_args()
    began = time.monotonic()
    measured = list(measure(max(1, options.sessions), budget_s=options.budget))
    found = report(measured, max(1, options.sessions), time.monotonic() - began)
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for entry in measured:
        sys.stdout.write(
            f"{entry.preset:10} {entry.frames_per_s:7.1f} frames/s {entry.sessions:4} sessions\n"
        )
    sys.stdout.write(f"{found['preset']}: {found['summary']}\n")


if __name__ == "__main__":
    main()
