"""Segments made on the spot, and what a decoder finds in a rendition."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av

from runtime.video.codec.devices import Device

CPU = Device(name="cpu", threads=0)


def write_segment(
    path,
    *,
    size=(320, 180),
    rate=30,
    seconds=1.0,
    codec="libx264",
    pix_fmt="yuv420p",
    audio=True,
    first_s=10.0,
    container="mpegts",
    options=None,
    muxing=None,
):
    """A test picture with a tone, starting at `first_s` on its time line."""
    rate = Fraction(rate)
    picture = f"testsrc2=s={size[0]}x{size[1]}:r={rate}:d={seconds}"
    with av.open(str(path), "w", format=container, container_options=muxing or {}) as target:
        video = target.add_stream(codec, rate=rate, options=options or {})
        video.width, video.height = size
        video.pix_fmt = pix_fmt
        video.time_base = 1 / rate
        sound = target.add_stream("aac", rate=48000) if audio else None
        for index, frame in enumerate(av.open(picture, format="lavfi").decode(video=0)):
            shown = frame.reformat(format=pix_fmt)
            shown.pict_type = 0
            shown.pts = index + round(first_s * rate)
            shown.time_base = 1 / rate
            target.mux(video.encode(shown))
        target.mux(video.encode(None))
        if sound:
            for frame in av.open(f"sine=d={seconds}:r=48000", format="lavfi").decode(audio=0):
                frame.pts += round(first_s * 48000)
                frame.time_base = Fraction(1, 48000)
                target.mux(sound.encode(frame))
            target.mux(sound.encode(None))
    return path


@dataclass
class Seen:
    """What a decoder finds in a file."""

    times: list[float]
    kinds: str
    size: tuple[int, int]
    profile: str
    b_frames: bool
    streams: list[str]
    audio_times: list[float]
    metadata: dict[str, str]
    pix_fmt: str

    @property
    def frames(self):
        return len(self.times)


def look(path) -> Seen:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        streams = [stream.type for stream in container.streams]
        frames = list(container.decode(video))
        seen = Seen(
            times=[float(frame.pts * video.time_base) for frame in frames],
            kinds="".join("I" if frame.key_frame else "." for frame in frames),
            size=(frames[0].width, frames[0].height),
            profile=video.codec_context.profile,
            b_frames=video.codec_context.has_b_frames,
            streams=streams,
            audio_times=[],
            metadata=dict(container.metadata),
            pix_fmt=frames[0].format.name,
        )
    if "audio" in streams:
        with av.open(str(path)) as container:
            packets = container.demux(container.streams.audio[0])
            seen.audio_times = [float(packet.pts * packet.time_base) for packet in packets if packet.size]
    return seen
