"""A segment as it arrives: opened with suspicion, checked, read as frames and audio packets in file order.

A segment is a stranger's file. Only container formats that cannot refer to other files are opened, only the
decoders we offer are used, and sizes and durations are bounded before anything is decoded. Frames leave with
strictly increasing timestamps. Called by `transcode`; writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from livepeer.wire import texts
from runtime.video.codec.devices import Device
from runtime.video.codec.failures import as_transcode_error
from runtime.video.codec.geometry import LARGEST_INPUT_PX
from runtime.video.jobs import TranscodeError

LONGEST_S = 300
_FORMATS = "mpegts,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,flv"
_VIDEO_CODECS = frozenset({"h264", "hevc", "vp8", "vp9"})
_MOST_STREAMS = 64  # thousands of them, each probed, are a way to keep a worker busy
_MOST_DECODER_THREADS = 4  # each holds a frame; the encoders have the rest of the cores
_WITHOUT_FRAMES = "the video stream has no frames"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPacket:
    """One packet of the source's audio, copied unchanged into every rendition. Times in `time_base`."""

    data: bytes
    pts: int
    dts: int
    duration: int
    is_key: bool
    time_base: Fraction


class Source:
    """An opened segment. `read` may be called once."""

    def __init__(self, container: InputContainer, video: VideoStream, audio: AudioStream | None) -> None:
        self.video = video
        self.audio = audio
        self.time_base = video.time_base or Fraction(1, 90_000)
        self.frames = 0
        self._container = container
        self._has_key = False
        self._last_pts: int | None = None
        self._first_pts = 0
        self._step = self._frame_step()

    @property
    def rate(self) -> Fraction | None:
        return self.video.average_rate or self.video.guessed_rate

    @property
    def pixel_aspect(self) -> Fraction | None:
        """The shape of a pixel, where it is known and not a square."""
        aspect = self.video.codec_context.sample_aspect_ratio
        return aspect if aspect and aspect != 1 else None

    def read(self) -> Iterator[VideoFrame | AudioPacket]:
        """Everything in file order. Raises `TranscodeError` where the segment cannot be decoded."""
        damage: av.error.InvalidDataError | None = None
        for packet in self._packets():
            if packet.stream is self.audio:
                yield from _copied(packet)
                continue
            if damage and packet.size:
                raise as_transcode_error(damage, "decoding")
            self._has_key = self._has_key or packet.is_keyframe
            try:
                decoded = self.video.codec_context.decode(packet)
            except av.error.InvalidDataError as error:
                damage = error  # forgiven at the very end, where a truncated segment was cut
                continue
            except av.error.EOFError:
                break
            for frame in decoded:
                yield self._timed(frame)
        self._check_end(damage)

    def _packets(self) -> Iterator[Packet[Any]]:
        streams = [self.video] + ([self.audio] if self.audio else [])
        try:
            yield from self._container.demux(streams)
        except av.error.InvalidDataError as error:
            if not self.frames:
                raise as_transcode_error(error, "reading") from error
        except IndexError:
            return  # PyAV trips over streams that appear in mid-file, after it has flushed ours

    def _timed(self, frame: VideoFrame) -> VideoFrame:
        """Missing and non-increasing timestamps are made up, so that encoders and players get sane ones."""
        frame.time_base = self.time_base
        if self._last_pts is None:
            self._first_pts = frame.pts or 0
            frame.pts = self._first_pts
        elif frame.pts is None:
            frame.pts = self._last_pts + self._step
        elif frame.pts <= self._last_pts:
            frame.pts = self._last_pts + 1
        if (frame.pts - self._first_pts) * self.time_base > LONGEST_S:
            raise TranscodeError(texts.INVALID_DURATION, f"more than {LONGEST_S} s of video")
        self._last_pts = frame.pts
        self.frames += 1
        return frame

    def _frame_step(self) -> int:
        rate = self.rate or Fraction(30)
        return max(1, round(1 / (rate * self.time_base)))

    def _check_end(self, damage: av.error.InvalidDataError | None) -> None:
        if self.frames and self._has_key:
            return
        if damage:
            raise as_transcode_error(damage, "decoding")
        if not self._has_key and not (self.audio and not self.frames):
            raise TranscodeError(texts.NO_KEYFRAMES)
        raise TranscodeError(texts.INVALID_VIDEO, _WITHOUT_FRAMES)


def _copied(packet: Packet[Any]) -> Iterator[AudioPacket]:
    """The packet as a value; not the empty one that ends a stream, nor one that has no time."""
    time_base = packet.time_base
    dts = packet.dts if packet.dts is not None else packet.pts
    if packet.size and dts is not None and time_base:
        yield AudioPacket(
            data=bytes(packet),
            pts=packet.pts if packet.pts is not None else dts,
            dts=dts,
            duration=packet.duration or 0,
            is_key=packet.is_keyframe,
            time_base=time_base,
        )


@contextmanager
def open_source(path: Path, device: Device) -> Iterator[Source]:
    """The checked segment at `path`; raises `TranscodeError` with the text the network knows."""
    try:
        container = av.open(
            str(path),
            container_options={
                "format_whitelist": _FORMATS,
                "protocol_whitelist": "file",
                "max_streams": str(_MOST_STREAMS),
            },
            hwaccel=device.decoding(),
        )
    except (av.error.InvalidDataError, av.error.EOFError, ValueError) as error:
        raise TranscodeError(texts.INVALID_VIDEO, f"opening: {error}") from error
    except (av.error.FFmpegError, NotImplementedError) as error:
        raise as_transcode_error(error, f"opening on {device.name}") from error
    with container:
        yield _checked(container, device)


def _checked(container: InputContainer, device: Device) -> Source:
    video = container.streams.best("video")
    audio = container.streams.best("audio")
    if not isinstance(video, VideoStream):
        raise TranscodeError(texts.INVALID_VIDEO, "there is no video stream")
    if not isinstance(audio, AudioStream):
        audio = None
    if container.duration and container.duration > LONGEST_S * av.time_base:
        raise TranscodeError(texts.INVALID_DURATION, f"{container.duration / av.time_base:.1f} s")
    context: VideoCodecContext | None = video.codec_context
    if context is None or context.name not in _VIDEO_CODECS:
        raise TranscodeError(texts.UNSUPPORTED_CODEC, context.name if context else "unknown")
    if not (context.width and context.height and context.pix_fmt):
        text = texts.INVALID_VIDEO if audio else texts.INVALID_DATA
        raise TranscodeError(text, _WITHOUT_FRAMES)
    if context.width * context.height > LARGEST_INPUT_PX:
        raise TranscodeError(texts.INVALID_RESOLUTION, f"{context.width}x{context.height}")
    if not device.takes(context.pix_fmt):
        raise TranscodeError(texts.UNSUPPORTED_PIXEL_FORMAT, context.pix_fmt)
    context.options = {"max_pixels": str(LARGEST_INPUT_PX)}
    context.thread_count = 1 if device.is_hardware else min(_MOST_DECODER_THREADS, (os.cpu_count() or 1) + 1)
    context.thread_type = "FRAME"
    return Source(container, video, audio)
