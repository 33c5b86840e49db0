"""What renditions are like, as any decoder sees them."""

from fractions import Fraction

import av
import pytest
from codec_samples import CPU, look, write_segment

from livepeer.wire import texts
from livepeer.wire.capabilities import Capability
from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile
from livepeer.wire.signing import keccak256
from runtime.video.codec.abilities import abilities
from runtime.video.jobs import TranscodeError


def profile(**fields):
    return VideoProfile(**{"name": "p", "width": 426, "height": 240, "bitrate": 300_000, "fps": 30, **fields})


def test_pixels_and_hash_are_those_of_the_file(run, segment):
    result = run(segment, profile(), profile(width=256, height=144, fps=15), profile(fps=0))
    for rendition in result.renditions:
        seen = look(rendition.path)
        assert rendition.pixels == seen.frames * seen.size[0] * seen.size[1]
        assert rendition.keccak == keccak256(rendition.path.read_bytes())
        assert seen.pix_fmt == "yuv420p"
    assert [rendition.frames for rendition in result.renditions] == [30, 15, 30]
    assert result.decoded_pixels == 30 * 320 * 180


def test_the_time_line_goes_on_from_segment_to_segment(run, tmp_path):
    for container in Container:
        for first_s in (10.0, 12.0):
            source = write_segment(tmp_path / "in.ts", first_s=first_s)
            (rendition,) = run(source, profile(container=container)).renditions
            seen = look(rendition.path)
            assert seen.times[0] == pytest.approx(first_s, abs=0.001)
            assert seen.times[-1] == pytest.approx(first_s + 29 / 30, abs=0.001)
            assert seen.audio_times[0] == pytest.approx(look(source).audio_times[0], abs=0.025)


@pytest.mark.parametrize(
    ("fps", "fps_den", "source_rate", "frames"),
    [
        (30000, 1001, Fraction(30), 60),
        (24000, 1001, Fraction(30), 48),
        (25, 0, Fraction(30), 50),
        (60, 1, Fraction(30), 120),
        (0, 0, Fraction(24000, 1001), 48),
        (30, 0, Fraction(30000, 1001), 60),
    ],
)
def test_frame_rates(run, tmp_path, *, fps, fps_den, source_rate, frames):
    source = write_segment(tmp_path / "in.ts", rate=source_rate, seconds=2, audio=False)
    (rendition,) = run(source, profile(fps=fps, fps_den=fps_den)).renditions
    assert rendition.frames == look(rendition.path).frames
    assert abs(rendition.frames - frames) <= 1


@pytest.mark.parametrize("source_rate", [Fraction(30), Fraction(24000, 1001)])
def test_frames_last_as_long_as_the_sources_where_its_rate_is_kept(run, tmp_path, source_rate):
    source = write_segment(tmp_path / "in.ts", rate=source_rate, audio=False)
    (rendition,) = run(source, profile(fps=0)).renditions
    with av.open(str(rendition.path)) as container:
        lengths = {p.duration * p.time_base for p in container.demux(video=0) if p.size}
        assert [float(length) for length in lengths] == pytest.approx([float(1 / source_rate)], abs=2e-5)


@pytest.mark.parametrize(
    ("gop_ms", "fps", "keys"),
    [
        (-1, 30, range(60)),
        (-1, 0, range(60)),
        (500, 30, range(0, 60, 15)),
        (500, 0, range(0, 60, 15)),
        (0, 30, [0]),
    ],
)
def test_key_frames_stand_where_they_were_asked_for(run, tmp_path, gop_ms, fps, keys):
    source = write_segment(tmp_path / "in.ts", seconds=2)
    (rendition,) = run(source, profile(gop_ms=gop_ms, fps=fps)).renditions
    kinds = look(rendition.path).kinds
    assert [index for index, kind in enumerate(kinds) if kind == "I"] == list(keys)


@pytest.mark.parametrize(
    ("wanted", "shown", "b_frames"),
    [
        (CodecProfile.H264_BASELINE, "Constrained Baseline", False),
        (CodecProfile.H264_MAIN, "Main", True),
        (CodecProfile.H264_HIGH, "High", True),
        (CodecProfile.H264_CONSTRAINED_HIGH, "High", False),
        (CodecProfile.ENCODER_DEFAULT, "High", True),
    ],
)
def test_codec_profiles(run, segment, wanted, shown, b_frames):
    (rendition,) = run(segment, profile(codec_profile=wanted), preset="veryfast").renditions
    seen = look(rendition.path)
    assert (seen.profile, bool(seen.b_frames)) == (shown, b_frames)


def test_mp4_can_be_played_while_it_arrives(run, segment):
    (rendition,) = run(segment, profile(container=Container.MP4)).renditions
    content = rendition.path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert look(rendition.path).streams == ["video", "audio"]


def test_mp4_in_mpegts_out(run, tmp_path):
    source = write_segment(tmp_path / "in.mp4", container="mp4", first_s=0)
    (rendition,) = run(source).renditions
    seen = look(rendition.path)
    assert (seen.frames, seen.streams) == (30, ["video", "audio"])


def test_the_maker_is_written_into_the_file(run, segment):
    ts, mp4 = run(segment, profile(), profile(container=Container.MP4)).renditions
    assert b"Livepeer Transcoder 0.9.1 (offchain)" in ts.path.read_bytes()
    assert look(mp4.path).metadata["comment"] == "Processed by Livepeer Transcoder 0.9.1 (offchain)"


def test_audio_is_copied_bit_for_bit(run, segment):
    (rendition,) = run(segment).renditions

    def packets(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert packets(rendition.path) == packets(segment)


def test_a_source_without_sound_gives_renditions_without(run, tmp_path):
    source = write_segment(tmp_path / "in.ts", audio=False)
    assert look(run(source).renditions[0].path).streams == ["video"]


def test_quality_replaces_bitrate(run, segment):
    good, bad = run(segment, profile(bitrate=0, quality=20), profile(bitrate=0, quality=45)).renditions
    assert good.size_bytes > 1.5 * bad.size_bytes


def test_portrait_and_upscaling(run, tmp_path):
    source = write_segment(tmp_path / "in.ts", size=(180, 320), audio=False)
    (rendition,) = run(source, profile(width=1280, height=720)).renditions
    assert look(rendition.path).size == (720, 1280)


def test_a_clip_in_the_middle_starts_at_zero(run, segment):
    (rendition,) = run(segment, profile(), clip_from_ms=200, clip_to_ms=700).renditions
    seen = look(rendition.path)
    assert seen.frames == 16
    assert seen.kinds[0] == "I"
    assert seen.times[0] < 0.2
    assert abs(seen.audio_times[0] - seen.times[0]) < 0.05


def test_a_clip_that_keeps_nothing_is_refused(run, segment):
    with pytest.raises(TranscodeError) as refusal:
        run(segment, profile(), clip_from_ms=60_000, clip_to_ms=61_000)
    assert refusal.value.text == texts.INVALID_ARGUMENT


def test_a_source_that_changes_its_size_keeps_the_output_size(run, tmp_path):
    parts = [
        write_segment(tmp_path / f"{i}.ts", size=size, first_s=10 + i)
        for i, size in enumerate([(320, 180), (640, 360)])
    ]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    (rendition,) = run(source).renditions
    assert look(rendition.path).size == (426, 240)
    assert look(rendition.path).frames == rendition.frames
    assert rendition.frames in {59, 60}


def test_repeated_timestamps_are_made_to_grow(run, tmp_path):
    """The same second twice: the second half's timestamps do not increase, and are made up."""
    part = write_segment(tmp_path / "part.ts", audio=False)
    source = tmp_path / "in.ts"
    source.write_bytes(part.read_bytes() * 2)
    (rendition,) = run(source, profile(fps=0)).renditions
    times = look(rendition.path).times
    assert rendition.frames == 60
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("capability", "codec", "pix_fmt", "container"),
    [
        (Capability.HEVC_DECODE, "libx265", "yuv420p", "mpegts"),
        (Capability.VP8_DECODE, "libvpx", "yuv420p", "webm"),
        (Capability.VP9_DECODE, "libvpx-vp9", "yuv420p", "webm"),
        (Capability.H264_DECODE_444_8BIT, "libx264", "yuv444p", "mpegts"),
        (Capability.H264_DECODE_422_8BIT, "libx264", "yuv422p", "mpegts"),
        (Capability.H264_DECODE_444_10BIT, "libx264", "yuv444p10le", "mpegts"),
        (Capability.H264_DECODE_422_10BIT, "libx264", "yuv422p10le", "mpegts"),
        (Capability.H264_DECODE_420_10BIT, "libx264", "yuv420p10le", "mpegts"),
    ],
)
def test_every_advertised_input_is_served(run, tmp_path, *, capability, codec, pix_fmt, container):
    assert capability in abilities(CPU).served
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"deadline": "realtime"}
    source = write_segment(
        tmp_path / "in",
        codec=codec,
        pix_fmt=pix_fmt,
        container=container,
        audio=False,
        seconds=0.5,
        options=options,
    )
    (rendition,) = run(source).renditions
    seen = look(rendition.path)
    assert (seen.size, seen.frames, seen.pix_fmt) == ((426, 240), rendition.frames, "yuv420p")
    assert abs(seen.frames - 15) <= 1


def test_hevc_is_encoded_though_not_advertised_on_processors(run, segment):
    assert Capability.HEVC_ENCODE in abilities(CPU).withheld
    (rendition,) = run(segment, profile(codec=Codec.H265)).renditions
    assert look(rendition.path).frames == rendition.frames == 30


def test_served_and_withheld_never_overlap():
    for device in (CPU, type(CPU)(name="GPU-1", threads=0)):
        known = abilities(device)
        assert not known.served & set(known.withheld)
        assert all(known.withheld.values())


@pytest.mark.needs_ffmpeg
def test_perceptual_hash_is_a_binary_signature(run, segment):
    (rendition,) = run(segment, perceptual_hash=True).renditions
    assert rendition.perceptual_hash.name == "0.ts.phash"
    assert rendition.perceptual_hash.read_bytes()[:5] == b"\x00\x00\x00\x01\x80"


def test_without_a_program_the_perceptual_hash_is_left_out(run, segment, monkeypatch, caplog):
    monkeypatch.setattr("runtime.video.codec.signature.signature_program", lambda: None)
    (rendition,) = run(segment, perceptual_hash=True).renditions
    assert rendition.perceptual_hash is None
    assert "signature.missing" in caplog.text


@pytest.mark.parametrize(
    ("pix_fmt", "range_"), [("yuvj420p", "full"), ("yuv420p", "studio")], ids=["full", "studio"]
)
def test_brightness_means_the_same_in_the_rendition(run, tmp_path, pix_fmt, range_):
    source = write_segment(tmp_path / "in.ts", pix_fmt=pix_fmt, audio=False, seconds=0.5)
    (rendition,) = run(source, profile(width=320, height=180, bitrate=0, quality=10)).renditions

    def brightness(path):
        with av.open(str(path)) as container:
            grey = next(container.decode(video=0)).reformat(320, 180, "gray", interpolation="AREA").planes[0]
        return sum(bytes(grey)) / len(bytes(grey))

    assert brightness(rendition.path) == pytest.approx(brightness(source), abs=3), range_


def test_pixels_that_are_no_squares_keep_their_shape(run, tmp_path):
    source = tmp_path / "in.ts"
    with av.open(str(source), "w", format="mpegts") as target:
        video = target.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for frame in av.open("testsrc2=s=320x240:r=30:d=0.5", format="lavfi").decode(video=0):
            frame.pict_type = 0
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
    (rendition,) = run(source).renditions
    with av.open(str(rendition.path)) as container:
        assert container.streams.video[0].codec_context.sample_aspect_ratio == Fraction(4, 3)
