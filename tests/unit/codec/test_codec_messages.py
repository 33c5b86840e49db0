"""The conversation between pool and worker."""

import json
from pathlib import Path

import pytest

from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile
from runtime.video import messages
from runtime.video.jobs import Rendition, Transcoded, TranscodeJob

JOB = TranscodeJob(
    id="7",
    session_id="s",
    sequence=3,
    source=Path("/tmp/in.ts"),
    profiles=(
        VideoProfile(name="a", width=640, height=360, fps=30000, fps_den=1001, gop_ms=-1, quality=30),
        VideoProfile(
            name="b",
            width=320,
            height=180,
            container=Container.MP4,
            codec=Codec.H265,
            codec_profile=CodecProfile.H264_HIGH,
        ),
    ),
    duration_ms=2000,
    output=Path("/tmp/out"),
    preset="fast",
    provider="Livepeer Transcoder 0.9.1 (offchain)",
    clip_from_ms=100,
    perceptual_hash=True,
)
RESULT = Transcoded(
    renditions=(
        Rendition(
            path=Path("/tmp/out/0.ts"),
            size_bytes=10,
            pixels=30 * 640 * 360,
            frames=30,
            width=640,
            height=360,
            keccak=bytes(32),
            perceptual_hash=Path("/tmp/out/0.ts.phash"),
        ),
        Rendition(
            path=Path("/tmp/out/1.mp4"),
            size_bytes=10,
            pixels=30 * 320 * 180,
            frames=30,
            width=320,
            height=180,
            keccak=bytes(32),
        ),
    ),
    decoded_pixels=99,
    codec_s=0.5,
    worker="w",
)


def body(message):
    return messages.encode(message)[messages.LENGTH_BYTES :]


def test_jobs_and_results_survive_the_crossing():
    assert messages.read_job(body(messages.job_message(JOB))) == JOB
    done = messages.read_report(body(messages.done_message(RESULT)))
    assert done.result(JOB, "w") == RESULT


@pytest.mark.parametrize(
    ("message", "report"),
    [
        (messages.progress_message(4), messages.Progress(4)),
        (messages.unfit_message("no GPU"), messages.Unfit("no GPU")),
        (messages.refused_message("text", "detail"), messages.Refused("text", "detail")),
        (
            messages.ready_message(messages.Ready(frozenset({0, 1}), {16: "slow"})),
            messages.Ready(frozenset({0, 1}), {16: "slow"}),
        ),
    ],
)
def test_reports_survive_the_crossing(message, report):
    assert messages.read_report(body(message)) == report


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"{}",
        b'{"is":"other"}',
        b'{"is":"progress","steps":-1}',
        b'{"is":"progress","steps":true}',
        b'{"is":"refused","text":1,"detail":""}',
        b'{"is":"ready","served":["x"],"withheld":{}}',
        b"[" * 100_000,
    ],
)
def test_a_worker_that_breaks_the_form_is_noticed(said):
    with pytest.raises(messages.Malformed):
        messages.read_report(said)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields["renditions"].pop(),
        lambda fields: fields["renditions"][0].update(frames="30"),
        lambda fields: fields["renditions"][0].update(keccak="00"),
        lambda fields: fields["renditions"][0].pop("width"),
    ],
)
def test_a_result_that_does_not_fit_the_job_is_noticed(change):
    fields = json.loads(json.dumps(messages.done_message(RESULT)))
    change(fields)
    with pytest.raises(messages.Malformed):
        messages.read_report(json.dumps(fields).encode()).result(JOB, "w")


def test_sizes_are_bounded():
    with pytest.raises(messages.Malformed):
        messages.body_length(b"\xff\xff\xff\xff")
    with pytest.raises(messages.Malformed):
        messages.encode({"text": "x" * messages.LARGEST_BYTES})
