"""What the pool and a worker say to each other: length-prefixed JSON over one socket pair.

The worker may have been taken over by a hostile stream, so nothing it says is trusted further than its form:
sizes are bounded, types are checked, and it never names a path. Both sides use this module; it does no IO.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile
from runtime.video.jobs import Rendition, Transcoded, TranscodeJob

LARGEST_BYTES = 1 << 20
LENGTH_BYTES = 4
_LONGEST_TEXT = 2_000
_HASH_BYTES = 32


class Malformed(ValueError):
    """Raised when the other side breaks the form."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker can work. Capability numbers that its device serves, and why others are withheld."""

    served: frozenset[int]
    withheld: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Unfit:
    """The worker's device failed its test; it ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps of any kind so far: a frame decoded, a frame encoded."""

    steps: int


@dataclass(frozen=True, slots=True)
class Done:
    renditions: tuple[Mapping[str, Any], ...]
    decoded_pixels: int
    codec_s: float

    def result(self, job: TranscodeJob, worker: str) -> Transcoded:
        """The result as a value; raises `Malformed` where it does not fit the job."""
        if len(self.renditions) != len(job.profiles):
            raise Malformed(f"{len(self.renditions)} renditions for {len(job.profiles)} profiles")
        return Transcoded(
            renditions=tuple(_rendition(entry, job, index) for index, entry in enumerate(self.renditions)),
            decoded_pixels=self.decoded_pixels,
            codec_s=self.codec_s,
            worker=worker,
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """The segment cannot be transcoded; the text is for the peer."""

    text: str
    detail: str


Report = Ready | Unfit | Progress | Done | Refused


def encode(message: Mapping[str, object]) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > LARGEST_BYTES:
        raise Malformed(f"a message of {len(body)} bytes")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def body_length(prefix: bytes) -> int:
    length = int.from_bytes(prefix, "big")
    if length > LARGEST_BYTES:
        raise Malformed(f"a message of {length} bytes")
    return length


def rendition_path(output: Path, index: int, profile: VideoProfile) -> Path:
    """Where a worker writes the rendition of a job's profile `index`. Names are ours, never the peer's."""
    return output / f"{index}{profile.container.extension}"


def signature_path(rendition: Path) -> Path:
    return rendition.with_name(rendition.name + ".phash")


def job_message(job: TranscodeJob) -> dict[str, object]:
    return {
        "id": job.id,
        "session_id": job.session_id,
        "sequence": job.sequence,
        "source": str(job.source),
        "output": str(job.output),
        "profiles": [_profile_message(profile) for profile in job.profiles],
        "duration_ms": job.duration_ms,
        "preset": job.preset,
        "provider": job.provider,
        "clip_from_ms": job.clip_from_ms,
        "clip_to_ms": job.clip_to_ms,
        "perceptual_hash": job.perceptual_hash,
    }


def read_job(body: bytes) -> TranscodeJob:
    """The job that the pool sent; the pool is trusted, so a wrong form is a plain error."""
    fields = json.loads(body)
    profiles = tuple(_profile(entry) for entry in fields.pop("profiles"))
    source, output = Path(fields.pop("source")), Path(fields.pop("output"))
    return TranscodeJob(source=source, output=output, profiles=profiles, **fields)


def ready_message(ready: Ready) -> dict[str, object]:
    withheld = {str(number): reason for number, reason in ready.withheld.items()}
    return {"is": "ready", "served": sorted(ready.served), "withheld": withheld}


def unfit_message(reason: str) -> dict[str, object]:
    return {"is": "unfit", "reason": reason[:_LONGEST_TEXT]}


def progress_message(steps: int) -> dict[str, object]:
    return {"is": "progress", "steps": steps}


def refused_message(text: str, detail: str) -> dict[str, object]:
    return {"is": "refused", "text": text[:_LONGEST_TEXT], "detail": detail[:_LONGEST_TEXT]}


def done_message(result: Transcoded) -> dict[str, object]:
    renditions = [
        {
            "size_bytes": rendition.size_bytes,
            "frames": rendition.frames,
            "width": rendition.width,
            "height": rendition.height,
            "keccak": rendition.keccak.hex(),
            "perceptual_hash": rendition.perceptual_hash is not None,
        }
        for rendition in result.renditions
    ]
    return {
        "is": "done",
        "renditions": renditions,
        "decoded_pixels": result.decoded_pixels,
        "codec_s": result.codec_s,
    }


def read_report(body: bytes) -> Report:
    """What a worker says; raises `Malformed`."""
    try:
        fields = json.loads(body)
        match fields["is"]:
            case "progress":
                return Progress(_count(fields["steps"]))
            case "done":
                codec_s = float(fields["codec_s"])
                return Done(tuple(fields["renditions"]), _count(fields["decoded_pixels"]), codec_s)
            case "refused":
                return Refused(_text(fields["text"]), _text(fields["detail"]))
            case "ready":
                withheld = {int(number): _text(why) for number, why in fields["withheld"].items()}
                return Ready(frozenset(_count(number) for number in fields["served"]), withheld)
            case "unfit":
                return Unfit(_text(fields["reason"]))
            case other:
                raise Malformed(f"an unknown report {other!r}")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Malformed(f"a report that cannot be read: {error}") from error


def _rendition(entry: Mapping[str, Any], job: TranscodeJob, index: int) -> Rendition:
    try:
        frames, width, height = (_count(entry[name]) for name in ("frames", "width", "height"))
        keccak = bytes.fromhex(entry["keccak"])
        size_bytes = _count(entry["size_bytes"])
        has_signature = entry["perceptual_hash"] is True
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"a rendition that cannot be read: {error}") from error
    if len(keccak) != _HASH_BYTES:
        raise Malformed(f"a hash of {len(keccak)} bytes")
    path = rendition_path(job.output, index, job.profiles[index])
    return Rendition(
        path=path,
        size_bytes=size_bytes,
        pixels=frames * width * height,
        frames=frames,
        width=width,
        height=height,
        keccak=keccak,
        perceptual_hash=signature_path(path) if has_signature else None,
    )


def _profile_message(profile: VideoProfile) -> dict[str, object]:
    return {
        "name": profile.name,
        "width": profile.width,
        "height": profile.height,
        "bitrate": profile.bitrate,
        "fps": profile.fps,
        "fps_den": profile.fps_den,
        "container": int(profile.container),
        "codec": int(profile.codec),
        "codec_profile": int(profile.codec_profile),
        "gop_ms": profile.gop_ms,
        "quality": profile.quality,
    }


def _profile(fields: Mapping[str, Any]) -> VideoProfile:
    enums = {
        "container": Container(fields["container"]),
        "codec": Codec(fields["codec"]),
        "codec_profile": CodecProfile(fields["codec_profile"]),
    }
    return VideoProfile(**{**fields, **enums})


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise Malformed(f"{value!r} is no count")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise Malformed("a text that is none or too long")
    return value
