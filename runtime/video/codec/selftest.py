"""Proves that a device transcodes: half a made-up second of video through the real path, four renditions.

Run by each worker before it says it is ready, so a GPU that is declared but broken is never advertised. The
reason that comes out is for people.
"""

from __future__ import annotations

from pathlib import Path

import av.error

from livepeer.wire.profiles import Codec, VideoProfile
from runtime.video.codec.devices import Device
from runtime.video.codec.sample import write_sample
from runtime.video.codec.transcode import transcode
from runtime.video.jobs import TranscodeError, TranscodeJob

_SIZE = (640, 360)
_FRAMES = 15
_RATE = 30
_LADDER = ((640, 360), (426, 240), (320, 180), (256, 144))


def failing_reason(device: Device, directory: Path) -> str | None:
    """Why the device cannot be used, or None where it can. Writes into `directory` and cleans up."""
    source = directory / "selftest.ts"
    try:
        write_sample(source, size=_SIZE, frames=_FRAMES, rate=_RATE, bitrate=1_000_000)
        for codec in (Codec.H264, Codec.H265) if device.is_hardware else (Codec.H264,):
            _check(source, directory, device, codec)
    except (TranscodeError, av.error.FFmpegError, ValueError) as error:
        return f"self-test on {device.name}: {error}"
    finally:
        for path in (source, *directory.glob("[0-9].ts")):
            path.unlink(missing_ok=True)
    return None


def _check(source: Path, directory: Path, device: Device, codec: Codec) -> None:
    profiles = tuple(
        VideoProfile(name=f"{width}", width=width, height=height, bitrate=1_000_000, fps=_RATE, codec=codec)
        for width, height in _LADDER
    )
    job = TranscodeJob(
        id="selftest",
        session_id="selftest",
        sequence=0,
        source=source,
        profiles=profiles,
        duration_ms=_FRAMES * 1000 // _RATE,
        output=directory,
        preset="ultrafast",
        provider="selftest",
    )
    result = transcode(job, device, "selftest")
    counts = {rendition.frames for rendition in result.renditions}
    if counts != {_FRAMES}:
        raise TranscodeError("wrong number of frames", f"{sorted(counts)} instead of {_FRAMES}")
