"""What a gateway orders for a stream and what it gets for one segment, as values; the count of its pixels.

Pure but for the decoder behind `count_pixels`, which is CPU work for a thread. Made by `Session`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from livepeer.gateway.failures import PixelMismatch
from livepeer.gateway.limits import latency_score
from livepeer.gateway.pixels import Decoded, NotDecodable, decode
from livepeer.wire.capabilities import Capabilities
from livepeer.wire.profiles import VideoProfile


@dataclass(frozen=True, slots=True)
class Stream:
    """What stays the same for all segments of a stream."""

    manifest_id: str
    profiles: tuple[VideoProfile, ...]
    needs: Capabilities
    checks_pixels: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One rendition as it came. `decoded` is None where the stream does not check pixels."""

    profile: VideoProfile
    url: str
    data: bytes = field(repr=False)
    pixels_claimed: int
    decoded: Decoded | None
    download_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcoded:
    """A segment's round trip, in seconds from the start of the upload."""

    sequence: int
    duration_s: float
    headers_s: float
    total_s: float
    renditions: tuple[Rendition, ...]

    @property
    def score(self) -> float:
        return latency_score(self.total_s, self.duration_s)


def count_pixels(rendition: Rendition) -> Rendition:
    """The rendition with what a decoder makes of it; raises `PixelMismatch` where the claim is another."""
    name = rendition.profile.name
    try:
        decoded = decode(rendition.data)
    except NotDecodable as error:
        raise PixelMismatch(f"{name} cannot be decoded: {error}") from error
    if decoded.pixels != rendition.pixels_claimed:
        raise PixelMismatch(f"{name} has {decoded.pixels} pixels, and {rendition.pixels_claimed} are claimed")
    return replace(rendition, decoded=decoded)
