"""The sweeper of abandoned renditions lives as long as the runtime."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from runtime.server import life
from runtime.server.events import EventLog
from runtime.video.storage import OwnStore


async def test_a_sweep_that_fails_is_told_and_the_next_one_sweeps(tmp_path, monkeypatch):
    monkeypatch.setattr(life, "_SWEEP_S", 0.01)
    store, events = OwnStore(tmp_path / "r", clock=lambda: time.time() + 10_000), EventLog(clock=time.time)
    sessions = tmp_path / "r" / "sessions"
    sessions.rmdir()
    with ThreadPoolExecutor(1) as threads:
        runtime = SimpleNamespace(
            sessions=(), session_idle_s=1.0, store=store, events=events, threads=threads
        )
        sweeping = asyncio.create_task(life._sweep(runtime))
        async with asyncio.timeout(20):
            await events.wait()
            assert [event.name for event in events.after(0)] == ["renditions.unswept"]
            (sessions / "abandoned").mkdir(parents=True)
            while "renditions.swept" not in {event.name for event in events.after(0)}:
                await events.wait()
        await life._cancelled(sweeping)
    assert not (sessions / "abandoned").exists()
