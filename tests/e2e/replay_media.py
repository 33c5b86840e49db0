"""What is in a rendition: every packet's place on the time line, every decoded picture, the sound's bytes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av


@dataclass(frozen=True, slots=True)
class Look:
    """Two renditions that are equal here differ in nothing but their pictures' encoding."""

    container: str
    streams: tuple[str, ...]
    codecs: tuple[str, ...]
    time_bases: tuple[str, ...]
    profile: str | None
    size: tuple[int, int]
    aspect: str
    pix_fmt: str | None
    b_frames: int
    shown: tuple[int, ...]
    """Presentation times of the decoded pictures, in ticks."""
    packet_times: tuple[int, ...]
    """Presentation times of the video packets, in ticks, ascending."""
    decode_times: tuple[int, ...]
    durations: tuple[int, ...]
    keys: tuple[int, ...]
    """Presentation times of the key frames."""
    sound: tuple[tuple[int, int, int, str], ...]
    """Time, decode time, duration and hash of each sound packet."""
    level: int
    metadata: tuple[str, ...]


def look(data: bytes) -> Look:
    with av.open(io.BytesIO(data)) as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux() if packet.size]
        codec: Any = video.codec_context
        sight = [packet for packet in packets if packet.stream.type == "video"]
        pictures = _decode(data)
        return Look(
            container=container.format.name,
            streams=tuple(stream.type for stream in container.streams),
            codecs=tuple(stream.codec_context.name for stream in container.streams),
            time_bases=tuple(str(stream.time_base) for stream in container.streams),
            profile=codec.profile,
            size=(codec.width, codec.height),
            aspect=str(video.sample_aspect_ratio),
            pix_fmt=codec.pix_fmt,
            b_frames=int(codec.has_b_frames),
            shown=pictures,
            packet_times=tuple(sorted(packet.pts or 0 for packet in sight)),
            decode_times=tuple(packet.dts or 0 for packet in sight),
            durations=tuple(packet.duration or 0 for packet in sight),
            keys=tuple(packet.pts or 0 for packet in sight if packet.is_keyframe),
            sound=_sound(packets),
            level=_level(sight[0]),
            metadata=tuple(sorted(container.metadata)),
        )


def _sound(packets: Sequence[Any]) -> tuple[tuple[int, int, int, str], ...]:
    return tuple(
        (packet.pts, packet.dts, packet.duration, hashlib.sha256(bytes(packet)).hexdigest())
        for packet in packets
        if packet.stream.type == "audio"
    )


def _level(packet: Any) -> int:
    """The level of the first sequence parameter set, in the packet or the container's header."""
    for data in (bytes(packet), bytes(packet.stream.codec_context.extradata or b"")):
        for start in (b"\0\0\1\x67", b"\0\0\1\x27"):
            if (at := data.find(start)) >= 0:
                return data[at + 6]
    header = bytes(packet.stream.codec_context.extradata or b"")
    return header[3] if header[:1] == b"\1" else 0


def _decode(data: bytes) -> tuple[int, ...]:
    with av.open(io.BytesIO(data)) as container:
        return tuple(frame.pts or 0 for frame in container.decode(video=0))
