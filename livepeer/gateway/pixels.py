"""Counts the pixels of a rendition by decoding it, as gateways do before they believe a claim.

CPU work: call it in a thread. The decoder is loaded at first use.
"""

from __future__ import annotations

import io
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decoded:
    """`width` and `height` are those of the first frame; `pixels` sums every frame's own size."""

    width: int
    height: int
    frames: int
    pixels: int


class NotDecodable(ValueError):
    """Raised when a decoder makes nothing of the bytes."""


def decode(data: bytes) -> Decoded:
    import av  # noqa: PLC0415 - 30 ms, only where something is decoded

    sizes: list[tuple[int, int]] = []
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if not container.streams.video:
                raise NotDecodable("there is no video in it")
            sizes.extend((frame.width, frame.height) for frame in container.decode(video=0))
    except av.FFmpegError as error:
        raise NotDecodable(str(error)) from error
    if not sizes:
        raise NotDecodable("no frame can be decoded")
    pixels = sum(width * height for width, height in sizes)
    return Decoded(*sizes[0], frames=len(sizes), pixels=pixels)
