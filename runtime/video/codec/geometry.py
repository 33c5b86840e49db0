"""What size a rendition really gets, from the source's size and the gateway's wish.

Pure arithmetic that fees depend on, so it equals go-livepeer's to the pixel: the wish is clamped to the
codec's limits, only its larger side counts, the other side follows the source's aspect ratio. Called by the
encoder settings; knows nothing of frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from livepeer.wire import texts
from livepeer.wire.profiles import Codec
from runtime.video.jobs import TranscodeError

LARGEST_INPUT_PX = 8192 * 4352
"""Above this a single frame takes so much memory that no honest stream needs it."""


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and the largest size that a codec's encoders, in hardware too, take."""

    smallest: Size
    largest: Size


LIMITS: Mapping[Codec, Limits] = {
    Codec.H264: Limits(Size(146, 50), Size(4096, 4096)),
    Codec.H265: Limits(Size(132, 40), Size(8192, 8192)),
}
"""Codecs that are not here are not scaled at all, as in go-livepeer."""


def output_size(source: Size, wish: Size, codec: Codec) -> Size:
    """The rendition's size; raises `TranscodeError` where no allowed one has the source's shape."""
    limits = LIMITS.get(codec)
    if limits is None:
        return Size(_even(source.width), _even(source.height))
    size = _scaled(source, _larger_side(wish, limits), limits)
    if max(size.width, size.height) > limits.largest.width:
        raise TranscodeError(texts.INVALID_RESOLUTION, f"{source} as {wish} would become {size}")
    return size


def _larger_side(wish: Size, limits: Limits) -> int:
    width = min(max(wish.width, limits.smallest.width), limits.largest.width)
    height = min(max(wish.height, limits.smallest.height), limits.largest.height)
    return _even(max(width, height))


def _scaled(source: Size, larger: int, limits: Limits) -> Size:
    if source.width >= source.height:
        height = _follow(larger, source.height, source.width)
        if height >= limits.smallest.height:
            return Size(larger, height)
        height = limits.smallest.height
        return Size(_follow(height, source.width, source.height), height)
    width = _follow(larger, source.width, source.height)
    if width >= limits.smallest.width:
        return Size(width, larger)
    width = limits.smallest.width
    return Size(width, _follow(width, source.height, source.width))


def _follow(side: int, numerator: int, denominator: int) -> int:
    """`side · numerator / denominator`, rounded to the nearest even number, halves up."""
    return (side * numerator + denominator) // (2 * denominator) * 2


def _even(side: int) -> int:
    return max(2, side // 2 * 2)
