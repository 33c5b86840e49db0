"""Whose segment is next."""

import asyncio
from pathlib import Path

from livepeer.wire.profiles import VideoProfile
from runtime.video.jobs import TranscodeJob
from runtime.video.pool import load_px_per_s, time_limit_s
from runtime.video.queue import JobQueue, Ticket


def ticket(session, number):
    job = TranscodeJob(
        id=f"{session}{number}",
        session_id=session,
        sequence=number,
        source=Path("in"),
        profiles=(),
        duration_ms=1,
        output=Path("out"),
        preset="fast",
        provider="",
    )
    return Ticket(job, 0.0, asyncio.get_running_loop().create_future())


async def test_first_come_first_served():
    queue = JobQueue()
    for session in "abc":
        queue.add(ticket(session, 0))
    assert [queue.take().job.session_id for _ in range(3)] == ["a", "b", "c"]
    assert queue.take() is None


async def test_a_session_with_work_lets_others_go_first():
    queue = JobQueue()
    tickets = [ticket("greedy", 0), ticket("greedy", 1), ticket("greedy", 2), ticket("modest", 0)]
    for each in tickets:
        queue.add(each)
    assert [queue.take().job.id for _ in range(3)] == ["greedy0", "modest0", "greedy1"]
    for each in (tickets[0], tickets[1]):
        queue.done(each)
    assert queue.in_work == 1
    assert len(queue) == 1


async def test_a_forgotten_job_is_not_given_out():
    queue = JobQueue()
    first = ticket("a", 0)
    queue.add(first)
    assert queue.forget(first)
    assert not queue.forget(first)
    assert queue.take() is None


def test_a_segment_gets_the_time_that_a_gateway_waits():
    assert time_limit_s(500) == 8.0
    assert time_limit_s(2000) == 8.0
    assert time_limit_s(10_000) == 40.0


def test_load_is_reckoned_as_the_network_does():
    profiles = tuple(
        VideoProfile(name="p", width=256, height=144, fps=fps, fps_den=den)
        for fps, den in ((1, 0), (0, 0), (30000, 1001))
    )
    assert load_px_per_s(profiles) == 256 * 144 * (1 + 30 + 29) == 2_211_840
