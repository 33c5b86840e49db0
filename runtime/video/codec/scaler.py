"""Turns decoded frames into those that a rendition encodes: scaled, paced to its frame rate, 8-bit 4:2:0.

A filter graph of FFmpeg's own `scale`, `fps` and `format`, as its command line would build it. A source that
changes its size or pixel format in the middle gets a new graph; the output keeps its size. One per rendition,
used by that rendition's thread alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av.error
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from livepeer.wire import texts
from runtime.video.codec.geometry import Size
from runtime.video.jobs import TranscodeError

_FORMAT = "yuv420p"
_Shape = tuple[int, int, str]


class Scaler:
    def __init__(self, size: Size, rate: Fraction | None, time_base: Fraction) -> None:
        self._size = size
        self._rate = rate
        self._time_base = time_base
        self._shape: _Shape | None = None
        self._last_pts = -(1 << 63)
        self._graph: Graph | None = None
        self._entry: FilterContext | None = None
        self._exit: FilterContext | None = None

    def push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """The frames that are ready now that `frame` came."""
        shape = (frame.width, frame.height, frame.format.name)
        if shape != self._shape:
            yield from self.flush()
            self._build(shape)
        if self._entry is not None:
            self._entry.push(frame)
            yield from self._ready()

    def flush(self) -> Iterator[VideoFrame]:
        """The frames that were held back."""
        if self._entry is not None:
            self._entry.push(None)
            yield from self._ready()

    def _ready(self) -> Iterator[VideoFrame]:
        while self._exit is not None:
            try:
                frame = self._exit.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            pts = frame.pts
            if isinstance(frame, VideoFrame) and pts is not None and pts > self._last_pts:
                self._last_pts = pts  # a new graph may begin on the tick that the old one ended on
                yield frame

    def _build(self, shape: _Shape) -> None:
        width, height, pixel_format = shape
        graph = Graph()
        graph.threads = 1  # renditions run beside each other; slices of one frame gain nothing
        entry = graph.add_buffer(
            width=width, height=height, format=VideoFormat(pixel_format), time_base=self._time_base
        )
        try:
            last = entry
            for name, arguments in self._filters(shape):
                following = graph.add(name, arguments)
                last.link_to(following)
                last = following
            graph.configure()
        except (av.error.FFmpegError, ValueError) as error:
            raise TranscodeError(texts.FILTERGRAPH, str(error)) from error
        self._shape, self._graph, self._entry, self._exit = shape, graph, entry, last

    def _filters(self, shape: _Shape) -> Iterator[tuple[str, str]]:
        if shape != (self._size.width, self._size.height, _FORMAT):
            yield "scale", f"{self._size.width}:{self._size.height}:flags=bicubic"
        if self._rate:
            yield "fps", f"{self._rate.numerator}/{self._rate.denominator}"
        yield "format", _FORMAT
        yield "buffersink", ""
