"""Which keys need a run: marks collapse, one run per key at a time, nothing is lost.

A key marked while it runs is handed out again afterwards, once. Urgent marks (something happened) overtake
the others (resync), which still get their turn before long. A key may be put off; a sooner mark lifts that.
Times are the event loop's own, so a stepping wall clock cannot stall it. The loop is its only user; it knows
neither what a key means nor what a run does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

_PATIENCE_S = 10.0
"""Who has been due for longer is not overtaken any more."""
_REASONS_KEPT = 5


@dataclass(slots=True)
class _Mark:
    due_at: float
    urgent: bool
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Batch:
    """Keys to run together, why, and how long the eldest of them was due before it got its turn."""

    keys: frozenset[str]
    reasons: tuple[str, ...]
    waited_s: float


class KeyedQueue:
    def __init__(self) -> None:
        self._marks: dict[str, _Mark] = {}
        self._running: set[str] = set()
        self._changed = asyncio.Event()

    @property
    def depth(self) -> int:
        return len(self._marks)

    @property
    def running(self) -> frozenset[str]:
        return frozenset(self._running)

    def mark(self, key: str, reason: str, *, urgent: bool, delay_s: float = 0.0) -> None:
        """Ask for a run of `key`, at the earliest after `delay_s`. The sooner of two wishes counts."""
        due_at = _time() + delay_s
        known = self._marks.get(key)
        if known is None:
            self._marks[key] = _Mark(due_at, urgent, [reason])
        else:
            known.due_at = min(known.due_at, due_at)
            known.urgent = known.urgent or urgent
            if reason not in known.reasons and len(known.reasons) < _REASONS_KEPT:
                known.reasons.append(reason)
        self._changed.set()

    async def take(self) -> Batch:
        """Wait for the next keys to run. Each must be given back with `done`."""
        while True:
            self._changed.clear()  # before looking, so no wake-up between looking and waiting is lost
            batch = self._due()
            if batch is not None:
                return batch
            await self._change_within(self._next_due_s())

    def done(self, keys: Iterable[str]) -> None:
        self._running.difference_update(keys)
        self._changed.set()

    def _due(self) -> Batch | None:
        """All that are due, so that one look at the world serves them; the urgent ones go first, alone."""
        now = _time()
        due = {k: m for k, m in self._marks.items() if k not in self._running and m.due_at <= now}
        if any(mark.urgent for mark in due.values()):
            due = {k: m for k, m in due.items() if m.urgent or now - m.due_at > _PATIENCE_S}
        if not due:
            return None
        for key in due:
            del self._marks[key]
        self._running.update(due)
        reasons = sorted({f"{key}: {reason}" for key, mark in due.items() for reason in mark.reasons})
        waited_s = max(now - mark.due_at for mark in due.values())
        return Batch(frozenset(due), tuple(reasons), waited_s)

    def _next_due_s(self) -> float | None:
        waiting = [mark.due_at for key, mark in self._marks.items() if key not in self._running]
        return None if not waiting else max(0.0, min(waiting) - _time())

    async def _change_within(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return


def _time() -> float:
    return asyncio.get_running_loop().time()
