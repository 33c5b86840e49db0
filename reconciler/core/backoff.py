"""How long to wait before the next try. Pure: the randomness is handed in.

Two ladders. After a failure the first wait is short and doubles. Healing the same target again and again is
free a few times (a killed process is back at once) and then slows down, too: a crash loop must not spin.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """`jitter` 0.1 spreads each wait over ±10 %; `free` tries wait not at all."""

    base_s: float = 1.0
    limit_s: float = 300.0
    jitter: float = 0.1
    free: int = 0

    def delay_s(self, count: int, random: Random) -> float:
        """After the `count`-th try (1-based) in a row."""
        if count <= self.free:
            return 0.0
        doublings = min(count - self.free - 1, 62)
        return spread(min(self.limit_s, self.base_s * 2.0**doublings), self.jitter, random)


FAILURES = Backoff()
REPAIRS = Backoff(free=4)
RUNS = Backoff(base_s=0.5, limit_s=60.0)

REPAIRS_FORGOTTEN_S = 600.0
"""A target that needed no repair for so long is sound again. Above the longest wait, or it never would be."""


def spread(seconds: float, jitter: float, random: Random) -> float:
    """The same on average, so that many nodes and keys do not fire together."""
    return seconds * (1.0 + jitter * (2.0 * random.random() - 1.0))
