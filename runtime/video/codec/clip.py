"""Which part of a segment a gateway wants, and where that part's time starts.

Frames inside [from, to] of the segment's first timestamp are kept, both ends included. Where the part does
not start at the segment's start, its `from` becomes time zero. Pure; times are exact fractions of seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A part of one segment on the segment's own clock. None is the segment's own start or end."""

    start_s: Fraction | None
    end_s: Fraction | None
    shift_s: Fraction

    def keeps(self, at_s: Fraction) -> bool:
        is_late = self.start_s is None or at_s >= self.start_s
        return is_late and (self.end_s is None or at_s <= self.end_s)

    def placed(self, ticks: int, time_base: Fraction) -> int:
        """A kept timestamp on the rendition's clock."""
        return ticks - round(self.shift_s / time_base)


def clip_of(first_s: Fraction, from_ms: int | None, to_ms: int | None) -> Clip | None:
    """The clip of a segment whose first frame is at `first_s`; None keeps everything."""
    if not from_ms and not to_ms:
        return None
    start = first_s + Fraction(from_ms, 1000) if from_ms else None
    return Clip(
        start_s=start,
        end_s=first_s + Fraction(to_ms, 1000) if to_ms else None,
        shift_s=start or Fraction(0),
    )
