"""The orchestrator under examination, and what earlier checks have learned of it for later ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from livepeer.gateway.address import Address
from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip
from livepeer.gateway.failures import SegmentFailed
from livepeer.gateway.offer import Offer
from livepeer.gateway.transcoded import Transcoded
from livepeer.wire.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to examine and with what. `address` is who the node must be; None where nobody knows."""

    uri: str
    address: bytes | None
    signer: Signer
    clip: Clip
    now: Callable[[], float]
    random_bytes: Callable[[int], bytes]


@dataclass(slots=True)
class Patient:
    """Filled while the checks run, in their order."""

    options: Options
    address: Address
    gateway: Gateway
    offer: Offer | None = None
    date: str = ""
    pushed: tuple[Transcoded, ...] = ()
    failure: SegmentFailed | None = None

    @property
    def known_offer(self) -> Offer:
        """The offer of the discovery check, which every check that asks for it needs to have passed."""
        if self.offer is None:
            raise LookupError("no discovery has been answered")
        return self.offer
