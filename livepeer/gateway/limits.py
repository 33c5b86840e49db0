"""The time and size limits by which gateways judge orchestrators. Pure.

They are go-livepeer's; `multiplier` is what its operators may stretch both limits of a segment by.
"""

from __future__ import annotations

from dataclasses import dataclass

SLOWEST_SCORED_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds and bytes."""

    connect_s: float = 2.0
    download_s: float = 4.0
    download_bytes: int = 300_000_000
    result_bytes: int = 16 << 20
    multiplier: float = 1.0

    def headers_s(self, duration_s: float) -> float:
        """From the start of an upload to the 200."""
        return max(2.0, duration_s / 2) * max(self.multiplier, 1.0)

    def exchange_s(self, duration_s: float) -> float:
        """From the start of an upload to the end of the result."""
        return max(8.0, duration_s * 4) * max(self.multiplier, 1.0)


def latency_score(total_s: float, duration_s: float) -> float:
    """Above one, a gateway looks for a faster orchestrator. Downloads do not count."""
    return total_s / max(SLOWEST_SCORED_S, duration_s)
