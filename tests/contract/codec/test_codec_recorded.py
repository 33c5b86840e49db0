"""Segments that a real gateway sent, against what go-livepeer 0.9.1 answered for them."""

import json
from pathlib import Path

import pytest
from codec_samples import look

from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile
from runtime.video.jobs import TranscodeError

RECORDED = Path(__file__).parents[2] / "recorded" / "codec"
CASES = json.loads((RECORDED / "cases.json").read_text())


def profile_of(fields):
    number = {name: int(str(fields.get(name, 0)).split(":")[0]) for name in ("format", "encoder", "profile")}
    return VideoProfile(
        name=fields["name"],
        width=fields["width"],
        height=fields["height"],
        bitrate=fields.get("bitrate", 0),
        fps=fields.get("fps", 0),
        fps_den=fields.get("fpsDen", 0),
        container=Container(number["format"]),
        codec=Codec(number["encoder"]),
        codec_profile=CodecProfile(number["profile"]),
        gop_ms=fields.get("gop", 0),
        quality=fields.get("quality", 0),
    )


def arguments(case):
    clip = case.get("clip", {})
    changes = {"clip_from_ms": int(clip.get("from", 0)), "clip_to_ms": int(clip.get("to", 0))}
    return RECORDED / case["source"], [profile_of(fields) for fields in case["profiles"]], changes


def name(case):
    return f"{case['case']}-{case['sequence']}"


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=name)
def test_refusals_have_the_recorded_text(case, run):
    source, profiles, changes = arguments(case)
    with pytest.raises(TranscodeError) as refusal:
        run(source, *profiles, **changes)
    assert refusal.value.text == case["error"]


@pytest.mark.parametrize("case", [case for case in CASES if "renditions" in case], ids=name)
def test_renditions_are_as_recorded(case, run):
    source, profiles, changes = arguments(case)
    result = run(source, *profiles, preset="medium", **changes)
    assert len(result.renditions) == len(case["renditions"])
    for rendition, recorded in zip(result.renditions, case["renditions"], strict=True):
        seen = look(rendition.path)
        assert rendition.pixels == recorded["pixels"]
        assert rendition.frames == seen.frames == recorded["frames"]
        assert (rendition.width, rendition.height) == seen.size == (recorded["width"], recorded["height"])
        assert rendition.size_bytes == rendition.path.stat().st_size
        assert seen.profile == recorded["codec_profile"]
        assert seen.streams == recorded["streams"]
        assert seen.times[0] == pytest.approx(recorded["first_s"], abs=1e-4)
        assert seen.times[-1] == pytest.approx(recorded["last_s"], abs=1e-4)
