"""One rendition that a gateway asks for, as a value, and its form on the wire.

Decoding applies the network's defaults (a name where none is given) and refuses what no orchestrator can
read, with the text that gateways know. Fields that nobody reads any more (colour depth, chroma format) are
dropped. What a codec makes of a profile is decided where it is encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from http import HTTPStatus
from typing import TypeVar

from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire import texts
from livepeer.wire.errors import PeerProtocolError
from livepeer.wire.signing import keccak256

_Enum = TypeVar("_Enum", bound=IntEnum)

GOP_INTRA = -1
"""Every frame a key frame. Other negative values are no GOP at all."""

MOST_PROFILES = 100
"""Encoders take fewer and say so in the result; what is beyond this is no order."""


class Container(IntEnum):
    MPEGTS = 0
    MP4 = 1

    @property
    def extension(self) -> str:
        return ".mp4" if self is Container.MP4 else ".ts"


class CodecProfile(IntEnum):
    ENCODER_DEFAULT = 0
    H264_BASELINE = 1
    H264_MAIN = 2
    H264_HIGH = 3
    H264_CONSTRAINED_HIGH = 4


class Codec(IntEnum):
    H264 = 0
    H265 = 1
    VP8 = 2
    VP9 = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoProfile:
    """Sizes in pixels, `bitrate` in bits per second (0: not limited), `gop_ms` 0: the encoder's choice.

    `fps` 0 passes the source's frames through; `fps_den` 0 means 1 and is kept as it came, because gateways
    choose the wire's field by it. `quality` is a constant rate factor, 0: none.
    """

    name: str
    width: int
    height: int
    bitrate: int = 0
    fps: int = 0
    fps_den: int = 0
    container: Container = Container.MPEGTS
    codec: Codec = Codec.H264
    codec_profile: CodecProfile = CodecProfile.ENCODER_DEFAULT
    gop_ms: int = 0
    quality: int = 0

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames per second, or None to keep the source's."""
        return Fraction(self.fps, self.fps_den or 1) if self.fps else None


def from_wire(message: pb.VideoProfile) -> VideoProfile:
    """The profile; raises `PeerProtocolError` for what cannot be read."""
    if message.width < 0 or message.height < 0:
        raise PeerProtocolError(texts.INVALID_RESOLUTION, status=HTTPStatus.FORBIDDEN)
    if message.bitrate < 0:
        raise PeerProtocolError(texts.INVALID_ARGUMENT, status=HTTPStatus.FORBIDDEN)
    return VideoProfile(
        name=message.name or f"net_{message.width}x{message.height}_{message.bitrate}",
        width=message.width,
        height=message.height,
        bitrate=message.bitrate,
        fps=message.fps,
        fps_den=message.fpsDen,
        container=_known(Container, message.format, texts.PROFILE_FORMAT),
        codec_profile=_known(CodecProfile, message.profile, texts.PROFILE_ENCODER),
        codec=_known(Codec, message.encoder, texts.PROFILE_CODEC),
        gop_ms=message.gop,
        quality=message.quality,
    )


def _known(kind: type[_Enum], number: int, refusal: str) -> _Enum:
    try:
        return kind(number)
    except ValueError as error:
        raise PeerProtocolError(refusal, status=HTTPStatus.FORBIDDEN) from error


def to_wire(profile: VideoProfile) -> pb.VideoProfile:
    return pb.VideoProfile(
        name=profile.name,
        width=profile.width,
        height=profile.height,
        bitrate=profile.bitrate,
        fps=profile.fps,
        fpsDen=profile.fps_den,
        format=profile.container.name,
        encoder=profile.codec.name,
        profile=profile.codec_profile.name,
        gop=profile.gop_ms,
        quality=profile.quality,
    )


def read_profiles(message: pb.SegData) -> tuple[VideoProfile, ...]:
    """The newest of the three lists that is not empty."""
    chosen = message.fullProfiles3 or message.fullProfiles2 or message.fullProfiles
    if len(chosen) > MOST_PROFILES:
        raise PeerProtocolError(texts.TOO_MANY_OUTPUTS, status=HTTPStatus.FORBIDDEN)
    return tuple(from_wire(entry) for entry in chosen)


def write_profiles(profiles: Iterable[VideoProfile], message: pb.SegData) -> None:
    """Puts the profiles into the oldest list that can carry them, as gateways do."""
    kept = tuple(profiles)
    entries = [to_wire(profile) for profile in kept]
    if any(_needs_newest(profile) for profile in kept):
        message.fullProfiles3.extend(entries)
    elif any(profile.container is Container.MP4 for profile in kept):
        message.fullProfiles2.extend(entries)
    else:
        message.fullProfiles.extend(entries)


def _needs_newest(profile: VideoProfile) -> bool:
    return bool(profile.fps_den or profile.codec_profile or profile.gop_ms)


def identity_text(profiles: Iterable[VideoProfile]) -> bytes:
    """What a segment's signature covers of its profiles: eight hex characters of each name's hash."""
    return b"".join(keccak256(profile.name.encode())[:4].hex().encode() for profile in profiles)
