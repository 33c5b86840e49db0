"""Segments that are not what they should be: the text a peer gets, and that nothing is made of them."""

import random
import struct

import av
import pytest
from codec_samples import look, write_segment

from livepeer.wire import texts
from livepeer.wire.profiles import VideoProfile
from runtime.video.jobs import TranscodeError


def refusal(run, source, *profiles, **changes):
    with pytest.raises(TranscodeError) as caught:
        run(source, *profiles, **changes)
    return caught.value.text


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [0, 1, 188, 20_000])
def test_random_bytes_are_no_video(run, tmp_path, size):
    source = written(tmp_path / "in", random.Random(7).randbytes(size))
    assert refusal(run, source) == texts.INVALID_VIDEO


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40),
        b"GIF89a" + bytes(50),
    ],
    ids=["hls", "concat", "dash", "png", "wav", "gif"],
)
def test_formats_that_could_name_other_files_are_not_opened(run, tmp_path, content):
    assert refusal(run, written(tmp_path / "in", content)) == texts.INVALID_VIDEO


def test_sound_alone_is_no_video(run, tmp_path):
    source = tmp_path / "in.ts"
    with av.open(str(source), "w", format="mpegts") as target:
        sound = target.add_stream("aac", rate=48000)
        for frame in av.open("sine=d=1:r=48000", format="lavfi").decode(audio=0):
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
    assert refusal(run, source) == texts.INVALID_VIDEO


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_truncated_segment_is_transcoded_as_far_as_it_goes(run, segment, tmp_path, part):
    content = segment.read_bytes()
    source = written(tmp_path / "in.ts", content[: int(len(content) * part)])
    (rendition,) = run(source).renditions
    assert 0 < rendition.frames <= 30


def test_a_truncated_mp4_without_its_index_is_no_video(run, tmp_path):
    whole = write_segment(tmp_path / "whole.mp4", container="mp4", first_s=0).read_bytes()
    source = written(tmp_path / "in.mp4", whole[: len(whole) // 2])
    assert refusal(run, source) == texts.INVALID_VIDEO


def test_an_mp4_whose_media_is_cut_gives_what_is_there(run, tmp_path):
    options = {"movflags": "faststart"}
    whole = write_segment(
        tmp_path / "w.mp4", container="mp4", first_s=0, seconds=2, muxing=options
    ).read_bytes()
    source = written(tmp_path / "in.mp4", whole[: len(whole) * 6 // 10])
    (rendition,) = run(source).renditions
    assert 0 < rendition.frames < 60


def test_more_than_300_seconds_are_refused(run, tmp_path):
    source = write_segment(tmp_path / "in.ts", seconds=302, rate=1, size=(160, 90), audio=False)
    assert refusal(run, source) == texts.INVALID_DURATION


def test_a_jump_in_time_is_not_filled_with_frames(run, segment, tmp_path):
    later = write_segment(tmp_path / "later.ts", first_s=200).read_bytes()
    source = written(tmp_path / "in.ts", segment.read_bytes() + later)
    assert refusal(run, source) == texts.RUNAWAY


def test_huge_dimensions_are_refused_before_decoding(run, tmp_path):
    source = write_segment(
        tmp_path / "in.ts",
        size=(8192, 4400),
        seconds=0.04,
        rate=25,
        audio=False,
        options={"preset": "ultrafast"},
    )
    assert refusal(run, source) == texts.INVALID_RESOLUTION


def test_an_mp4_that_claims_a_billion_samples_is_refused(run, tmp_path):
    content = bytearray(
        write_segment(tmp_path / "w.mp4", container="mp4", first_s=0, audio=False).read_bytes()
    )
    at = content.index(b"stsz") + 4 + 4
    content[at : at + 8] = struct.pack(">II", 1, 1_000_000_000)
    text = refusal(run, written(tmp_path / "in.mp4", bytes(content)))
    assert text in {texts.INVALID_VIDEO, texts.INVALID_DATA, texts.UNRECOVERABLE, texts.NO_KEYFRAMES}


def test_a_codec_that_is_not_offered_is_refused(run, tmp_path):
    source = write_segment(tmp_path / "in.ts", codec="mpeg2video", audio=False)
    assert refusal(run, source) == texts.UNSUPPORTED_CODEC


def test_parameter_sets_without_key_frame_are_told_apart(run, segment, tmp_path):
    """The picture is known, but no frame can be decoded."""
    source = tmp_path / "in.ts"
    with av.open(str(segment)) as whole, av.open(str(source), "w", format="mpegts") as target:
        video = target.add_stream_from_template(whole.streams.video[0])
        parameter_sets = None
        for packet in whole.demux(video=0):
            if packet.is_keyframe and parameter_sets is None:
                parameter_sets = bytes(packet).split(b"\x00\x00\x01\x65")[0]
                continue
            if not packet.size:
                continue
            made = av.Packet(parameter_sets + bytes(packet))
            made.pts, made.dts, made.time_base, made.stream = packet.pts, packet.dts, packet.time_base, video
            target.mux(made)
    assert refusal(run, source) in {texts.NO_KEYFRAMES, texts.INVALID_DATA}


def test_too_many_renditions_are_refused(run, segment):
    many = [VideoProfile(name=str(n), width=160, height=90, fps=1) for n in range(11)]
    assert refusal(run, segment, *many) == texts.TOO_MANY_OUTPUTS


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"fps": 3000}, texts.RUNAWAY),
        ({"fps": 4_000_000_000}, texts.INVALID_ARGUMENT),
        ({"fps": 30, "gop_ms": -5}, texts.INVALID_GOP),
        ({"fps": 30, "bitrate": 1 << 31}, texts.INVALID_ARGUMENT),
    ],
)
def test_wishes_that_cannot_be_encoded_are_refused(run, segment, fields, text):
    assert refusal(run, segment, VideoProfile(**{"name": "p", "width": 160, "height": 90, **fields})) == text


def answer(run, source, *profiles):
    """Frames of the rendition, or the refusal's text."""
    try:
        (rendition,) = run(source, *profiles).renditions
    except TranscodeError as error:
        return error.text
    return rendition.frames


@pytest.mark.parametrize("bitrate", [1, 1000, (1 << 31) - 1])
def test_odd_bitrates_do_no_harm(run, segment, bitrate):
    profile = VideoProfile(name="p", width=160, height=90, bitrate=bitrate, fps=30)
    assert answer(run, segment, profile) in {30, *texts.UNPUNISHED}


def damaged(content, chance):
    """Altered, cut, shortened or turned round."""
    content = bytearray(content)
    match chance.randrange(4):
        case 0:
            for _ in range(chance.choice([1, 5, 50, 500])):
                content[chance.randrange(len(content))] = chance.randrange(256)
        case 1:
            del content[chance.randrange(len(content)) :]
        case 2:
            start = chance.randrange(len(content))
            del content[start : start + chance.randrange(2000)]
        case _:
            turn = chance.randrange(len(content) // 188) * 188
            content = content[turn:] + content[:turn]
    return bytes(content)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_segments_give_true_counts_or_the_networks_own_words(run, segment, tmp_path, seed):
    source = written(tmp_path / "in.ts", damaged(segment.read_bytes(), random.Random(seed)))
    try:
        (rendition,) = run(source).renditions
    except TranscodeError as error:
        known = {*texts.UNPUNISHED, texts.INVALID_DATA, texts.INVALID_DURATION}
        assert error.text in known, error.detail  # noqa: PT017 - both endings are right
    else:
        assert rendition.frames == look(rendition.path).frames


def test_a_stream_that_appears_in_mid_file_does_no_harm(run, segment, tmp_path):
    """The second half announces a second sound track."""
    later = tmp_path / "later.ts"
    with av.open(str(segment)) as first, av.open(str(later), "w", format="mpegts") as target:
        video = target.add_stream_from_template(first.streams.video[0])
        sounds = [target.add_stream_from_template(first.streams.audio[0]) for _ in range(2)]
        for packet in first.demux():
            if not packet.size:
                continue
            for stream in [video] if packet.stream.type == "video" else sounds:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts = packet.pts + 90_000, packet.dts + 90_000
                copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                copy.stream = stream
                target.mux(copy)
    source = written(tmp_path / "in.ts", segment.read_bytes() + later.read_bytes())
    (rendition,) = run(source).renditions
    assert rendition.frames == look(rendition.path).frames == 60
