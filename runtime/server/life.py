"""A runtime's life: start in order, serve, take new documents, end on SIGTERM.

Order at start: control socket, workers, public socket, so that an operator can watch and nobody is routed
to a runtime that cannot work. Order at the end: the public socket closes, requests in flight get their
time, then the workers go. Live sessions are not ended: their files stay for the successor.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from runtime.control.api import ControlApi
from runtime.server.assembly import Runtime
from runtime.server.listener import Listener
from runtime.spec import RuntimeSpec

_PUBLIC_MODE = 0o600
_CONTROL_MODE = 0o600
_CONTROL_ENDS_S = 1.0
_SWEEP_S = 60.0
_SWEEP_IDLE_FACTOR = 3


async def live(runtime: Runtime, *, public: str, control: str) -> None:
    """Return after a graceful end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stack.callback(runtime.threads.shutdown, wait=False)
        stack.push_async_callback(runtime.outbound.close)
        stack.callback(runtime.staging.close)
        await stack.enter_async_context(_control(runtime, control))
        stack.push_async_callback(runtime.transcoder.close)
        await runtime.transcoder.start()
        workers = asyncio.create_task(_keep_workers(runtime))
        stack.push_async_callback(_cancelled, workers)
        if not await _until_workers_settle(runtime, stop):
            return
        _adopt_sessions(runtime)
        sweeper = asyncio.create_task(_sweep(runtime))
        stack.push_async_callback(_cancelled, sweeper)
        listener = Listener(runtime.program(), public, mode=_PUBLIC_MODE)
        await listener.start()
        runtime.standing.is_serving = True
        runtime.events.emit("runtime.serving", generation=runtime.accepted.spec.generation)
        await stop.wait()
        await _drain(runtime, listener)


async def _drain(runtime: Runtime, listener: Listener) -> None:
    runtime.standing.is_serving = False
    runtime.standing.is_stopping = True
    runtime.sessions.stop_timers()
    runtime.events.emit("runtime.draining", sessions=len(runtime.sessions))
    await listener.stop(within_s=runtime.accepted.spec.limits.drain_s)
    runtime.events.emit("runtime.stopped")


@asynccontextmanager
async def _control(runtime: Runtime, path: str) -> AsyncIterator[None]:
    api = ControlApi(
        accepted=runtime.accepted,
        status=runtime.status,
        unready=lambda: _unready(runtime),
        events=runtime.events,
        metrics=runtime.metrics.text,
    )
    listener = Listener(api, path, mode=_CONTROL_MODE)
    await listener.start()
    try:
        yield
    finally:
        await listener.stop(within_s=_CONTROL_ENDS_S)


def _unready(runtime: Runtime) -> str | None:
    if runtime.standing.is_stopping:
        return "stopping"
    return None if runtime.standing.is_serving else "workers are starting"


async def _keep_workers(runtime: Runtime) -> None:
    """Make the slots those of the accepted document, now and after each change, one change at a time."""
    changed = asyncio.Event()

    def on_change(old: RuntimeSpec, new: RuntimeSpec) -> None:
        if old.workers != new.workers:
            changed.set()

    runtime.accepted.on_change(on_change)
    while True:
        slots = runtime.accepted.spec.workers
        await runtime.transcoder.set_workers(slots)
        runtime.prepare_advertisement()
        runtime.settled.set()
        runtime.events.emit("workers.settled", slots=sorted(slots))
        await changed.wait()
        changed.clear()


async def _until_workers_settle(runtime: Runtime, stop: asyncio.Event) -> bool:
    """Whether the first workers are ready or given up, rather than the process asked to end."""
    waits = [asyncio.create_task(runtime.settled.wait()), asyncio.create_task(stop.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        await _cancelled(wait)
    return not stop.is_set()


def _adopt_sessions(runtime: Runtime) -> None:
    """Sessions that a predecessor was serving a moment ago keep their slots."""
    idle_s = runtime.session_idle_s
    for facts in runtime.store.recall_all(idle_s=idle_s):
        runtime.sessions.open(facts, idle_s=idle_s)


async def _sweep(runtime: Runtime) -> None:
    """Delete what ended processes left, now and then."""
    loop = asyncio.get_running_loop()
    while True:
        keep = frozenset(session.facts.id for session in runtime.sessions)
        older_than_s = _SWEEP_IDLE_FACTOR * runtime.session_idle_s

        def sweep(keep: frozenset[str] = keep, older_than_s: float = older_than_s) -> int:
            return runtime.store.sweep(keep=keep, older_than_s=older_than_s)

        try:
            swept = await loop.run_in_executor(runtime.threads, sweep)
        except OSError as error:  # too many open files, for one: there is a next time
            runtime.events.emit("renditions.unswept", level=logging.WARNING, reason=str(error))
        else:
            if swept:
                runtime.events.emit("renditions.swept", sessions=swept)
        _give_memory_back()
        await asyncio.sleep(_SWEEP_S)


def _give_memory_back() -> None:
    """What a flood took and freed; the C library keeps it otherwise. It knows no such call everywhere."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def _cancelled(task: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
