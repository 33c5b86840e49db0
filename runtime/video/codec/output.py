"""A rendition's file: the encoder and the container that its packets and the copied audio go to.

The time line is the source's own. `frames` counts encoded packets that were muxed, one per picture, so it is
what a decoder of the file counts. Used by one rendition's thread; who made the file is written into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from livepeer.wire import texts
from livepeer.wire.profiles import Container
from runtime.video.codec.geometry import Size
from runtime.video.codec.settings import EncoderSettings
from runtime.video.codec.source import AudioPacket
from runtime.video.jobs import TranscodeError

_BIT_RATE_TOLERANCE = 4_000_000
"""FFmpeg's default; the Python binding has another one, which would change the rate control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What an output is made of. `time_base` is the encoder's, `rate` what the file declares.

    `pixel_aspect` is the source's where its pixels are not square: scaling keeps their shape.
    """

    path: Path
    container: Container
    size: Size
    settings: EncoderSettings
    time_base: Fraction
    rate: Fraction
    pixel_aspect: Fraction | None
    provider: str


class Output:
    """Opens its file at once and its encoder with the first frame. `close` makes the file complete."""

    def __init__(self, layout: Layout, audio: AudioStream | None, progress: Callable[[], None]) -> None:
        self._progress = progress
        self.frames = 0
        self._next_audio_dts: int | None = None
        self._layout = layout
        self._container = _create(layout)
        try:
            self._video = _add_video(self._container, layout)
            self._rate_note = _rate_note(layout, self._video)
            self._audio = self._container.add_stream_from_template(audio) if audio else None
        except ValueError as error:
            raise TranscodeError(texts.UNRECOGNIZED_FORMAT, str(error)) from error

    def encode(self, frame: VideoFrame | None) -> None:
        """None ends the stream."""
        if frame is not None and not self._video.codec_context.is_open:
            _describe(self._video, frame)
        for packet in self._with_rate(self._video.codec_context.encode_lazy(frame)):
            packet.stream = self._video
            self._container.mux(packet)
            self.frames += 1
            self._progress()

    def _with_rate(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """One packet for each; the filter holds none back."""
        if self._rate_note is None:
            yield from packets
            return
        for packet in packets:
            time_base = packet.time_base
            for noted in self._rate_note.filter(packet):
                noted.time_base = time_base
                yield noted

    def copy(self, audio: AudioPacket) -> None:
        """Unchanged, but for times that do not grow, which no container takes."""
        if self._audio is None:
            return
        packet = av.Packet(audio.data)
        packet.stream = self._audio
        packet.time_base = audio.time_base
        dts = audio.dts
        if self._next_audio_dts is not None and dts < self._next_audio_dts:
            dts = self._next_audio_dts
        self._next_audio_dts = dts + 1 if dts == audio.dts else dts + max(1, audio.duration)
        packet.pts, packet.dts = max(audio.pts, dts), dts
        packet.duration = audio.duration
        packet.is_keyframe = audio.is_key
        self._container.mux(packet)

    def close(self) -> None:
        self._container.close()


def _create(layout: Layout) -> OutputContainer:
    is_mp4 = layout.container is Container.MP4
    options: Mapping[str, str] = {"movflags": "faststart"} if is_mp4 else {}
    container = av.open(
        str(layout.path), "w", format="mp4" if is_mp4 else "mpegts", container_options=dict(options)
    )
    if is_mp4:
        container.metadata["comment"] = f"Processed by {layout.provider}"
    else:
        container.metadata["service_provider"] = layout.provider
    return container


def _add_video(container: OutputContainer, layout: Layout) -> VideoStream:
    settings = layout.settings
    stream = container.add_stream(settings.encoder, rate=layout.rate, options=dict(settings.options))
    if not isinstance(stream, VideoStream):
        raise TranscodeError(texts.NO_ENCODER, settings.encoder)
    context = stream.codec_context
    context.width, context.height = layout.size.width, layout.size.height
    context.pix_fmt = "yuv420p"
    context.time_base = layout.time_base
    context.bit_rate = settings.bitrate
    context.bit_rate_tolerance = _BIT_RATE_TOLERANCE
    context.thread_count = settings.threads
    if layout.pixel_aspect:
        context.sample_aspect_ratio = layout.pixel_aspect
    if settings.gop_frames is not None:
        context.gop_size = settings.gop_frames
    return stream


def _rate_note(layout: Layout, video: VideoStream) -> BitStreamFilterContext | None:
    """Writes the frame rate into the stream's headers where x264 would write the ticks of its clock.

    That happens where the source's own times are kept. MPEG-TS carries no durations, so its readers would
    take each frame to last one tick; MP4 carries them.
    """
    is_paced = layout.time_base * layout.rate == 1
    if is_paced or layout.container is Container.MP4 or layout.settings.encoder != "libx264":
        return None
    fields = 2 * layout.rate
    return BitStreamFilterContext(f"h264_metadata=tick_rate={fields.numerator}/{fields.denominator}", video)


def _describe(stream: VideoStream, frame: VideoFrame) -> None:
    """Colours mean the same in the rendition as in the source."""
    context = stream.codec_context
    context.color_range = frame.color_range
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc
    context.colorspace = frame.colorspace
