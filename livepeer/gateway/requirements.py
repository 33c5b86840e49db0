"""Which capabilities a video job needs of an orchestrator, as a gateway derives them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from livepeer.wire.capabilities import Capabilities, Capability, to_bits
from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile

_ALWAYS = frozenset({Capability.AUTH_TOKEN, Capability.SEGMENT_SLICING})
_ENCODERS = {
    Codec.H264: Capability.H264,
    Codec.H265: Capability.HEVC_ENCODE,
    Codec.VP8: Capability.VP8_ENCODE,
    Codec.VP9: Capability.VP9_ENCODE,
}
_PROFILES = {
    CodecProfile.H264_BASELINE: Capability.H264_BASELINE,
    CodecProfile.H264_MAIN: Capability.H264_MAIN,
    CodecProfile.H264_HIGH: Capability.H264_HIGH,
    CodecProfile.H264_CONSTRAINED_HIGH: Capability.H264_CONSTRAINED_HIGH,
}


class Source(Enum):
    """What a decoder must take. The value is the capability that it needs."""

    H264 = Capability.H264
    HEVC = Capability.HEVC_DECODE
    VP8 = Capability.VP8_DECODE
    VP9 = Capability.VP9_DECODE


def needs_of(
    profiles: Iterable[VideoProfile], source: Source = Source.H264, *, verified: bool = False
) -> Capabilities:
    """The job's capabilities. `verified`: perceptual hashes will be asked for."""
    numbers = {*_ALWAYS, source.value}
    if verified:
        numbers.add(Capability.MPEG7_SIGNATURE)
    for profile in profiles:
        numbers |= _needs_of_profile(profile)
    return Capabilities(bitstring=to_bits(numbers))


def _needs_of_profile(profile: VideoProfile) -> set[Capability]:
    numbers = {
        _ENCODERS[profile.codec],
        Capability.MP4 if profile.container is Container.MP4 else Capability.MPEGTS,
    }
    if profile.fps_den:
        numbers.add(Capability.FRACTIONAL_FRAMERATES)
    if profile.codec_profile in _PROFILES:
        numbers.add(_PROFILES[profile.codec_profile])
    if profile.gop_ms:
        numbers.add(Capability.GOP)
    return numbers
