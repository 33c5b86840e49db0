"""Video's part of the advertisement: the capabilities that are really served, and why others are not.

The default set is always advertised, whatever the workers do: AI gateways discover by all of it. On top
comes what every working device serves. Storage and tokens are served by this process, not by a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from livepeer.wire.capabilities import DEFAULT, Capability
from runtime.video.jobs import Transcoder
from runtime.video.messages import Ready

_VIDEO = frozenset(c for c in Capability if c < Capability.TEXT_TO_IMAGE)


@dataclass(frozen=True, slots=True)
class Offer:
    advertised: frozenset[Capability]
    withheld: Mapping[Capability, str]


class Workers(Transcoder, Protocol):
    """A transcoder that says what it is able to do."""

    def abilities(self) -> Ready | None:
        """What every worker serves, and why the rest is withheld; None before the first is ready."""


def offer(abilities: Ready | None) -> Offer:
    served = abilities.served if abilities else frozenset()
    reasons = abilities.withheld if abilities else {}
    missing = "no worker says that it serves this" if abilities else "no video worker has been ready yet"
    advertised = frozenset(c for c in _VIDEO if c in DEFAULT or c in served)
    return Offer(advertised, {c: reasons.get(c, missing) for c in sorted(_VIDEO - advertised)})
