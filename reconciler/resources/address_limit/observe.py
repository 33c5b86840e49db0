"""Looks at the node's table. Changes nothing. A packet filter that is not ours to use is an observation."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.clock import Clock
from reconciler.core.values import Known, Observation, Unknown
from reconciler.resources.address_limit.nft import FilterUnavailable, PacketFilter
from reconciler.resources.address_limit.rules import limit_of
from reconciler.resources.address_limit.state import AddressLimitDesired, AddressLimitObserved


@dataclass(frozen=True, slots=True)
class AddressLimitObserver:
    """`Observer` of one node's table."""

    desired: AddressLimitDesired
    packets: PacketFilter
    clock: Clock

    async def observe(self) -> Observation:
        at = self.clock.now()
        try:
            return Known(await look(self.desired, self.packets), at)
        except (OSError, ValueError) as error:
            return Unknown(f"the packet filter could not be observed: {error}", at)


async def look(desired: AddressLimitDesired, packets: PacketFilter) -> AddressLimitObserved:
    try:
        listing = await packets.listing(desired.table)
    except FilterUnavailable as error:
        return AddressLimitObserved(unavailable=str(error))
    return AddressLimitObserved(limit=None if listing is None else limit_of(listing))
