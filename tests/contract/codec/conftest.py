"""Jobs for segments made on the spot."""

from dataclasses import replace
from pathlib import Path

import pytest
from codec_samples import CPU, write_segment

from livepeer.wire.profiles import VideoProfile
from runtime.video.codec.transcode import transcode
from runtime.video.jobs import TranscodeJob


@pytest.fixture
def make_job(tmp_path):
    """A job of one 426x240 rendition at 30 frames/s, with any of its fields changed."""
    made = []

    def make(source: Path, *profiles: VideoProfile, **changes) -> TranscodeJob:
        output = tmp_path / f"out-{len(made)}"
        output.mkdir()
        made.append(output)
        job = TranscodeJob(
            id=str(len(made)),
            session_id="session",
            sequence=0,
            source=source,
            profiles=profiles or (VideoProfile(name="p", width=426, height=240, bitrate=300_000, fps=30),),
            duration_ms=1000,
            output=output,
            preset="ultrafast",
            provider="Livepeer Transcoder 0.9.1 (offchain)",
        )
        return replace(job, **changes)

    return make


@pytest.fixture
def run(make_job):
    """Transcode in this process; answers the result."""

    def go(source: Path, *profiles: VideoProfile, **changes):
        return transcode(make_job(source, *profiles, **changes), CPU, "here")

    return go


@pytest.fixture(scope="session")
def segment(tmp_path_factory):
    """One second of 320x180 at 30 frames/s from 10 s on, with audio."""
    return write_segment(tmp_path_factory.mktemp("segment") / "segment.ts")
