"""The one gate between work and money: every job passes the same calls, whatever the node is paid.

Call order for a segment: `credit` before its data is read, `covers` before work begins, `debit` with
exactly the pixels reported to the gateway. An off-chain node's gate takes everything and refuses nothing.
Features call the gate and know nothing behind it.
"""

from __future__ import annotations

from typing import Protocol

from livepeer.wire import lp_rpc_pb2 as pb


class PaymentRefused(Exception):
    """Raised when a payment is not taken; the text goes to the gateway as it is."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class PaymentGate(Protocol):
    """`key` is what a balance belongs to beside its sender: the session id, for segments."""

    async def credit(self, payment: pb.Payment, *, sender: bytes, key: str) -> None:
        """Take the payment's tickets. Raises `PaymentRefused`."""

    def covers(self, payment: pb.Payment, *, sender: bytes, key: str) -> bool:
        """Whether the balance is enough to begin a job at the price the payment expects."""

    def debit(self, payment: pb.Payment, *, sender: bytes, key: str, pixels: int) -> None:
        """Take what was delivered off the balance, which may become negative."""


class OffchainGate:
    """No chain, no money: work is free."""

    async def credit(self, payment: pb.Payment, *, sender: bytes, key: str) -> None:
        del payment, sender, key

    def covers(self, payment: pb.Payment, *, sender: bytes, key: str) -> bool:
        del payment, sender, key
        return True

    def debit(self, payment: pb.Payment, *, sender: bytes, key: str, pixels: int) -> None:
        del payment, sender, key, pixels
