"""Signatures and hashes against independently computed values."""

from __future__ import annotations

import pytest

from livepeer.wire import signing
from livepeer.wire.signing import KeySigner, OffchainSigner, SignatureRejected, keccak256

GATEWAY = KeySigner(b"\x46" * 32)
ORCHESTRATOR = KeySigner(b"\x01" * 32)
REQUEST_SIGNATURE = bytes.fromhex(
    "4e166c2cd389f60c02051be1252202fc8a9d9f81b34ace389523a47cb5e70d26"
    "5bcff71ffa9bda088fb65f04930ca11aa5818b5c688e0d130a32f3a03e9254c91c"
)


def test_addresses_have_their_checksum() -> None:
    assert signing.checksum_address(GATEWAY.address) == "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
    assert signing.checksum_address(ORCHESTRATOR.address) == "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"


def test_an_orchestrator_request_is_signed_over_the_address_text() -> None:
    message = signing.request_message(GATEWAY.address)
    assert keccak256(message).hex() == "969fa3eae55716669979e5c87080d2ff347c38c16743686c0af60e233463b8f9"
    digest = signing.eip191_digest(keccak256(message)).hex()
    assert digest.startswith("fc058f33")
    assert digest.endswith("47eff0")
    assert GATEWAY.sign(message) == REQUEST_SIGNATURE


def test_a_ping_is_signed_as_peers_expect() -> None:
    value = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert keccak256(value).hex() == "22bce46032802af0abfacf3768f7be04a34f5f01df60f44ffd52d3ca937350c0"
    assert ORCHESTRATOR.sign(value).hex() == (
        "7ada8b220f69e5af82bd86b0f87c5b154540e8a515c52d6e861244015d95e053"
        "0bfca052d5ece150405ced6329121be69bca8d42c8314a039d2cb83032e6e92e1b"
    )


def test_results_are_signed_over_the_joined_hashes() -> None:
    message = signing.results_message([keccak256(b"A" * 32), keccak256(b"B" * 32)])
    assert message.hex() == (
        "59cad5948673622c1d64e2322488bf01619f7ff45789741b15a9f782ce9290a8"
        "1874b9acfaca383a76e8f7253bdb183902f36254b1e5e452ac78228db63e93f3"
    )
    assert keccak256(message).hex() == "768122c8ea21dbf3eb336d50b685ea35b0415892a15d6fcaf7019e357a3f5952"
    assert ORCHESTRATOR.sign(message).hex() == (
        "d36d9e8c91bcd753ef935658c36d0254b1f9b72152f88ba28793504159934ac7"
        "16ab4b8e3d9c3c9cda34bb9b692b44845edb49182d254fbf45a1c4861b7dc0671c"
    )


def test_the_signer_of_a_message_is_recovered() -> None:
    message = signing.request_message(GATEWAY.address)
    assert signing.recover(message, REQUEST_SIGNATURE) == GATEWAY.address
    assert ORCHESTRATOR.accepts(message, REQUEST_SIGNATURE, by=GATEWAY.address)
    assert not ORCHESTRATOR.accepts(message, REQUEST_SIGNATURE, by=ORCHESTRATOR.address)
    assert not ORCHESTRATOR.accepts(message + b" ", REQUEST_SIGNATURE, by=GATEWAY.address)


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
UPPER_S = (
    REQUEST_SIGNATURE[:32] + (ORDER - int.from_bytes(REQUEST_SIGNATURE[32:64])).to_bytes(32) + bytes([27])
)


@pytest.mark.parametrize(
    ("signature", "rule"),
    [
        (b"", "65 bytes, not 0"),
        (REQUEST_SIGNATURE + b"\0", "65 bytes, not 66"),
        (REQUEST_SIGNATURE[:64] + b"\x01", "27 or 28, not 1"),
        (REQUEST_SIGNATURE[:64] + b"\x1d", "27 or 28, not 29"),
        (UPPER_S, "upper half"),
        (bytes(64) + b"\x1b", "no key"),
        (b"\xff" * 32 + b"\x01" * 32 + b"\x1b", "no key"),
    ],
)
def test_a_signature_that_breaks_a_rule_is_rejected(signature: bytes, rule: str) -> None:
    with pytest.raises(SignatureRejected, match=rule):
        signing.recover(signing.request_message(GATEWAY.address), signature)


def test_the_mirrored_signature_would_recover_the_same_address_and_is_still_refused() -> None:
    message = signing.request_message(GATEWAY.address)
    assert not signing.is_signed(message, UPPER_S, by=GATEWAY.address)


def test_an_offchain_node_signs_with_nothing_and_accepts_everything() -> None:
    node = OffchainSigner()
    assert node.address == bytes(20)
    assert node.sign(b"x") == b""
    assert node.accepts(b"x", b"junk", by=b"anybody")


def test_a_signer_never_shows_its_key() -> None:
    assert repr(GATEWAY) == "KeySigner(0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F)"


def test_a_hash_in_pieces_is_the_hash_of_the_whole() -> None:
    hasher = signing.Hasher()
    hasher.update(b"fo")
    hasher.update(memoryview(b"o"))
    assert hasher.digest() == keccak256(b"foo")
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize(
    ("given", "kept"),
    [(b"\x01", b"\0\0\x01"), (b"\1\2\3", b"\1\2\3"), (b"\1\2\3\4", b"\2\3\4"), (b"", b"\0\0\0")],
)
def test_short_values_are_padded_and_long_ones_keep_their_end(given: bytes, kept: bytes) -> None:
    assert signing.fit(given, 3) == kept


@pytest.mark.parametrize(("number", "text"), [(0, ""), (1, "01"), (-255, "ff"), (1700000000, "6553f100")])
def test_minimal_bytes_have_no_leading_zero(number: int, text: str) -> None:
    assert signing.minimal_bytes(number).hex() == text
