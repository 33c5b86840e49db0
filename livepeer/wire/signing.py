"""Hashes and signatures of the Livepeer protocol: keccak-256, EIP-55 addresses, EIP-191 signatures.

A protocol signature over a message x is the EIP-191 signature of keccak-256(x): 65 bytes r, s, v with v 27
or 28 and s in the lower half. `Signer` is what servers and clients hold; a node without a chain holds
`OffchainSigner`, which signs with nothing and accepts everything, as the network's off-chain nodes do.
Signing is deterministic (RFC 6979). The curve library is loaded at first use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from Crypto.Hash import keccak

ADDRESS_BYTES = 20
HASH_BYTES = 32
SIGNATURE_BYTES = 65
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
NO_ADDRESS = bytes(ADDRESS_BYTES)


class SignatureRejected(ValueError):
    """Raised when no address can be told from a signature; the message says which rule it breaks."""


class Signer(Protocol):
    """Who this node is to its peers."""

    @property
    def address(self) -> bytes:
        """20 bytes; zeros where there is no chain."""

    def sign(self, message: bytes) -> bytes:
        """The protocol signature over a message; empty where there is no chain."""

    def accepts(self, message: bytes, signature: bytes, *, by: bytes) -> bool:
        """Whether this is `by`'s protocol signature over the message."""


class OffchainSigner:
    """A node without a chain: no identity, no signatures, no doubts."""

    @property
    def address(self) -> bytes:
        return NO_ADDRESS

    def sign(self, message: bytes) -> bytes:
        del message
        return b""

    def accepts(self, message: bytes, signature: bytes, *, by: bytes) -> bool:
        del message, signature, by
        return True


class KeySigner:
    """Signs with a key held in memory."""

    __slots__ = ("_address", "_key")

    def __init__(self, secret: bytes) -> None:
        from coincurve import PrivateKey  # noqa: PLC0415 - the curve is loaded where somebody signs

        self._key = PrivateKey(secret)
        self._address = _address_of(self._key.public_key.format(compressed=False))

    def __repr__(self) -> str:
        return f"KeySigner({checksum_address(self._address)})"

    @property
    def address(self) -> bytes:
        return self._address

    def sign(self, message: bytes) -> bytes:
        return self.eth_sign(keccak256(message))

    def eth_sign(self, message: bytes) -> bytes:
        """The EIP-191 signature of exactly these bytes, as `personal_sign` makes it."""
        signature: bytes = self._key.sign_recoverable(eip191_digest(message), hasher=None)
        return signature[:64] + bytes([signature[64] + 27])

    def accepts(self, message: bytes, signature: bytes, *, by: bytes) -> bool:
        return is_signed(message, signature, by=by)


class Hasher:
    """keccak-256 of bytes that arrive in pieces."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = keccak.new(digest_bits=256)

    def update(self, data: bytes | memoryview) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        return bytes(self._state.digest())


def keccak256(data: bytes | memoryview) -> bytes:
    hasher = Hasher()
    hasher.update(data)
    return hasher.digest()


def eip191_digest(message: bytes) -> bytes:
    return keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))


def recover(message: bytes, signature: bytes) -> bytes:
    """The address whose protocol signature over the message this is; raises `SignatureRejected`."""
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureRejected(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    if signature[64] not in (27, 28):
        raise SignatureRejected(f"v is 27 or 28, not {signature[64]}")
    if int.from_bytes(signature[32:64]) > _HALF_ORDER:
        raise SignatureRejected("s is in the upper half of the curve's order")
    from coincurve import PublicKey  # noqa: PLC0415 - the curve is loaded where somebody verifies

    recoverable = signature[:64] + bytes([signature[64] - 27])
    try:
        key = PublicKey.from_signature_and_message(
            recoverable, eip191_digest(keccak256(message)), hasher=None
        )
    except Exception as error:  # the library raises bare `Exception` for points off the curve
        raise SignatureRejected("no key has made this signature") from error
    return _address_of(key.format(compressed=False))


def is_signed(message: bytes, signature: bytes, *, by: bytes) -> bool:
    try:
        return recover(message, signature) == by
    except SignatureRejected:
        return False


def _address_of(uncompressed: bytes) -> bytes:
    return keccak256(uncompressed[1:])[-ADDRESS_BYTES:]


def checksum_address(address: bytes) -> str:
    """The EIP-55 text, `0x…` with mixed case."""
    plain = address.hex()
    mask = keccak256(plain.encode()).hex()
    return "0x" + "".join(c.upper() if m >= "8" else c for c, m in zip(plain, mask, strict=False))


def fit(value: bytes, size: int) -> bytes:
    """An address or hash as peers read it: padded on the left, or its last bytes."""
    return value[-size:].rjust(size, b"\0")


def request_message(address: bytes) -> bytes:
    """What a gateway signs to ask an orchestrator for its terms."""
    return checksum_address(fit(address, ADDRESS_BYTES)).encode()


def results_message(hashes: Iterable[bytes]) -> bytes:
    """What an orchestrator signs for its renditions: their keccak-256 hashes in request order."""
    return b"".join(hashes)


def minimal_bytes(number: int) -> bytes:
    """|number| as big-endian bytes without leading zeros; zero is empty."""
    return abs(number).to_bytes((number.bit_length() + 7) // 8)
