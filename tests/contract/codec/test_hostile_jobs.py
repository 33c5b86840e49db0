"""Jobs that hurt whoever handles them: the slot lives on, and its worker does not grow."""

from __future__ import annotations

import asyncio

import pytest

from livepeer.wire import texts
from livepeer.wire.profiles import VideoProfile
from runtime.video.jobs import Phase, TranscodeError, WorkerSlot
from runtime.video.pool import WorkerPool
from runtime.video.process import WorkerProcess

FAILURES = 80


@pytest.fixture
async def pool():
    made = WorkerPool()
    await made.start()
    await made.set_workers({"a": WorkerSlot(device="cpu", threads=1, memory_bytes=0)})
    yield made
    await made.close()


async def test_a_job_too_large_to_be_told_is_refused_and_costs_no_worker(pool, make_job, segment):
    name = "\x01" * 250_000
    with pytest.raises(TranscodeError) as refused:
        await pool.transcode(make_job(segment, VideoProfile(name=name, width=160, height=90, fps=30)))
    assert refused.value.text == texts.INVALID_ARGUMENT
    assert [(state.state, state.restarts) for state in pool.states()] == [(Phase.READY, 0)]
    assert (await pool.transcode(make_job(segment))).renditions


async def test_what_nobody_thought_of_costs_a_worker_and_not_its_slot(pool, make_job, segment, monkeypatch):
    async def surprise(*_arguments, **_more):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(WorkerProcess, "run", surprise)
        with pytest.raises(TranscodeError):
            await pool.transcode(make_job(segment))
    assert (await asyncio.wait_for(pool.transcode(make_job(segment)), 30)).renditions
    assert [state.restarts for state in pool.states()] == [1]


async def test_failures_do_not_pile_up_in_a_worker(pool, make_job, segment):
    wish = VideoProfile(name="x", width=160, height=90, fps=1_000_000)
    for _ in range(FAILURES):
        with pytest.raises(TranscodeError):
            await pool.transcode(make_job(segment, wish))
    (state,) = pool.states()
    assert state.restarts == 0
    assert state.memory_bytes < 350 << 20
