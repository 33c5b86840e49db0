"""One suite for every device a slot may name: the processor here, a GPU where there is one."""

from pathlib import Path

import pytest
from codec_samples import look

from livepeer.wire.profiles import Codec, VideoProfile
from runtime.video.codec.abilities import abilities
from runtime.video.codec.devices import Device
from runtime.video.codec.sample import write_sample
from runtime.video.codec.selftest import failing_reason
from runtime.video.codec.transcode import transcode
from runtime.video.jobs import TranscodeError

HAS_GPU = Path("/dev/nvidia0").exists()
DEVICES = [
    "cpu",
    pytest.param(
        "gpu", marks=[pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="needs an NVIDIA GPU")]
    ),
]


@pytest.fixture(params=DEVICES)
def device(request):
    return Device(name=request.param, threads=0)


def test_the_self_test_passes_and_leaves_nothing(device, tmp_path):
    assert failing_reason(device, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_every_served_output_is_made(device, make_job, segment):
    known = abilities(device)
    codecs = [Codec.H264] + ([Codec.H265] if 16 in known.served else [])
    for codec in codecs:
        profile = VideoProfile(name="p", width=426, height=240, bitrate=300_000, fps=30, codec=codec)
        (rendition,) = transcode(make_job(segment, profile), device, "w").renditions
        seen = look(rendition.path)
        assert (seen.size, seen.frames, rendition.frames) == ((426, 240), 30, 30)


@pytest.mark.parametrize("gop_ms", [-1, 500])
def test_key_frames_and_time_line_do_not_depend_on_the_device(device, make_job, segment, gop_ms):
    profile = VideoProfile(name="p", width=426, height=240, bitrate=300_000, fps=0, gop_ms=gop_ms)
    (rendition,) = transcode(make_job(segment, profile), device, "w").renditions
    seen = look(rendition.path)
    expected = range(30) if gop_ms == -1 else (0, 15)
    assert [index for index, kind in enumerate(seen.kinds) if kind == "I"] == list(expected)
    assert seen.times[0] == pytest.approx(10.0, abs=0.001)


def test_every_decoded_and_every_encoded_frame_is_a_sign_of_life(device, make_job, segment):
    signs = []
    profiles = [VideoProfile(name="p", width=426, height=240, bitrate=300_000, fps=fps) for fps in (30, 15)]
    transcode(make_job(segment, *profiles), device, "w", progress=lambda: signs.append(1))
    assert len(signs) >= 30 + 30 + 15


def test_a_sample_has_the_frames_asked_for(tmp_path):
    write_sample(tmp_path / "s.ts", size=(320, 180), frames=15, rate=30, bitrate=500_000)
    seen = look(tmp_path / "s.ts")
    assert (seen.frames, seen.size) == (15, (320, 180))


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_a_missing_gpu_is_told_by_the_self_test_and_is_not_the_segments_fault(tmp_path, make_job, segment):
    missing = Device(name="GPU-1", threads=0)
    assert failing_reason(missing, tmp_path).startswith("self-test on GPU-1: ")
    with pytest.raises(TranscodeError) as failure:
        transcode(make_job(segment), missing, "w")
    assert "opening on GPU-1" in failure.value.detail
