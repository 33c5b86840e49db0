"""Hands on what happens to whoever listens right now: progress of runs, and news of the journal.

Listeners come and go with requests at the socket; one that fails is left out, the others hear on. Single-
threaded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from reconciler.core.executor import Progress
from reconciler.core.values import Operation, Outcome


class Broadcast:
    """A `Progress` for the loop."""

    def __init__(self) -> None:
        self._listeners: list[Progress] = []

    @contextlib.contextmanager
    def heard_by(self, listener: Progress) -> Iterator[None]:
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def started(self, operation: Operation) -> None:
        for listener in self._listeners:
            listener.started(operation)

    def told(self, operation: Operation, text: str) -> None:
        for listener in self._listeners:
            listener.told(operation, text)

    def ended(self, outcome: Outcome) -> None:
        for listener in self._listeners:
            listener.ended(outcome)


class News:
    """Wakes whoever waits for something newer. `close` wakes them for good."""

    def __init__(self) -> None:
        self._waiting = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def wake(self) -> None:
        self._waiting.set()
        self._waiting = asyncio.Event()

    def close(self) -> None:
        self._closed = True
        self.wake()

    async def wait(self, timeout_s: float) -> None:
        """Returns at the next news, when closed, or after a while."""
        waiting = self._waiting
        if self._closed:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await waiting.wait()
