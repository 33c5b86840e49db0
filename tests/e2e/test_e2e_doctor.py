"""The doctor and the gateway client against the real node: edge, runtime, workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from harness import Node, converged
from jsonschema import Draft202012Validator

from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip, make_clip
from livepeer.gateway.failures import DownloadFailed, NotACandidate, ResultError
from livepeer.gateway.requirements import needs_of
from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile
from livepeer.wire.segments import Clip as Part

pytestmark = pytest.mark.e2e

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "doctor.schema.json").read_text())
SOURCE = Clip(width=320, height=180, segment_s=1.0, count=2, bitrate=300_000)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with converged(tmp_path_factory.mktemp("examined")) as node:
        yield node


def test_the_declared_node_passes_every_check(node: Node) -> None:
    answer = node.call("doctor", "--json")
    document = json.loads(answer.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    assert [check for check in document["checks"] if check["verdict"] == "fail"] == []
    warned = {check["name"] for check in document["checks"] if check["verdict"] == "warn"}
    assert warned <= {"uri", "discovery.uri", "segment.speed"}  # loopback; and this machine may be busy
    assert answer.returncode == 0


def test_the_report_reads_like_one(node: Node) -> None:
    answer = node.call("doctor", "--against", node.uri)
    assert answer.returncode == 0
    assert "  pass  tls.no-alpn             HTTP/1.1 for a client without ALPN\n" in answer.stdout
    assert answer.stdout.endswith("A gateway can use this node.\n")


def profile(**changed: object) -> VideoProfile:
    plain: dict[str, object] = {"name": "p", "width": 160, "height": 90, "bitrate": 100_000, "fps": 30}
    return VideoProfile(**(plain | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "size", "frames"),
    [
        (profile(), (160, 90), 30),
        (profile(fps=0), (160, 90), 30),
        (profile(fps=15), (160, 90), 15),
        (profile(fps=24000, fps_den=1001), (160, 90), 24),
        (profile(container=Container.MP4), (160, 90), 30),
        (profile(gop_ms=-1, codec_profile=CodecProfile.H264_BASELINE), (160, 90), 30),
        (profile(gop_ms=500, codec_profile=CodecProfile.H264_HIGH, quality=30, bitrate=0), (160, 90), 30),
        (profile(width=16, height=16), (146, 82), 30),
        (profile(width=640, height=360), (640, 360), 30),
        (profile(name="HD 720p (ü)"), (160, 90), 30),
    ],
)
async def test_a_gateway_gets_what_it_ordered(
    node: Node, asked: VideoProfile, size: tuple[int, int], frames: int
) -> None:
    async with Gateway(node.uri).session("orders", (asked,)) as session:
        for sequence, segment in enumerate(make_clip(SOURCE)):
            done = await session.push(segment, sequence, duration_s=1.0)
            decoded = done.renditions[0].decoded
            assert decoded is not None
            assert (decoded.width, decoded.height) == size
            assert abs(decoded.frames - frames) <= 1


async def test_a_name_that_climbs_leads_nowhere(node: Node) -> None:
    async with Gateway(node.uri).session("climb", (profile(name="../../../../etc/passwd"),)) as session:
        with pytest.raises(DownloadFailed, match="answers 404"):
            await session.push(make_clip(SOURCE)[0], 0, duration_s=1.0)


async def test_portrait_and_odd_rates_come_out_right(node: Node) -> None:
    upright = Clip(width=180, height=320, fps=Fraction(30000, 1001), segment_s=1.0, count=1, has_audio=False)
    async with Gateway(node.uri).session("portrait", (profile(width=1280, height=720),)) as session:
        done = await session.push(make_clip(upright)[0], 0, duration_s=1.0)
    decoded = done.renditions[0].decoded
    assert decoded is not None
    assert (decoded.width, decoded.height) == (720, 1280)


async def test_a_clip_of_a_segment_is_cut_out(node: Node) -> None:
    async with Gateway(node.uri).session("slice", (profile(fps=0),)) as session:
        done = await session.push(make_clip(SOURCE)[0], 0, duration_s=1.0, clip=Part(200, 700))
    decoded = done.renditions[0].decoded
    assert decoded is not None
    assert 14 <= decoded.frames <= 17


async def test_a_body_that_is_no_video_costs_the_node_nothing(node: Node) -> None:
    async with Gateway(node.uri).session("junk", (profile(),)) as session:
        with pytest.raises(ResultError) as caught:
            await session.push(b"\x11" * 50_000, 0, duration_s=1.0)
        assert caught.value.text == "TranscoderInvalidVideo"
        assert not caught.value.is_punished
        assert await session.push(make_clip(SOURCE)[0], 1, duration_s=1.0)


async def test_a_gateway_that_needs_more_goes_elsewhere(node: Node) -> None:
    with pytest.raises(NotACandidate, match="HEVC encode"):
        await Gateway(node.uri).usable_offer(needs_of((profile(codec=Codec.H265),)))
