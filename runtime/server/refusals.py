"""Every refusal of work, counted by reason and gateway.

Reasons are a closed set, so that dashboards and `reconcile refusals` can rely on them. Gateways are
bounded: the declared ones always have their own line, strangers do until there are too many, the rest is
`other`. Counts begin with the process. Called wherever a peer is told no; the text the peer gets is decided
there, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

_MOST_GATEWAYS = 100
UNKNOWN = "unknown"
OTHER = "other"


class Refusal(StrEnum):
    """Why work was refused."""

    BAD_REQUEST = "bad_request"  # a gRPC message that is none
    BAD_PAYMENT = "bad_payment"
    BAD_CREDENTIALS = "bad_credentials"  # the segment header cannot be read
    BAD_PROFILES = "bad_profiles"
    BAD_SIGNATURE = "bad_signature"
    INCOMPATIBLE = "incompatible"
    BAD_TOKEN = "bad_token"  # noqa: S105 - a reason
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - a reason
    CAPPED = "capped"
    RESERVED = "reserved"  # free slots exist, kept for declared gateways
    BUSY = "busy"  # the session's queue is full
    DRAINING = "draining"
    CLOSED = "closed"
    NO_WORKER = "no_worker"
    PAYMENT = "payment"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    BODY_TOO_LARGE = "body_too_large"
    BODY_STALLED = "body_stalled"
    BAD_SOURCE = "bad_source"
    HASH_MISMATCH = "hash_mismatch"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalCount:
    reason: Refusal
    gateway: str
    count: int
    last_at: float


class Refusals:
    """The counts of this process. `listener` is told of each as it happens."""

    def __init__(self, *, clock: Callable[[], float], listener: Callable[[Refusal, str], None]) -> None:
        self._clock = clock
        self._listener = listener
        self._counts: dict[tuple[Refusal, str], tuple[int, float]] = {}
        self._gateways: set[str] = {UNKNOWN}

    def declare(self, gateways: Iterator[bytes]) -> None:
        """Gateways that keep their own line however many strangers come."""
        self._gateways.update(map(gateway_label, gateways))

    def count(self, reason: Refusal, sender: bytes | None = None) -> None:
        gateway = self._bounded(gateway_label(sender))
        count, _ = self._counts.get((reason, gateway), (0, 0.0))
        self._counts[reason, gateway] = (count + 1, self._clock())
        self._listener(reason, gateway)

    def snapshot(self) -> tuple[RefusalCount, ...]:
        return tuple(
            RefusalCount(reason=reason, gateway=gateway, count=count, last_at=last_at)
            for (reason, gateway), (count, last_at) in sorted(self._counts.items())
        )

    def _bounded(self, gateway: str) -> str:
        if gateway in self._gateways:
            return gateway
        if len(self._gateways) >= _MOST_GATEWAYS:
            return OTHER
        self._gateways.add(gateway)
        return gateway


def gateway_label(sender: bytes | None) -> str:
    """A gateway's address in lower case, or `unknown` where it names none."""
    if not sender or not any(sender):
        return UNKNOWN
    return f"0x{sender.hex()}"
