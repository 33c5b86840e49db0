"""What an order for a segment means, and what is refused with which text."""

from __future__ import annotations

import base64
from http import HTTPStatus

import pytest

from livepeer.wire import auth, headers, profiles, segments
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.capabilities import Capabilities, to_bits
from livepeer.wire.errors import PeerProtocolError
from livepeer.wire.profiles import CodecProfile, Container, VideoProfile
from livepeer.wire.segments import Clip, SegmentOrder
from livepeer.wire.signing import KeySigner, keccak256

HEADER = (
    "CgptYW5pZmVzdC0xEAcaIEGxoGSXUq8bKLPcKaFVbu54HkpMOh9/U/kPqDTeCYxNIgdpbnZhbGlkKkExjfo5+teRIEf5G7u6VePLMp4Q0akg"
    "YIm5vj5A6dZ/kzfYJiWGOdRNqStzUn6hfOgUghesPgSQOa/eCM/6QdTEGzDQDzoECgKDIEIyCiCv9lP8hRv+PH15VtGIlcFBL+OawqWNSCYY"
    "3VvfM1wmRxIIYTFiMmMzZDQYgOLPqgaKAiKCAQ5QNzIwcDMwZnBzMTZ4OYgBgAqQAdAFmAGAkvQBoAEeigIhggEOUDI0MHAzMGZwczE2eDmI"
    "AaoDkAHwAZgBwM8koAEe"
)
GATEWAY = KeySigner(b"\x46" * 32)


def order(**changed: object) -> SegmentOrder:
    fields: dict[str, object] = {
        "manifest_id": b"manifest-1",
        "sequence": 7,
        "content_hash": keccak256(b"foo"),
        "profiles": (
            VideoProfile(name="P720p30fps16x9", width=1280, height=720, bitrate=4_000_000, fps=30),
            VideoProfile(name="P240p30fps16x9", width=426, height=240, bitrate=600_000, fps=30),
        ),
        "duration_ms": 2000,
        "capabilities": Capabilities(bitstring=to_bits({0, 1, 12})),
        "auth_token": auth.mint(bytes(range(32)), "a1b2c3d4", expiration=1700000000),
    }
    return SegmentOrder(**(fields | changed))  # type: ignore[arg-type]


def test_the_signed_bytes_and_their_signature_are_the_known_ones() -> None:
    message = order().signed_message
    assert message.hex() == (
        "6d616e69666573742d31"
        + "00" * 31
        + "07"
        + keccak256(b"foo").hex()
        + "34396435346561396330613635313761"
    )
    assert len(message) == 90
    assert keccak256(message).hex() == "5125878b8c44b7e52661e8962c8df3d14d77e6edbc7df889c21a81ddf6495a21"
    assert GATEWAY.sign(message).hex() == (
        "318dfa39fad7912047f91bbbba55e3cb329e10d1a9206089b9be3e40e9d67f93"
        "37d826258639d44da92b73527ea17ce8148217ac3e049039afde08cffa41d4c41b"
    )


def test_the_known_header_decodes_to_the_known_order() -> None:
    signed = order(signature=GATEWAY.sign(order().signed_message))
    assert segments.read_order(headers.decode_segment(HEADER)) == signed


def test_the_known_header_is_made_of_the_known_order() -> None:
    message = segments.write_order(order(signature=GATEWAY.sign(order().signed_message)))
    message.capabilities.ClearField("constraints")  # the known header was made without them
    assert headers.encode(message) == HEADER


def test_a_negative_sequence_is_signed_by_its_size() -> None:
    assert order(sequence=-7).signed_message == order().signed_message


def test_the_newest_list_of_profiles_wins() -> None:
    message = pb.SegData()
    message.fullProfiles.add(name="old")
    assert segments.read_order(message).profiles[0].name == "old"
    message.fullProfiles2.add(name="middle")
    assert segments.read_order(message).profiles[0].name == "middle"
    message.fullProfiles3.add(name="new")
    assert [profile.name for profile in segments.read_order(message).profiles] == ["new"]


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        (VideoProfile(name="a", width=16, height=16), "fullProfiles"),
        (VideoProfile(name="a", width=16, height=16, quality=30), "fullProfiles"),
        (VideoProfile(name="a", width=16, height=16, container=Container.MP4), "fullProfiles2"),
        (VideoProfile(name="a", width=16, height=16, fps=30000, fps_den=1001), "fullProfiles3"),
        (VideoProfile(name="a", width=16, height=16, gop_ms=-1), "fullProfiles3"),
        (VideoProfile(name="a", width=16, height=16, codec_profile=CodecProfile.H264_MAIN), "fullProfiles3"),
    ],
)
def test_a_gateway_writes_the_oldest_list_that_carries_its_profiles(
    profile: VideoProfile, field: str
) -> None:
    message = segments.write_order(order(profiles=(profile,)))
    assert [
        name for name in ("fullProfiles", "fullProfiles2", "fullProfiles3") if getattr(message, name)
    ] == [field]


def test_an_unnamed_profile_gets_a_name_of_its_numbers() -> None:
    message = pb.VideoProfile(width=426, height=240, bitrate=600_000)
    assert profiles.from_wire(message).name == "net_426x240_600000"


@pytest.mark.parametrize(("sent", "meant"), [(0, 2000), (1, 1), (300_000, 300_000)])
def test_durations(sent: int, meant: int) -> None:
    assert segments.read_order(pb.SegData(duration=sent)).duration_ms == meant


def _with_profile(**fields: int) -> pb.SegData:
    message = pb.SegData()
    profile = message.fullProfiles.add(name="x", width=16, height=16)
    for name, value in fields.items():
        setattr(profile, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (pb.SegData(duration=-1), "invalid duration"),
        (pb.SegData(duration=300_001), "invalid duration"),
        (_with_profile(format=9), "unrecognized profile output format"),
        (_with_profile(profile=9), "unrecognized encoder profile"),
        (_with_profile(encoder=9), "unrecognized video codec"),
        (_with_profile(width=-2), "TranscoderInvalidResolution"),
        (_with_profile(height=-2), "TranscoderInvalidResolution"),
        (_with_profile(bitrate=-2), "Invalid argument"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_known_text(message: pb.SegData, text: str) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        segments.read_order(message)
    assert (caught.value.text, caught.value.status) == (text, HTTPStatus.FORBIDDEN)


def test_only_the_first_storage_counts_and_direct_is_none() -> None:
    message = pb.SegData()
    message.storage.add(storageType="DIRECT")
    message.storage.add(storageType="S3")
    assert segments.read_order(message).storage is None
    del message.storage[0]
    storage = segments.read_order(message).storage
    assert storage is not None
    assert not storage.is_google


def test_a_clip_keeps_its_bounds() -> None:
    message = segments.write_order(order(clip=Clip(200, 700)))
    assert segments.read_order(message).clip == Clip(200, 700)


def test_a_manifest_id_may_be_any_bytes() -> None:
    assert segments.read_order(pb.SegData(manifestId=b"\xff/../\0")).manifest_id == b"\xff/../\0"


@pytest.mark.parametrize(
    ("header", "position"),
    [("%%%", 0), ("AAAA%", 4), ("A", 0), ("AAAAA", 4), ("AAAAAA", 4), ("AA=A", 2), ("====", 0)],
)
def test_bad_base64_names_its_position(header: str, position: int) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        headers.decode_payment(header)
    assert caught.value.text == f"base64 decode error: illegal base64 data at input byte {position}"
    assert caught.value.status == HTTPStatus.PAYMENT_REQUIRED


def test_a_name_that_is_no_utf8_is_no_message() -> None:
    raw = (
        pb.SegData(fullProfiles=[pb.VideoProfile(name="abcd")])
        .SerializeToString()
        .replace(b"abcd", b"ab\xff\xfe")
    )
    with pytest.raises(PeerProtocolError, match="proto: cannot parse invalid wire-format data"):
        headers.decode_segment(base64.b64encode(raw).decode())


def test_an_empty_payment_header_is_an_empty_payment() -> None:
    assert headers.decode_payment("") == pb.Payment()


def test_a_result_with_an_error_is_the_known_message() -> None:
    message = pb.TranscodeResult(seq=7, error="OrchestratorBusy")
    assert message.SerializeToString().hex() == "080712104f7263686573747261746f7242757379"
