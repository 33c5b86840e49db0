"""Jobs that wait for a worker, and which one is next.

First come, first served, except that a session with a job in work lets the others go first: one gateway that
sends many segments at once cannot starve the rest. Belongs to the pool; one event loop; no IO.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from runtime.video.jobs import Transcoded, TranscodeJob


@dataclass(slots=True, eq=False)
class Ticket:
    """One job on its way. `expires_at` is on the pool's clock; `lost` counts workers it took down."""

    job: TranscodeJob
    expires_at: float
    answer: asyncio.Future[Transcoded]
    lost: int = 0


class JobQueue:
    def __init__(self) -> None:
        self._waiting: list[Ticket] = []
        self._in_work: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def in_work(self) -> int:
        return self._in_work.total()

    def add(self, ticket: Ticket) -> None:
        self._waiting.append(ticket)

    def add_first(self, ticket: Ticket) -> None:
        """A job that lost its worker waits no second time."""
        self._waiting.insert(0, ticket)

    def forget(self, ticket: Ticket) -> bool:
        """Whether the job still waited."""
        if ticket not in self._waiting:
            return False
        self._waiting.remove(ticket)
        return True

    def take(self) -> Ticket | None:
        """The next job, which counts as in work until `done`."""
        if not self._waiting:
            return None
        chosen = min(self._waiting, key=lambda ticket: self._in_work[ticket.job.session_id])
        self._waiting.remove(chosen)
        self._in_work[chosen.job.session_id] += 1
        return chosen

    def done(self, ticket: Ticket) -> None:
        self._in_work[ticket.job.session_id] -= 1
        if not self._in_work[ticket.job.session_id]:
            del self._in_work[ticket.job.session_id]
