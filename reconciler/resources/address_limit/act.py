"""Writes the node's table, or removes it. One transaction: there is never half of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.core.errors import Transient
from reconciler.core.values import Operation
from reconciler.resources.address_limit.nft import FilterUnavailable, PacketFilter
from reconciler.resources.address_limit.observe import look
from reconciler.resources.address_limit.plan import precondition
from reconciler.resources.address_limit.rules import removal, script
from reconciler.resources.address_limit.state import AddressLimitDesired


@dataclass(frozen=True, slots=True)
class AddressLimitActor:
    """`Actor` of one node's table."""

    desired: AddressLimitDesired
    packets: PacketFilter

    async def holds(self, operation: Operation) -> bool:
        return precondition(await look(self.desired, self.packets)) == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:  # noqa: ARG002 - quick
        try:
            await self.packets.run(script(self.desired))
        except FilterUnavailable as error:
            raise Transient(
                f"the packet filter refused: {error}", next_step="try `nft list ruleset`"
            ) from error
        return operation.change.shown


async def remove_limit(table: str, packets: PacketFilter) -> bool:
    """For the node's end. Whether there was a table of ours; a packet filter out of reach has none."""
    try:
        if await packets.listing(table) is None:
            return False
        await packets.run(removal(table))
    except FilterUnavailable:
        return False
    return True
