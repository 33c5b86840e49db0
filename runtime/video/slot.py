"""One declared slot: keeps a worker process alive in it and feeds it jobs.

The first restart is immediate, further ones wait longer and longer until a segment succeeds. A device that
failed its test is tried again once in a while. A slot that is retired finishes its segment first. The pool
decides which slot gets a job; this module decides what happens to it there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from livepeer.wire import texts
from runtime.video import messages
from runtime.video.jobs import Phase, Transcoded, TranscodeError, WorkerEvent, WorkerSlot, WorkerState
from runtime.video.process import WorkerLost, WorkerProcess, WorkerUnfit
from runtime.video.queue import Ticket

_FIRST_BACKOFF_S = 0.25
_LONGEST_BACKOFF_S = 30.0
_UNFIT_RETRY_S = 60.0
_FAILURES_OF_A_READY_WORKER = 1
"""A worker that starts well is lost to segments; a long wait for the next would punish other sessions."""
_MOST_WORKERS_PER_SEGMENT = 2

Tell = Callable[[WorkerEvent], None]


class Feed(Protocol):
    """What a slot asks of its pool."""

    def slot_is_idle(self) -> None: ...

    def job_is_over(self, ticket: Ticket) -> None: ...

    def job_lost_its_worker(self, ticket: Ticket) -> None: ...


class Slot:
    """`start` once, then `give` whenever it told the pool that it is idle, `retire` or `close` at the end."""

    def __init__(self, name: str, declared: WorkerSlot, feed: Feed, tell: Tell) -> None:
        self.name = name
        self.declared = declared
        self.ticket: Ticket | None = None
        self.abilities: messages.Ready | None = None
        self._feed = feed
        self._tell = tell
        self._settled = asyncio.Event()
        self._given = asyncio.Event()
        self._retired = False
        self._process: WorkerProcess | None = None
        self._phase = Phase.STARTING
        self._reason = ""
        self._restarts = 0
        self._failures = 0
        self._segments = 0
        self._frames = 0
        self._task: asyncio.Task[None] | None = None
        self._running: asyncio.Task[Transcoded] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._live(), name=f"worker {self.name}")

    async def settled(self) -> None:
        """Wait until its worker is ready or has failed for the first time."""
        await self._settled.wait()

    @property
    def is_idle(self) -> bool:
        return self._phase is Phase.READY and self.ticket is None and not self._retired

    @property
    def is_over(self) -> bool:
        return self._task is None or self._task.done()

    def give(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self._given.set()

    def cancel_job(self, ticket: Ticket) -> None:
        """Nobody waits for the job any more: its worker is killed and replaced, at once and without blame."""
        if self.ticket is ticket and self._running is not None:
            self._running.cancel()

    def retire(self) -> None:
        """End after the segment in work."""
        self._retired = True
        self._given.set()
        if self._phase in (Phase.STARTING, Phase.FAILED) and self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """End now; a segment in work fails."""
        self._retired = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._end_process()  # where the end of a retired slot was cut short

    def state(self) -> WorkerState:
        alive = self._process is not None
        return WorkerState(
            slot=self.name,
            state=Phase.BUSY if self.ticket is not None else self._phase,
            pid=self._process.pid if self._process else None,
            device=self.declared.device,
            reason=self._reason,
            restarts=self._restarts,
            segments=self._segments,
            frames=self._frames,
            memory_bytes=self._process.memory_bytes() if alive and self._process else 0,
        )

    async def _live(self) -> None:
        try:
            while not self._retired:
                await self._one_worker()
        finally:
            self._drop_ticket()
            self._settled.set()
            await self._end_process()

    async def _end_process(self) -> None:
        if self._process is not None:
            await self._process.kill()
            self._process = None

    async def _one_worker(self) -> None:
        self._phase = Phase.STARTING
        try:
            self._process = await WorkerProcess.start(self.name, self.declared)
            self.abilities = await self._process.ready()
            self._phase = Phase.READY
            self._failures = min(self._failures, _FAILURES_OF_A_READY_WORKER)
            self._settled.set()
            self._say("worker.ready", pid=self._process.pid)
            await self._serve(self._process)
        except WorkerUnfit as unfit:
            await self._wait_out(unfit.reason, _UNFIT_RETRY_S, "worker.unfit")
        except (WorkerLost, OSError) as lost:
            self._restarts += 1
            wait = min(_FIRST_BACKOFF_S * 2.0**self._failures, _LONGEST_BACKOFF_S) if self._failures else 0.0
            self._failures += 1
            await self._wait_out(str(lost), wait, "worker.lost")

    async def _wait_out(self, reason: str, wait_s: float, event: str) -> None:
        self._process = None
        self._reason = reason
        self._say(event, reason=reason, retry_s=wait_s)
        if wait_s:
            self._phase = Phase.FAILED
            self._settled.set()
            await asyncio.sleep(wait_s)

    async def _serve(self, process: WorkerProcess) -> None:
        while not self._retired:
            self._feed.slot_is_idle()
            await self._given.wait()
            self._given.clear()
            if self.ticket is not None:
                await self._work(process, self.ticket)

    async def _work(self, process: WorkerProcess, ticket: Ticket) -> None:
        limit_s = ticket.expires_at - time.monotonic()
        self._running = asyncio.create_task(process.run(ticket.job, limit_s=limit_s))
        try:
            result = await self._running
        except TranscodeError as error:
            self._settle(ticket, error)
        except WorkerLost as lost:
            self._reconsider(ticket, lost)
            raise
        except asyncio.CancelledError:
            self._drop_ticket()
            if self._task is not None and self._task.cancelling():
                raise
            self._failures = 0  # not the worker's fault
            raise WorkerLost("its client left") from None
        except Exception as error:
            # No segment may cost the slot for good, whatever it made go wrong.
            await process.kill()
            self._settle(ticket, TranscodeError(texts.UNRECOVERABLE, repr(error)))
            raise WorkerLost(f"could not be spoken to: {error!r}") from error
        else:
            self._failures = 0
            self._segments += 1
            self._frames += sum(rendition.frames for rendition in result.renditions)
            self._settle(ticket, result)
        finally:
            self._running = None

    def _settle(self, ticket: Ticket, answer: Transcoded | TranscodeError) -> None:
        self.ticket = None
        if not ticket.answer.done():
            if isinstance(answer, TranscodeError):
                ticket.answer.set_exception(answer)
            else:
                ticket.answer.set_result(answer)
        self._feed.job_is_over(ticket)

    def _reconsider(self, ticket: Ticket, lost: WorkerLost) -> None:
        """Once more on another worker, unless the segment had its chance or its time is over."""
        ticket.lost += 1
        if ticket.lost < _MOST_WORKERS_PER_SEGMENT and time.monotonic() < ticket.expires_at:
            self.ticket = None
            self._phase = Phase.STARTING  # this slot has no worker for it now
            self._say("segment.retried", session=ticket.job.session_id, sequence=ticket.job.sequence)
            self._feed.job_lost_its_worker(ticket)
            return
        detail = f"worker lost: {lost.reason}"
        self._settle(ticket, TranscodeError(texts.UNRECOVERABLE, detail))

    def _drop_ticket(self) -> None:
        if self.ticket is not None:
            self._settle(self.ticket, TranscodeError(texts.TRANSCODER_STOPPED, "the worker was stopped"))

    def _say(self, name: str, **fields: str | float) -> None:
        self._tell(WorkerEvent(name=name, slot=self.name, fields=fields))
