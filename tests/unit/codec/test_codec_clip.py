"""Which part of a segment is kept."""

from fractions import Fraction

from runtime.video.codec.clip import clip_of

BASE = Fraction(1, 90_000)


def test_no_bounds_keep_everything():
    assert clip_of(Fraction(10), None, None) is None
    assert clip_of(Fraction(10), 0, 0) is None


def test_both_ends_are_kept_and_the_start_becomes_zero():
    clip = clip_of(Fraction(10), 200, 700)
    assert [clip.keeps(Fraction(10) + Fraction(ms, 1000)) for ms in (199, 200, 700, 701)] == [
        False,
        True,
        True,
        False,
    ]
    assert clip.placed(10 * 90_000 + 18_000, BASE) == 0


def test_a_clip_from_the_start_keeps_its_time_line_and_early_audio():
    clip = clip_of(Fraction(10), None, 500)
    assert clip.keeps(Fraction(99, 10))
    assert not clip.keeps(Fraction(106, 10))
    assert clip.placed(900_000, BASE) == 900_000


def test_a_clip_without_end_goes_to_the_end():
    assert clip_of(Fraction(10), 500, 0).keeps(Fraction(1000))
