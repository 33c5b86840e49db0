"""Transcodes one segment into all its renditions: one decode, one thread per rendition.

Runs inside a worker process, one segment at a time. Everything it knows is in the job and the device; what it
leaves behind are the rendition files in the job's directory, complete or, after an error, meaningless.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from av.video.frame import VideoFrame

from livepeer.wire import texts
from livepeer.wire.profiles import VideoProfile
from runtime.video.codec.clip import Clip, clip_of
from runtime.video.codec.devices import Device
from runtime.video.codec.failures import as_transcode_error
from runtime.video.codec.geometry import Size, output_size
from runtime.video.codec.output import Layout, Output
from runtime.video.codec.rendition import Lane
from runtime.video.codec.scaler import Scaler
from runtime.video.codec.settings import encoder_settings, frame_rate, shown_rate
from runtime.video.codec.source import AudioPacket, Source, open_source
from runtime.video.jobs import Rendition, Transcoded, TranscodeError, TranscodeJob
from runtime.video.messages import rendition_path

MOST_RENDITIONS = 10


def transcode(
    job: TranscodeJob, device: Device, worker: str, *, progress: Callable[[], None] = lambda: None
) -> Transcoded:
    """All renditions of the job's source, in the order of its profiles; raises `TranscodeError`.

    `progress` is called after every step that shows life: a frame decoded or encoded. From several threads.
    """
    started = time.monotonic()
    if len(job.profiles) > MOST_RENDITIONS:
        raise TranscodeError(texts.TOO_MANY_OUTPUTS, f"{len(job.profiles)} renditions")
    try:
        with open_source(job.source, device) as source:
            renditions, pixels = _Run(job, device, source, progress).renditions()
    except Exception as error:
        raise as_transcode_error(error, "transcoding") from error
    return Transcoded(
        renditions=renditions,
        decoded_pixels=pixels,
        codec_s=time.monotonic() - started,
        worker=worker,
    )


class _Run:
    """The work on one segment. Lanes start with the first frame, whose size decides theirs."""

    def __init__(
        self, job: TranscodeJob, device: Device, source: Source, progress: Callable[[], None]
    ) -> None:
        self._progress = progress
        self._job = job
        self._device = device
        self._source = source
        self._lanes: list[Lane] = []
        self._clip: Clip | None = None
        self._early_audio: list[AudioPacket] = []
        self._decoded_px = 0

    def renditions(self) -> tuple[tuple[Rendition, ...], int]:
        try:
            for item in self._source.read():
                self._take(item)
                self._progress()
                if any(lane.has_failed for lane in self._lanes):
                    break
        except BaseException:
            for lane in self._lanes:
                lane.abandon()
            raise
        return tuple(_finished(self._lanes)), self._decoded_px

    def _take(self, item: VideoFrame | AudioPacket) -> None:
        if isinstance(item, AudioPacket):
            self._take_audio(item)
            return
        self._decoded_px += item.width * item.height
        if not self._lanes:
            self._start(item)
        if self._clip is not None:
            base = self._source.time_base
            pts = item.pts or 0
            if not self._clip.keeps(pts * base):
                return
            item.pts = self._clip.placed(pts, base)
        for lane in self._lanes:
            lane.put(item)

    def _take_audio(self, item: AudioPacket) -> None:
        if not self._lanes:
            self._early_audio.append(item)
            return
        if self._clip is not None:
            if not self._clip.keeps(item.pts * item.time_base):
                return
            item = replace(
                item,
                pts=self._clip.placed(item.pts, item.time_base),
                dts=self._clip.placed(item.dts, item.time_base),
            )
        for lane in self._lanes:
            lane.put(item)

    def _start(self, first: VideoFrame) -> None:
        first_s = (first.pts or 0) * self._source.time_base
        self._clip = clip_of(first_s, self._job.clip_from_ms, self._job.clip_to_ms)
        size = Size(first.width, first.height)
        layouts = [self._layout(index, profile, size) for index, profile in enumerate(self._job.profiles)]
        for layout, profile in zip(layouts, self._job.profiles, strict=True):
            scaler = Scaler(layout.size, frame_rate(profile), self._source.time_base)
            output = Output(layout, self._source.audio, self._progress)
            lane = Lane(layout, scaler, output, self._progress, with_signature=self._job.perceptual_hash)
            self._lanes.append(lane)
        for packet in self._early_audio:
            self._take_audio(packet)
        self._early_audio.clear()

    def _layout(self, index: int, profile: VideoProfile, size: Size) -> Layout:
        rate = frame_rate(profile)
        return Layout(
            path=rendition_path(self._job.output, index, profile),
            container=profile.container,
            size=output_size(size, Size(profile.width, profile.height), profile.codec),
            settings=encoder_settings(
                profile,
                self._job.preset,
                hardware=self._device.is_hardware,
                threads=self._device.threads,
            ),
            time_base=1 / rate if rate else self._source.time_base,
            rate=shown_rate(rate, self._source.rate),
            pixel_aspect=self._source.pixel_aspect,
            provider=self._job.provider,
        )


def _finished(lanes: list[Lane]) -> list[Rendition]:
    """Every lane is waited for, even where one failed; the first error wins."""
    results: list[Rendition] = []
    failure: TranscodeError | None = None
    for lane in lanes:
        try:
            results.append(lane.finish())
        except TranscodeError as error:
            failure = failure or error
    if failure:
        raise failure
    return results
