"""What an encoder is told for one profile: options, rate control, key frames.

Pure. One profile and one device give one `EncoderSettings`; what the peer may not ask for raises
`TranscodeError` with the text the network knows. The preset is the operator's, everything else the gateway's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from livepeer.wire import texts
from livepeer.wire.profiles import GOP_INTRA, Codec, CodecProfile, VideoProfile
from runtime.video.jobs import TranscodeError

_INT_LIMIT = 1 << 31
_BEST_QUALITY_SCALE = 63
_NVENC_SCALE = 51
_NVENC_OFFSET = 7
_DEFAULT_B_FRAMES = 3

_PROFILE_NAMES: Mapping[CodecProfile, str] = {
    CodecProfile.H264_BASELINE: "baseline",
    CodecProfile.H264_MAIN: "main",
    CodecProfile.H264_HIGH: "high",
    CodecProfile.H264_CONSTRAINED_HIGH: "high",
}
_WITHOUT_B_FRAMES = frozenset({CodecProfile.H264_BASELINE, CodecProfile.H264_CONSTRAINED_HIGH})
_SOFTWARE: Mapping[Codec, str] = {Codec.H264: "libx264", Codec.H265: "libx265"}
_NVENC: Mapping[Codec, str] = {Codec.H264: "h264_nvenc", Codec.H265: "hevc_nvenc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """`gop_frames` None leaves key frames to the encoder; `key_every_s` forces one at each interval."""

    encoder: str
    options: Mapping[str, str]
    bitrate: int
    gop_frames: int | None
    key_every_s: Fraction | None
    threads: int


def encoder_settings(profile: VideoProfile, preset: str, *, hardware: bool, threads: int) -> EncoderSettings:
    """Raises `TranscodeError` for a profile that cannot be encoded."""
    rate = frame_rate(profile)
    encoder = (_NVENC if hardware else _SOFTWARE).get(profile.codec)
    if encoder is None:
        raise TranscodeError(texts.NO_ENCODER, f"{profile.codec.name} with hardware={hardware}")
    options = {"forced-idr": "1", "bf": str(_b_frames(profile, rate, hardware=hardware))}
    options |= _rate_control(profile, hardware=hardware)
    options["preset"] = "medium" if hardware else preset
    if encoder == "hevc_nvenc":
        options["tier"] = "high"
    if profile.codec is Codec.H264 and profile.codec_profile in _PROFILE_NAMES:
        options["profile"] = _PROFILE_NAMES[profile.codec_profile]
    if encoder == "libx265":
        options["x265-params"] = "log-level=none"
    return EncoderSettings(
        encoder=encoder,
        options=options,
        bitrate=profile.bitrate,
        gop_frames=_gop_frames(profile, rate),
        key_every_s=_key_every_s(profile, rate),
        threads=threads,
    )


def frame_rate(profile: VideoProfile) -> Fraction | None:
    """The constant rate asked for, or None to keep the source's frames."""
    if max(profile.fps, profile.fps_den, profile.bitrate) >= _INT_LIMIT:
        raise TranscodeError(texts.INVALID_ARGUMENT, "a number of the profile is out of range")
    return profile.frame_rate


def _b_frames(profile: VideoProfile, rate: Fraction | None, *, hardware: bool) -> int:
    if profile.codec_profile in _WITHOUT_B_FRAMES or profile.gop_ms == GOP_INTRA:
        return 0
    if hardware and (rate is None or profile.codec_profile is CodecProfile.ENCODER_DEFAULT):
        return 0
    return _DEFAULT_B_FRAMES


def _rate_control(profile: VideoProfile, *, hardware: bool) -> dict[str, str]:
    options = {}
    if profile.bitrate:
        options = dict.fromkeys(("minrate", "maxrate", "bufsize"), str(profile.bitrate))
    if 0 < profile.quality <= _BEST_QUALITY_SCALE:
        if not hardware:
            options["crf"] = str(profile.quality)
        elif profile.quality + _NVENC_OFFSET <= _NVENC_SCALE:
            options["cq"] = str(profile.quality + _NVENC_OFFSET)
    return options


def _gop_frames(profile: VideoProfile, rate: Fraction | None) -> int | None:
    if profile.gop_ms < GOP_INTRA:
        raise TranscodeError(texts.INVALID_GOP, f"GOP of {profile.gop_ms} ms")
    if profile.gop_ms == GOP_INTRA:
        return 1
    if profile.gop_ms == 0:
        return None
    if rate is None:  # forced by time; the encoder must not add its own before
        return _INT_LIMIT - 1
    return min(max(1, int(Fraction(profile.gop_ms, 1000) * rate)), _INT_LIMIT - 1)


def _key_every_s(profile: VideoProfile, rate: Fraction | None) -> Fraction | None:
    if profile.gop_ms > 0 and rate is None:
        return Fraction(profile.gop_ms, 1000)
    return None


def shown_rate(rate: Fraction | None, source: Fraction | None) -> Fraction:
    """The frame rate to declare to encoder and container; a guess only where the source has none."""
    return rate or source or Fraction(30)


def frames_allowed(decoded: int) -> int:
    """How many frames may be encoded of so many decoded ones before it is a runaway."""
    return ceil(25 * decoded)
