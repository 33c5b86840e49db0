"""Makes test streams: a moving picture with a tone, cut into segments whose timestamps go on.

The picture is ffmpeg's `testsrc2`, which has motion, detail and a running clock; the sound is a 440 Hz tone
in AAC. Each segment starts with a key frame and stands alone, as segments of a real stream do. Equal
arguments give equal pictures. CPU work, for tests, the demo and `reconcile doctor`; called in a thread.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import av
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_SAMPLE_RATE = 48_000
_TONE_HZ = 440
_START_S = 10  # decoding times before the first picture stay positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What to make. `start_s` moves the time line; `bitrate` is in bits per second."""

    width: int = 640
    height: int = 360
    fps: Fraction = field(default=Fraction(30))
    segment_s: float = 2.0
    count: int = 3
    bitrate: int = 2_000_000
    has_audio: bool = True
    start_s: int = _START_S
    container: str = "mpegts"
    codec: str = "libx264"
    preset: str = "veryfast"
    pixel_format: str = "yuv420p"

    @property
    def frames_per_segment(self) -> int:
        return max(1, round(self.segment_s * self.fps))

    @property
    def first_frame(self) -> int:
        """The number of the first picture on the time line."""
        return round(self.start_s * self.fps)


def make_segments(clip: Clip) -> Iterator[bytes]:
    """The segments, one at a time."""
    frames = _pictures(clip)
    tone = _Tone(clip) if clip.has_audio else None
    for index in range(clip.count):
        first = index * clip.frames_per_segment
        pictures = [next(frames) for _ in range(clip.frames_per_segment)]
        yield _mux(clip, pictures, first, tone)


def make_clip(clip: Clip) -> tuple[bytes, ...]:
    return tuple(make_segments(clip))


def _pictures(clip: Clip) -> Iterator[VideoFrame]:
    from av.filter import Graph  # noqa: PLC0415 - 30 ms, only where pictures are made

    graph = Graph()
    source = graph.add("testsrc2", f"size={clip.width}x{clip.height}:rate={clip.fps}")
    shape = graph.add("format", clip.pixel_format)
    sink = graph.add("buffersink")
    graph.link_nodes(source, shape, sink)
    graph.configure()
    while True:
        yield graph.vpull()


def _mux(clip: Clip, pictures: list[VideoFrame], first: int, tone: _Tone | None) -> bytes:
    import av  # noqa: PLC0415 - 30 ms, only where pictures are made
    from av.video.frame import PictureType  # noqa: PLC0415 - as above

    target = io.BytesIO()
    with av.open(target, "w", format=clip.container) as output:
        video = _video_stream(output, clip)
        audio = _audio_stream(output) if tone else None
        for offset, picture in enumerate(pictures):
            picture.pts = clip.first_frame + first + offset
            picture.time_base = 1 / clip.fps  # the encoder writes it into the stream as its frame rate
            picture.duration = 1
            picture.pict_type = PictureType.NONE  # the source marks every picture as a key frame
            for packet in video.encode(picture):
                output.mux(packet)
        for packet in video.encode(None):
            output.mux(packet)
        if tone and audio:
            for packet in tone.until(Fraction(clip.first_frame + first + len(pictures)) / clip.fps):
                packet.stream = audio
                output.mux(packet)
    return target.getvalue()


def _video_stream(output: OutputContainer, clip: Clip) -> VideoStream:
    added = output.add_stream(clip.codec, rate=clip.fps, options={"preset": clip.preset})
    stream = cast("VideoStream", added)  # `codec` is a name, so its type is not known
    stream.width, stream.height = clip.width, clip.height
    stream.pix_fmt = clip.pixel_format
    stream.bit_rate = clip.bitrate
    stream.codec_context.time_base = 1 / clip.fps
    stream.codec_context.gop_size = max(clip.frames_per_segment, 1)
    stream.codec_context.thread_count = 1
    return stream


def _audio_stream(output: OutputContainer) -> AudioStream:
    stream = output.add_stream("aac", rate=_SAMPLE_RATE, layout="mono")
    stream.codec_context.time_base = Fraction(1, _SAMPLE_RATE)
    return stream


class _Tone:
    """One AAC encoder for the whole stream: sound has no seams where the picture has."""

    def __init__(self, clip: Clip) -> None:
        from av.codec import CodecContext  # noqa: PLC0415 - 30 ms, only where pictures are made

        self._encoder: AudioCodecContext = CodecContext.create("aac", "w")
        self._encoder.sample_rate = _SAMPLE_RATE
        self._encoder.layout = "mono"
        self._encoder.format = "fltp"
        self._encoder.time_base = Fraction(1, _SAMPLE_RATE)
        self._encoder.open()
        self._at = round(clip.first_frame / clip.fps * _SAMPLE_RATE)
        self._frames = _samples()

    def until(self, end_s: Fraction) -> Iterator[av.Packet[AudioStream]]:
        """Packets of the sound up to this moment; the encoder keeps what it still looks at."""
        while self._at < end_s * _SAMPLE_RATE:
            frame = next(self._frames)
            frame.pts = self._at
            frame.time_base = Fraction(1, _SAMPLE_RATE)
            self._at += frame.samples
            yield from self._encoder.encode(frame)


def _samples() -> Iterator[av.AudioFrame]:
    from av.filter import Graph  # noqa: PLC0415 - 30 ms, only where pictures are made

    graph = Graph()
    source = graph.add("sine", f"frequency={_TONE_HZ}:sample_rate={_SAMPLE_RATE}")
    shape = graph.add("aformat", f"sample_fmts=fltp:sample_rates={_SAMPLE_RATE}:channel_layouts=mono")
    sink = graph.add("abuffersink")
    graph.link_nodes(source, shape, sink)
    graph.configure()
    while True:
        yield cast("av.AudioFrame", graph.pull())
