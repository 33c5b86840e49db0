"""Codecs round-trip, and nothing a stranger sends makes them raise anything but their own error."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livepeer.wire import auth, capabilities, grpc, headers, prices, segments, signing
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.capabilities import Capabilities, ModelConstraint
from livepeer.wire.errors import PeerProtocolError
from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile
from livepeer.wire.segments import Clip, SegmentOrder, StorageS3

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
UINT32 = st.integers(0, 2**32 - 1)
UINT64 = st.integers(0, 2**64 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)

MODELS = st.builds(ModelConstraint, st.booleans(), UINT32, TEXT, UINT32)
CAPABILITIES = st.builds(
    Capabilities,
    bitstring=st.lists(UINT64, max_size=3).map(tuple),
    mandatories=st.lists(UINT64, max_size=3).map(tuple),
    capacities=st.dictionaries(UINT32, UINT32, max_size=4),
    version=TEXT,
    min_version=TEXT,
    models=st.dictionaries(UINT32, st.dictionaries(TEXT, MODELS, max_size=2), max_size=2),
)
PROFILES = st.builds(
    VideoProfile,
    name=TEXT.filter(bool),
    width=st.integers(0, 2**31 - 1),
    height=st.integers(0, 2**31 - 1),
    bitrate=st.integers(0, 2**31 - 1),
    fps=UINT32,
    fps_den=UINT32,
    container=st.sampled_from(Container),
    codec=st.sampled_from(Codec),
    codec_profile=st.sampled_from(CodecProfile),
    gop_ms=st.integers(-(2**31), 2**31 - 1),
    quality=UINT32,
)
TOKENS = st.builds(auth.AuthToken, st.binary(max_size=32), TEXT, INT64)
ORDERS = st.builds(
    SegmentOrder,
    manifest_id=st.binary(max_size=20),
    sequence=INT64,
    content_hash=st.binary(min_size=32, max_size=32),
    profiles=st.lists(PROFILES, max_size=3).map(tuple),
    duration_ms=st.integers(1, 300_000),
    capabilities=CAPABILITIES,
    auth_token=st.none() | TOKENS,
    storage=st.none() | st.builds(StorageS3, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, st.booleans()),
    clip=st.none() | st.builds(Clip, UINT64, UINT64),
    wants_perceptual_hash=st.booleans(),
    force_reinit=st.booleans(),
    signature=st.binary(max_size=65),
)


@given(ORDERS)
def test_an_order_comes_back_as_it_was_sent(order: SegmentOrder) -> None:
    assert segments.read_order(headers.decode_segment(headers.encode(segments.write_order(order)))) == order


@given(CAPABILITIES)
def test_capabilities_come_back_as_they_were_sent(value: Capabilities) -> None:
    assert capabilities.from_wire(capabilities.to_wire(value)) == value


@given(st.frozensets(st.integers(0, 300)))
def test_bits_come_back(numbers: frozenset[int]) -> None:
    assert capabilities.from_bits(capabilities.to_bits(numbers)) == numbers


@given(st.fractions(min_value=0, max_value=2**62, max_denominator=2**62))
def test_prices_come_back_exactly(price: prices.Fraction) -> None:
    carried = prices.from_wire(prices.to_wire(price))
    fits = max(price.numerator, price.denominator) < 2**63
    assert carried == (price if fits else int(price))
    assert prices.parse_price(prices.format_price(price)) == price


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_frames_come_back_one_by_one(messages: list[bytes]) -> None:
    data = b"".join(grpc.frame(message) for message in messages)
    taken = []
    while (split := grpc.unframe(data)) is not None:
        message, data = split
        taken.append(message)
    assert taken == messages


@given(TEXT)
def test_error_texts_come_back(text: str) -> None:
    encoded = grpc.encode_message(text)
    assert encoded.isascii()
    assert grpc.decode_message(encoded) == text


@given(st.binary(max_size=65))
def test_no_signature_raises_anything_but_its_own_error(signature: bytes) -> None:
    assert signing.is_signed(b"message", signature, by=bytes(20)) is False


@given(st.binary(min_size=1, max_size=32).filter(any), st.binary(max_size=64))
@settings(max_examples=25)
def test_every_signature_of_ours_is_accepted(secret: bytes, message: bytes) -> None:
    signer = signing.KeySigner(b"\x01" + secret.rjust(31, b"\0")[:31])
    assert signer.accepts(message, signer.sign(message), by=signer.address)


def _none_but_says_why(refusal: PeerProtocolError) -> None:
    assert refusal.text
    assert refusal.status in (402, 403)


def _read(payment: str, segment: str) -> SegmentOrder | None:
    try:
        headers.decode_payment(payment)
        return segments.read_order(headers.decode_segment(segment))
    except PeerProtocolError as refusal:
        return _none_but_says_why(refusal)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_raises_anything_but_its_own_error(payment: str, segment: str) -> None:
    _read(payment, segment)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_no_bytes_raise_anything_but_the_codecs_error(raw: bytes) -> None:
    text = base64.b64encode(raw).decode()
    _read(text, text)


@given(ORDERS, st.data())
@settings(max_examples=200)
def test_no_damage_to_a_good_order_raises_anything_but_the_codecs_error(
    order: SegmentOrder, data: st.DataObject
) -> None:
    raw = bytearray(segments.write_order(order).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    read = _read("", base64.b64encode(raw).decode())
    if read is not None:
        assert read.signed_message


ENUMS = st.sampled_from(
    ["format", "profile", "encoder", "width", "height", "bitrate", "gop", "fps", "quality"]
)


@given(st.dictionaries(ENUMS, st.integers(-(2**31), 2**31 - 1)), st.integers(-(2**31), 2**31 - 1))
def test_no_number_raises_anything_but_the_codecs_error(fields: dict[str, int], duration: int) -> None:
    message = pb.SegData(duration=duration)
    profile = message.fullProfiles3.add()
    for name, value in fields.items():
        setattr(profile, name, abs(value) if name in ("fps", "quality") else value)
    read = _read("", headers.encode(message))
    if read is not None:
        assert read.profiles[0].width >= 0
        assert 1 <= read.duration_ms <= 300_000


@given(st.binary(max_size=40))
def test_no_frame_raises_anything_but_the_codecs_error(data: bytes) -> None:
    try:
        grpc.unframe(data, limit=8)
    except PeerProtocolError:
        with pytest.raises(PeerProtocolError):  # and its prefix alone was enough to know
            grpc.unframe(data[:5], limit=8)
