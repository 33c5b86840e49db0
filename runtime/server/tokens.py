"""Auth tokens of this node: minted at discovery, checked on every segment.

A session id is random and carries a short tag, keyed by the node's secret, of the gateway address it was
made for. So a segment whose payment names no sender (off-chain none does) is still counted to the gateway
that asked for the session, by any runtime that shares the secret, with nothing remembered. To gateways both
are opaque.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable

from livepeer.wire import auth
from runtime.server.capacity import Address

_RANDOM_BYTES = 6
_TAG_BYTES = 4


class Tokens:
    def __init__(
        self, secret: bytes, *, clock: Callable[[], float], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._random_bytes = random_bytes

    def mint(self, sender: Address) -> bytes:
        """A new token for `sender`, as the protobuf bytes of an `AuthToken`."""
        expiration = int(self._clock()) + auth.LIFETIME_S
        token = auth.mint(self._secret, self._new_session_id(sender), expiration=expiration)
        return auth.to_wire(token).SerializeToString()

    def check(self, token: auth.AuthToken | None) -> auth.AuthToken:
        """The token if it opens a session now; else `PeerProtocolError` with the text a gateway expects."""
        return auth.check(token, self._secret, now=self._clock())

    def is_ours(self, token: auth.AuthToken) -> bool:
        """Whether this node made it, expired or not."""
        return auth.is_authentic(token, self._secret)

    def owner(self, session_id: str, candidates: Iterable[Address]) -> Address | None:
        """The one of these addresses that the session was made for."""
        half = _RANDOM_BYTES * 2
        for address in candidates:
            if hmac.compare_digest(
                self._tag(session_id[:half], address).encode(), session_id[half:].encode()
            ):
                return address
        return None

    def _new_session_id(self, sender: Address) -> str:
        unique = self._random_bytes(_RANDOM_BYTES).hex()
        return unique + self._tag(unique, sender)

    def _tag(self, unique: str, sender: Address) -> str:
        return hmac.digest(self._secret, b"session\0" + unique.encode() + sender, "sha256")[:_TAG_BYTES].hex()
