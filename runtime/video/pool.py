"""All video workers of a runtime: the only door between the serving side and the codec.

Jobs wait in one fair queue; an idle worker takes the next, on the device with the least work. A job has the
time that a gateway would wait for it, queueing included. Slots change while serving. Lives in one event loop,
in the thread that outlives the workers: they die with the thread that started them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from livepeer.wire import texts
from livepeer.wire.profiles import VideoProfile
from runtime.video.jobs import Transcoded, TranscodeError, TranscodeJob, WorkerEvent, WorkerSlot, WorkerState
from runtime.video.messages import Ready
from runtime.video.queue import JobQueue, Ticket
from runtime.video.slot import Slot

_SHORTEST_LIMIT_S = 8.0
_DURATIONS_PER_LIMIT = 4
_ASSUMED_FPS = 30


def time_limit_s(duration_ms: int) -> float:
    """How long a gateway waits for a segment of this length."""
    return max(_SHORTEST_LIMIT_S, _DURATIONS_PER_LIMIT * duration_ms / 1000)


def load_px_per_s(profiles: tuple[VideoProfile, ...]) -> int:
    """The encoding work that a job brings, as go-livepeer reckons it."""
    return sum(
        profile.width * profile.height * ((profile.fps or _ASSUMED_FPS) // (profile.fps_den or 1))
        for profile in profiles
    )


class WorkerPool:
    """Implements `runtime.video.jobs.Transcoder`."""

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}
        self._retiring: list[Slot] = []
        self._queue = JobQueue()
        self._listeners: list[Callable[[WorkerEvent], None]] = []
        self._changing = asyncio.Lock()
        self._is_closed = False

    async def start(self) -> None:
        """Nothing runs before `set_workers` names slots."""
        self._is_closed = False

    async def set_workers(self, slots: Mapping[str, WorkerSlot]) -> None:
        """New and changed slots are ready, or failed, before the ones they replace retire."""
        async with self._changing:
            fresh = {
                name: Slot(name, declared, self, self._tell)
                for name, declared in slots.items()
                if name not in self._slots or self._slots[name].declared != declared
            }
            for slot in fresh.values():
                slot.start()
            try:
                await asyncio.gather(*(slot.settled() for slot in fresh.values()))
            except asyncio.CancelledError:
                await asyncio.gather(*(slot.close() for slot in fresh.values()))
                raise
            replaced = [slot for name, slot in self._slots.items() if name in fresh or name not in slots]
            kept = {name: slot for name, slot in self._slots.items() if slot not in replaced}
            self._slots = {**kept, **fresh}
            self._retiring = [slot for slot in self._retiring if not slot.is_over] + replaced
            for slot in replaced:
                slot.retire()
            self._match()

    async def transcode(self, job: TranscodeJob) -> Transcoded:
        if self._is_closed:
            raise TranscodeError(texts.TRANSCODER_STOPPED, "the workers are stopped")
        limit_s = time_limit_s(job.duration_ms)
        loop = asyncio.get_running_loop()
        ticket = Ticket(job, time.monotonic() + limit_s, loop.create_future())
        self._queue.add(ticket)
        self._match()
        expiry = loop.call_later(limit_s, self._expire, ticket)
        try:
            return await ticket.answer
        finally:
            expiry.cancel()
            self._abandon(ticket)

    def states(self) -> tuple[WorkerState, ...]:
        return tuple(self._slots[name].state() for name in sorted(self._slots))

    def abilities(self) -> Ready | None:
        """What all workers serve, and why the rest is withheld; None before the first is ready."""
        known = [slot.abilities for slot in self._slots.values() if slot.abilities is not None]
        if not known:
            return None
        served = frozenset.intersection(*(ready.served for ready in known))
        withheld = {number: why for ready in known for number, why in ready.withheld.items()}
        return Ready(served, withheld)

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def running(self) -> int:
        return self._queue.in_work

    def subscribe(self, listener: Callable[[WorkerEvent], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def close(self) -> None:
        self._is_closed = True
        slots = [*self._slots.values(), *self._retiring]
        await asyncio.gather(*(slot.close() for slot in slots))
        while (ticket := self._queue.take()) is not None:
            self._queue.done(ticket)
            if not ticket.answer.done():
                ticket.answer.set_exception(TranscodeError(texts.TRANSCODER_STOPPED, "the runtime stops"))
        self._slots, self._retiring = {}, []

    def slot_is_idle(self) -> None:
        self._match()

    def job_is_over(self, ticket: Ticket) -> None:
        self._queue.done(ticket)

    def job_lost_its_worker(self, ticket: Ticket) -> None:
        self._queue.done(ticket)
        if ticket.answer.done():
            return
        self._queue.add_first(ticket)
        self._match()

    def _match(self) -> None:
        """Give waiting jobs to idle workers."""
        while len(self._queue):
            idle = [slot for slot in self._slots.values() if slot.is_idle]
            if not idle:
                return
            slot = min(idle, key=self._device_load)
            ticket = self._queue.take()
            if ticket is not None:
                slot.give(ticket)

    def _device_load(self, candidate: Slot) -> int:
        device = candidate.declared.device
        tickets = (slot.ticket for slot in self._slots.values() if slot.declared.device == device)
        return sum(load_px_per_s(ticket.job.profiles) for ticket in tickets if ticket is not None)

    def _expire(self, ticket: Ticket) -> None:
        """Only jobs that still wait: one in work has the same limit at its worker."""
        if self._queue.forget(ticket):
            ticket.answer.set_exception(TranscodeError(texts.TRANSCODER_BUSY, "no worker was free in time"))

    def _abandon(self, ticket: Ticket) -> None:
        self._queue.forget(ticket)
        for slot in (*self._slots.values(), *self._retiring):
            slot.cancel_job(ticket)

    def _tell(self, event: WorkerEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)
