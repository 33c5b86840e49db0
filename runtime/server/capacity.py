"""Whether one more video session fits: the session limit, and the sessions kept free for declared gateways.

Pure. Asked at discovery (would it fit?), when credentials are checked, and at the moment a session is
created, where the answer is binding. Known sessions are never asked again, so a lowered limit ends no
running stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Address = bytes

UNKNOWN_ADDRESS: Address = bytes(20)
"""The sender of whoever names none; off-chain gateways all look like this."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """`reserved` maps a gateway's address to the number of sessions kept free for it."""

    limit: int
    reserved: Mapping[Address, int]


def fits(sender: Address, live: Iterable[Address], capacity: Capacity) -> bool:
    """Whether `sender` may open one more session beside those of `live`, one entry per session.

    Within its own reservation a gateway only needs a free slot; beyond it, and without one, it must leave
    what others have reserved and do not use.
    """
    used = Counter(live)
    free = capacity.limit - used.total()
    if used[sender] < capacity.reserved.get(sender, 0):
        return free > 0
    kept = sum(
        max(0, count - used[address]) for address, count in capacity.reserved.items() if address != sender
    )
    return free - kept > 0
