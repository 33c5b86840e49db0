"""How much of the store's filesystem segments on their way in may fill: it is memory on most machines.

Every upload is within its own limit, but a stranger may send many at once. So one session may hold twice the
largest segment, and all sessions together half of the filesystem; what is beyond is refused like a full disk,
and renditions always find their room. Counted from a segment's first byte to the end of its job. One event
loop, no IO after its making.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Grow = Callable[[int], None]
"""Says that so many bytes more have come. Raises `OSError` where there is no room for them."""

_SEGMENTS_PER_SESSION = 2


class Room:
    def __init__(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._held: Counter[str] = Counter()

    @classmethod
    def on(cls, directory: Path) -> Room:
        found = os.statvfs(directory)
        return cls(found.f_blocks * found.f_frsize // 2)

    @contextmanager
    def held(self, session_id: str, *, largest: int) -> Iterator[Grow]:
        """Room for one segment of the session. `largest` is the declared limit of a segment."""
        taken = 0

        def grow(count: int) -> None:
            nonlocal taken
            of_session = self._held[session_id] + count
            if of_session > _SEGMENTS_PER_SESSION * largest or self._held.total() + count > self._total_bytes:
                raise OSError(errno.ENOSPC, "segments on their way in hold all the room that they may")
            self._held[session_id] = of_session
            taken += count

        try:
            yield grow
        finally:
            self._held[session_id] -= taken
            if not self._held[session_id]:
                del self._held[session_id]
