"""Turns inside a session, and the end of one."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from runtime.server.sessions import SLOT_KEPT_S, SessionBusy, SessionFacts, Sessions


def facts(name="one"):
    return SessionFacts(id=name, sender=bytes(20), stream=b"s", token_expires_at=0)


@pytest.fixture
def ended():
    return []


@pytest.fixture
def sessions(ended):
    return Sessions(on_end=lambda session, why: ended.append((session.facts.id, why)))


class Segments:
    """Segments of one session that run until they are told to end."""

    def __init__(self, sessions, session, idle_s=70):
        self.sessions, self.session, self.idle_s = sessions, session, idle_s
        self.running, self.done, self.gates = [], [], {}

    async def _one(self, name):
        self.gates[name] = asyncio.Event()
        async with self.sessions.turn(self.session, queue=4, idle_s=self.idle_s):
            self.running.append(name)
            await self.gates[name].wait()
            self.done.append(name)

    async def start(self, name):
        task = asyncio.create_task(self._one(name))
        for _ in range(3):
            await asyncio.sleep(0)
        return task


async def test_segments_run_one_after_the_other_in_order(sessions):
    work = Segments(sessions, sessions.open(facts(), idle_s=70))
    tasks = [await work.start(n) for n in range(5)]
    assert (work.running, work.session.queued) == ([0], 4)
    for n in range(5):
        assert work.running[-1] == n
        work.gates[n].set()
        await tasks[n]
        await asyncio.sleep(0)
    assert work.done == [0, 1, 2, 3, 4]
    assert work.session.is_idle


async def test_a_sixth_segment_is_busy_and_disturbs_nobody(sessions):
    work = Segments(sessions, sessions.open(facts(), idle_s=70))
    tasks = [await work.start(n) for n in range(5)]
    with pytest.raises(SessionBusy):
        await (await work.start(5))
    for n, task in enumerate(tasks):
        work.gates[n].set()
        await task
    assert work.done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("victim", range(4))
async def test_a_cancelled_segment_passes_its_turn(sessions, victim):
    work = Segments(sessions, sessions.open(facts(), idle_s=70))
    tasks = [await work.start(n) for n in range(4)]
    tasks[victim].cancel()
    with suppress(asyncio.CancelledError):
        await tasks[victim]
    for gate in work.gates.values():
        gate.set()
    for n, task in enumerate(tasks):
        if n != victim:
            await task
    assert work.done == [n for n in range(4) if n != victim]
    assert work.session.is_idle


async def test_a_turn_given_and_cancelled_in_one_moment_is_passed_on(sessions):
    work = Segments(sessions, sessions.open(facts(), idle_s=70))
    tasks = [await work.start(n) for n in range(3)]
    work.gates[0].set()
    await tasks[0]
    tasks[1].cancel()
    with suppress(asyncio.CancelledError):
        await tasks[1]
    work.gates[2].set()
    await tasks[2]
    assert work.done[-1] == 2


async def test_a_session_ends_after_its_last_segment_never_in_it(sessions, ended):
    work = Segments(sessions, sessions.open(facts(), idle_s=70))
    first, second = await work.start(0), await work.start(1)
    sessions.end("one")
    assert ended == []
    work.gates[0].set()
    await first
    assert ended == []
    work.gates[1].set()
    await second
    assert ended == [("one", "ended")]
    assert len(sessions) == 0


async def test_idle_time_counts_from_the_end_of_the_last_segment(sessions, ended):
    work = Segments(sessions, sessions.open(facts(), idle_s=0.05), idle_s=0.05)
    task = await work.start(0)
    await asyncio.sleep(0.15)
    assert ended == []
    work.gates[0].set()
    await task
    assert ended == []
    await asyncio.sleep(0.2)
    assert ended == [("one", "idle")]


async def test_a_stopping_process_ends_no_session(sessions, ended):
    sessions.open(facts(), idle_s=0.02)
    sessions.stop_timers()
    await asyncio.sleep(0.1)
    assert (ended, len(sessions)) == ([], 1)


async def test_ending_what_is_not_there_is_fine(sessions, ended):
    sessions.end("nobody")
    assert ended == []


async def test_a_silent_session_leaves_its_slot_and_is_served_when_it_comes_back(sessions):
    session = sessions.open(facts(), idle_s=70)
    assert len(sessions) == 1
    session.quiet_since -= SLOT_KEPT_S + 1
    assert len(sessions) == 0
    assert sessions.get("one") is session
    work = Segments(sessions, session)
    task = await work.start(0)
    assert len(sessions) == 1
    work.gates[0].set()
    await task
    assert len(sessions) == 1  # its silence begins anew
