"""The real pool with real workers: what happens to jobs when workers crash, hang, grow or change."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from codec_samples import write_segment

from livepeer.wire import texts
from livepeer.wire.profiles import VideoProfile
from runtime.video.jobs import Phase, TranscodeError, WorkerSlot
from runtime.video.pool import WorkerPool

CPU = WorkerSlot(device="cpu", threads=1, memory_bytes=0)
SLOW = VideoProfile(name="slow", width=1280, height=720, bitrate=2_000_000, fps=30)


@pytest.fixture(scope="module")
def long_segment(tmp_path_factory):
    """Takes a worker a few seconds as `slow_job` asks for it."""
    path = tmp_path_factory.mktemp("long") / "long.ts"
    return write_segment(path, size=(640, 360), seconds=4, options={"preset": "ultrafast"})


@pytest.fixture
def slow_job(make_job, long_segment):
    def make(**changes):
        return make_job(long_segment, SLOW, preset="medium", duration_ms=4000, **changes)

    return make


@asynccontextmanager
async def pool_of(**slots):
    pool = WorkerPool()
    await pool.start()
    pids = set()
    try:
        await pool.set_workers(slots)
        pids |= {state.pid for state in pool.states()}
        yield pool
    finally:
        pids |= {state.pid for state in pool.states()}
        await pool.close()
    assert not any(is_there(pid) for pid in pids if pid), "a worker is left"


def proc(pid, name):
    return Path(f"/proc/{pid}/{name}").read_text()


def is_there(pid):
    """Running; a zombie, which only its new parent can remove, is gone."""
    try:
        return "State:\tZ" not in proc(pid, "status")
    except FileNotFoundError:
        return False


async def eventually(condition, *, within_s=20.0):
    end = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.02)
    return answer


def busy(pool):
    """The worker that is in the middle of a segment."""
    return next((state for state in pool.states() if state.state is Phase.BUSY and state.pid), None)


async def in_work(pool):
    state = await eventually(lambda: busy(pool))
    await asyncio.sleep(0.3)
    return state


async def test_jobs_are_shared_among_the_slots(make_job, segment):
    async with pool_of(a=CPU, b=CPU) as pool:
        assert {state.state for state in pool.states()} == {Phase.READY}
        jobs = [make_job(segment, session_id=str(n)) for n in range(6)]
        results = await asyncio.gather(*(pool.transcode(job) for job in jobs))
        assert {result.worker for result in results} == {"a", "b"}
        assert all(result.renditions[0].frames == 30 for result in results)
        assert sum(state.segments for state in pool.states()) == 6
        assert sum(state.frames for state in pool.states()) == 180
        assert all(state.memory_bytes for state in pool.states())
        assert pool.queued == 0


async def test_what_workers_serve_is_known(make_job):
    async with pool_of(a=CPU) as pool:
        known = pool.abilities()
        assert {0, 1, 2, 7, 8, 9, 10, 11, 14, 26} <= known.served
        assert 16 in known.withheld


async def test_refused_segments_cost_no_worker(make_job, tmp_path):
    source = tmp_path / "in"
    source.write_bytes(b"no video at all")
    async with pool_of(a=CPU) as pool:
        before = pool.states()[0].pid
        for _ in range(3):
            with pytest.raises(TranscodeError) as refusal:
                await pool.transcode(make_job(source))
            assert refusal.value.text == texts.INVALID_VIDEO
        assert pool.states()[0].pid == before


async def test_a_killed_workers_segment_is_done_by_another_and_nobody_notices(slow_job, make_job, segment):
    async with pool_of(a=CPU, b=CPU) as pool:
        events = []
        pool.subscribe(events.append)
        slow = asyncio.create_task(pool.transcode(slow_job(session_id="victim")))
        victim = await in_work(pool)
        other = asyncio.create_task(pool.transcode(make_job(segment, session_id="other")))
        os.kill(victim.pid, signal.SIGKILL)
        assert (await other).renditions[0].frames == 30
        result = await slow
        assert result.renditions[0].frames == 120
        assert result.worker != victim.slot
        assert "segment.retried" in [event.name for event in events]
        await eventually(lambda: all(state.state is Phase.READY for state in pool.states()))
        (state,) = (state for state in pool.states() if state.slot == victim.slot)
        assert state.restarts == 1
        assert "SIGKILL" in state.reason


async def test_a_lone_workers_segment_is_done_by_its_successor(slow_job):
    async with pool_of(a=CPU) as pool:
        slow = asyncio.create_task(pool.transcode(slow_job()))
        os.kill((await in_work(pool)).pid, signal.SIGKILL)
        assert (await slow).renditions[0].frames == 120


async def test_a_segment_that_kills_two_workers_is_given_up_without_punishment(slow_job, make_job, segment):
    async with pool_of(a=CPU) as pool:
        slow = asyncio.create_task(pool.transcode(slow_job()))
        first = await in_work(pool)
        os.kill(first.pid, signal.SIGSEGV)
        second = await eventually(lambda: (state := busy(pool)) and state.pid != first.pid and state)
        os.kill(second.pid, signal.SIGSEGV)
        with pytest.raises(TranscodeError) as refusal:
            await slow
        assert refusal.value.text in texts.UNPUNISHED
        assert "SIGSEGV" in refusal.value.detail
        assert (await pool.transcode(make_job(segment))).renditions[0].frames == 30


async def test_a_hanging_worker_is_replaced_and_its_segment_done(slow_job):
    async with pool_of(a=CPU) as pool:
        slow = asyncio.create_task(pool.transcode(slow_job()))
        os.kill((await in_work(pool)).pid, signal.SIGSTOP)
        assert (await slow).renditions[0].frames == 120
        assert "no progress" in pool.states()[0].reason


async def test_a_worker_above_its_memory_is_replaced(slow_job, make_job, segment):
    tight = WorkerSlot(device="cpu", threads=1, memory_bytes=90 << 20)
    async with pool_of(a=tight) as pool:
        with pytest.raises(TranscodeError) as refusal:
            await pool.transcode(slow_job())
        assert refusal.value.text in texts.UNPUNISHED
        assert (await pool.transcode(make_job(segment))).renditions[0].frames == 30
        assert pool.states()[0].restarts == 2


async def test_a_segment_has_the_time_that_a_gateway_waits(slow_job, monkeypatch):
    monkeypatch.setattr("runtime.video.pool.time_limit_s", lambda duration_ms: 1.0)
    async with pool_of(a=CPU) as pool:
        running = asyncio.create_task(pool.transcode(slow_job()))
        waiting = asyncio.create_task(pool.transcode(slow_job(session_id="other")))
        ends = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [TranscodeError, TranscodeError]
        assert "no end after" in ends[0].detail
        assert ends[1].text == texts.TRANSCODER_BUSY


async def test_work_ends_when_its_client_leaves(slow_job, make_job, segment):
    async with pool_of(a=CPU) as pool:
        slow = asyncio.create_task(pool.transcode(slow_job()))
        before = await in_work(pool)
        queued = asyncio.create_task(pool.transcode(slow_job()))
        await eventually(lambda: pool.queued == 1)
        queued.cancel()
        slow.cancel()
        await asyncio.gather(slow, queued, return_exceptions=True)
        assert pool.queued == 0
        assert (await pool.transcode(make_job(segment))).renditions[0].frames == 30
        assert not is_there(before.pid)


async def test_slots_come_and_go_while_serving(slow_job, make_job, segment):
    async with pool_of(a=CPU) as pool:
        slow = asyncio.create_task(pool.transcode(slow_job()))
        old = await in_work(pool)
        await pool.set_workers({"b": CPU, "c": CPU})
        assert [state.slot for state in pool.states()] == ["b", "c"]
        assert (await pool.transcode(make_job(segment))).worker in {"b", "c"}
        result = await slow
        assert (result.worker, result.renditions[0].frames) == ("a", 120)
        await eventually(lambda: not is_there(old.pid))


async def test_a_changed_slot_gets_a_new_worker_and_others_keep_theirs(make_job, segment):
    async with pool_of(a=CPU, b=CPU) as pool:
        before = {state.slot: state.pid for state in pool.states()}
        await pool.set_workers({"a": CPU, "b": WorkerSlot(device="cpu", threads=2, memory_bytes=1 << 30)})
        after = {state.slot: state.pid for state in pool.states()}
        assert after["a"] == before["a"]
        assert after["b"] != before["b"]


async def test_a_gpu_that_is_not_there_fails_its_slot_with_a_reason(make_job, segment):
    missing = WorkerSlot(device="GPU-00000000-0000-0000-0000-000000000000", threads=0, memory_bytes=0)
    async with pool_of(cpu=CPU, gpu=missing) as pool:
        states = {state.slot: state for state in pool.states()}
        assert states["gpu"].state is Phase.FAILED
        assert "self-test" in states["gpu"].reason
        assert (await pool.transcode(make_job(segment))).worker == "cpu"


async def test_without_workers_a_segment_is_refused_in_time(make_job, segment, monkeypatch):
    monkeypatch.setattr("runtime.video.pool.time_limit_s", lambda duration_ms: 0.05)
    async with pool_of() as pool:
        with pytest.raises(TranscodeError) as refusal:
            await pool.transcode(make_job(segment))
        assert refusal.value.text == texts.TRANSCODER_BUSY


async def test_closing_fails_what_is_in_work(slow_job):
    async with pool_of(a=CPU) as pool:
        running, waiting = (asyncio.create_task(pool.transcode(slow_job())) for _ in range(2))
        await in_work(pool)
        await pool.close()
        for end in await asyncio.gather(running, waiting, return_exceptions=True):
            assert end.text == texts.TRANSCODER_STOPPED


_RUNTIME = """
import asyncio, sys
from runtime.video.jobs import WorkerSlot
from runtime.video.pool import WorkerPool

async def main():
    pool = WorkerPool()
    await pool.set_workers({"a": WorkerSlot(device="cpu", threads=1, memory_bytes=0)})
    print(pool.states()[0].pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_workers_die_with_the_runtime():
    runtime = await asyncio.create_subprocess_exec(sys.executable, "-c", _RUNTIME, stdout=subprocess.PIPE)
    worker = int(await asyncio.wait_for(runtime.stdout.readline(), 30))
    assert os.getsid(worker) == worker
    runtime.kill()
    await runtime.wait()
    await eventually(lambda: not is_there(worker), within_s=5)


async def test_a_worker_has_no_network_and_few_rights():
    async with pool_of(a=CPU) as pool:
        pid = pool.states()[0].pid
        status, limits = proc(pid, "status"), proc(pid, "limits")
        assert "NoNewPrivs:\t1" in status
        assert any(line.split()[:5] == ["Max", "core", "file", "size", "0"] for line in limits.splitlines())
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
