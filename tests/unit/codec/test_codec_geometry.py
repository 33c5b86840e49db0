"""The scaling table that fees follow."""

import pytest

from livepeer.wire import texts
from livepeer.wire.profiles import Codec
from runtime.video.codec.geometry import Size, output_size
from runtime.video.jobs import TranscodeError


@pytest.mark.parametrize(
    ("source", "wish", "expected"),
    [
        ((1920, 1080), (1280, 720), (1280, 720)),
        ((1080, 1920), (1280, 720), (720, 1280)),
        ((640, 480), (854, 480), (854, 640)),
        ((640, 480), (426, 240), (426, 320)),
        ((1920, 800), (640, 360), (640, 266)),
        ((720, 720), (426, 240), (426, 426)),
        ((1920, 1080), (145, 145), (146, 82)),
        ((3840, 100), (256, 144), (1920, 50)),
        ((180, 320), (160, 90), (146, 260)),
        ((320, 180), (16, 16), (146, 82)),
        ((320, 180), (0, 0), (146, 82)),
        ((1920, 1080), (427, 240), (426, 240)),
    ],
)
def test_the_larger_wish_rules_and_the_shape_stays(source, wish, expected):
    assert output_size(Size(*source), Size(*wish), Codec.H264) == Size(*expected)


def test_hevc_has_its_own_limits():
    assert output_size(Size(1920, 1080), Size(1, 1), Codec.H265) == Size(132, 74)
    assert output_size(Size(1920, 1080), Size(9000, 1), Codec.H265) == Size(8192, 4608)


def test_wishes_above_the_limit_are_clamped():
    assert output_size(Size(1920, 1080), Size(100_000, 100_000), Codec.H264) == Size(4096, 2304)


def test_codecs_without_limits_are_not_scaled():
    assert output_size(Size(321, 181), Size(100, 100), Codec.VP9) == Size(320, 180)


def test_a_shape_that_no_allowed_size_has_is_refused():
    with pytest.raises(TranscodeError) as refusal:
        output_size(Size(8192, 16), Size(256, 144), Codec.H264)
    assert refusal.value.text == texts.INVALID_RESOLUTION
