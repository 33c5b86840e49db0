"""The newest things that happened in this process, numbered, for `GET /events` and the log.

Emitting is cheap and never waits; readers ask for what came after a number and wait for more. Kept in
memory only: the log file is what lasts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_KEPT = 1_000
_log = logging.getLogger("runtime.events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    sequence: int
    at: float
    name: str
    fields: Mapping[str, object]


class EventLog:
    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._sequence = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def emit(self, name: str, *, level: int = logging.INFO, **fields: object) -> None:
        self._sequence += 1
        self._events.append(Event(sequence=self._sequence, at=self._clock(), name=name, fields=fields))
        _log.log(level, name, extra={"fields": fields})
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def after(self, sequence: int) -> tuple[Event, ...]:
        if sequence >= self._sequence:
            return ()
        return tuple(event for event in self._events if event.sequence > sequence)

    async def wait(self) -> None:
        """Return when something new is there."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
