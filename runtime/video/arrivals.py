"""How many segments may be on their way in at once: what strangers may fill memory with is bounded.

Bodies arrive before their session has a turn, some before it even exists. So uploads are bounded per session
by what its queue could ever take, and those of sessions that do not exist yet by how many could begin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.server.refusals import Refusal

_SLACK = 2
"""Above queue and running segment: a gateway that retries is told so in the result, as peers expect."""


class TooManyArrivals(Exception):
    """Raised when one more upload is too much."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


class Arrivals:
    def __init__(self) -> None:
        self._known: Counter[str] = Counter()
        self._new: Counter[str] = Counter()

    @contextmanager
    def one(self, session_id: str, *, is_new: bool, queue: int, sessions: int) -> Iterator[None]:
        """One upload. Raises `TooManyArrivals`; `queue` and `sessions` are the declared limits."""
        if self._known[session_id] + self._new[session_id] >= _SLACK * (queue + 1):
            raise TooManyArrivals(Refusal.BUSY)
        if is_new and session_id not in self._new and len(self._new) >= max(1, sessions):
            raise TooManyArrivals(Refusal.CAPPED)
        under_way = self._new if is_new else self._known
        under_way[session_id] += 1
        try:
            yield
        finally:
            under_way[session_id] -= 1
            if not under_way[session_id]:
                del under_way[session_id]
