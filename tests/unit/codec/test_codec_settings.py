"""What encoders are told for a profile."""

from fractions import Fraction

import pytest

from livepeer.wire import texts
from livepeer.wire.profiles import Codec, CodecProfile, VideoProfile
from runtime.video.codec.settings import encoder_settings, frame_rate, frames_allowed
from runtime.video.jobs import TranscodeError


def settings(*, hardware=False, **fields):
    profile = VideoProfile(name="p", width=640, height=360, **fields)
    return encoder_settings(profile, "fast", hardware=hardware, threads=0)


@pytest.mark.parametrize(
    ("gop_ms", "fps", "fps_den", "frames", "interval"),
    [
        (0, 30, 0, None, None),
        (-1, 30, 0, 1, None),
        (-1, 0, 0, 1, None),
        (500, 30, 0, 15, None),
        (2000, 30000, 1001, 59, None),
        (2000, 24000, 1001, 47, None),
        (1, 30, 0, 1, None),
        (500, 0, 0, (1 << 31) - 1, Fraction(1, 2)),
    ],
)
def test_gop_counts_frames_of_the_real_rate(gop_ms, fps, fps_den, frames, interval):
    made = settings(gop_ms=gop_ms, fps=fps, fps_den=fps_den)
    assert (made.gop_frames, made.key_every_s) == (frames, interval)


def test_other_negative_gops_are_refused():
    with pytest.raises(TranscodeError) as refusal:
        settings(gop_ms=-2, fps=30)
    assert refusal.value.text == texts.INVALID_GOP


@pytest.mark.parametrize(
    ("codec_profile", "hardware", "fps", "b_frames"),
    [
        (CodecProfile.ENCODER_DEFAULT, False, 30, "3"),
        (CodecProfile.ENCODER_DEFAULT, True, 30, "0"),
        (CodecProfile.H264_BASELINE, False, 30, "0"),
        (CodecProfile.H264_MAIN, False, 30, "3"),
        (CodecProfile.H264_HIGH, False, 0, "3"),
        (CodecProfile.H264_HIGH, True, 30, "3"),
        (CodecProfile.H264_HIGH, True, 0, "0"),
        (CodecProfile.H264_CONSTRAINED_HIGH, False, 30, "0"),
    ],
)
def test_profile_and_device_decide_on_b_frames(codec_profile, hardware, fps, b_frames):
    assert settings(codec_profile=codec_profile, hardware=hardware, fps=fps).options["bf"] == b_frames


def test_constrained_high_is_encoded_as_high():
    assert settings(codec_profile=CodecProfile.H264_CONSTRAINED_HIGH).options["profile"] == "high"
    assert "profile" not in settings().options


def test_bitrate_bounds_minimum_maximum_and_buffer():
    made = settings(bitrate=500_000)
    assert made.bitrate == 500_000
    assert {made.options[name] for name in ("minrate", "maxrate", "bufsize")} == {"500000"}
    assert "maxrate" not in settings().options


@pytest.mark.parametrize(
    ("quality", "hardware", "option", "value"),
    [(30, False, "crf", "30"), (63, False, "crf", "63"), (30, True, "cq", "37"), (44, True, "cq", "51")],
)
def test_quality_is_a_constant_rate_factor(quality, hardware, option, value):
    assert settings(quality=quality, hardware=hardware).options[option] == value


@pytest.mark.parametrize(("quality", "hardware"), [(64, False), (45, True), (0, False)])
def test_quality_out_of_scale_is_ignored(quality, hardware):
    options = settings(quality=quality, hardware=hardware).options
    assert "crf" not in options
    assert "cq" not in options


def test_the_preset_is_the_operators_and_hardware_has_its_own():
    assert settings().options["preset"] == "fast"
    assert settings(hardware=True).options["preset"] == "medium"


@pytest.mark.parametrize(
    ("codec", "hardware", "encoder"),
    [
        (Codec.H264, False, "libx264"),
        (Codec.H265, False, "libx265"),
        (Codec.H264, True, "h264_nvenc"),
        (Codec.H265, True, "hevc_nvenc"),
    ],
)
def test_each_codec_has_its_encoder(codec, hardware, encoder):
    assert settings(codec=codec, hardware=hardware).encoder == encoder


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9])
def test_a_codec_without_encoder_is_refused(codec):
    with pytest.raises(TranscodeError) as refusal:
        settings(codec=codec)
    assert refusal.value.text == texts.NO_ENCODER


def test_numbers_beyond_the_codecs_range_are_refused():
    for fields in ({"fps": 1 << 31}, {"fps": 30, "fps_den": 1 << 31}):
        with pytest.raises(TranscodeError) as refusal:
            frame_rate(VideoProfile(name="p", width=640, height=360, **fields))
        assert refusal.value.text == texts.INVALID_ARGUMENT


def test_runaway_is_more_than_25_frames_of_one():
    assert frames_allowed(2) == 50
