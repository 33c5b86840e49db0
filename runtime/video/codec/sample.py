"""A made-up segment: moving picture with grain, H.264 in MPEG-TS, encoded in software.

For self-tests and for measuring presets. The picture is drawn by FFmpeg's own sources, so that it costs
encoders about what a real one does; it is the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from livepeer.wire import texts
from runtime.video.jobs import TranscodeError


def write_sample(path: Path, *, size: tuple[int, int], frames: int, rate: int, bitrate: int) -> None:
    """Raises `TranscodeError` where this FFmpeg cannot even do that."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        if not isinstance(stream, VideoStream):
            raise TranscodeError(texts.NO_ENCODER, "libx264")
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = bitrate
        for frame in _picture(size, frames, rate):
            frame.pict_type = PictureType.NONE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _picture(size: tuple[int, int], frames: int, rate: int) -> Iterator[VideoFrame]:
    graph = Graph()
    source = graph.add("testsrc2", f"s={size[0]}x{size[1]}:r={rate}:d={frames / rate:.6f}")
    grain = graph.add("noise", "alls=8:allf=t:all_seed=1")
    plain = graph.add("format", "yuv420p")
    sink = graph.add("buffersink")
    source.link_to(grain)
    grain.link_to(plain)
    plain.link_to(sink)
    graph.configure()
    for _ in range(frames):
        try:
            frame = sink.pull()
        except av.error.EOFError:
            return
        if isinstance(frame, VideoFrame):
            yield frame
