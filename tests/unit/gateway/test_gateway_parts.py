"""The pure parts of the gateway, its frames, and the test streams it makes."""

from __future__ import annotations

import io
import itertools
import ssl
from fractions import Fraction
from pathlib import Path

import av
import pytest
from toy_orchestrator import Toy
from toy_server import Reply, ToyServer, make_certificate

from livepeer.gateway import tls
from livepeer.gateway.address import is_routable, parse_uri
from livepeer.gateway.calls import CallRefused, read_answer
from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip, make_clip
from livepeer.gateway.failures import NotACandidate, TransportError
from livepeer.gateway.goodbye import GoodbyeFilter
from livepeer.gateway.http2 import Connection, Exchange
from livepeer.gateway.offer import Offer, unusable_because
from livepeer.gateway.pixels import NotDecodable, decode
from livepeer.gateway.requirements import Source, needs_of
from livepeer.wire import capabilities as caps
from livepeer.wire import grpc
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.profiles import Codec, CodecProfile, Container, VideoProfile


@pytest.mark.parametrize(
    ("uri", "host", "port", "fault"),
    [
        ("https://a.example.com:8935", "a.example.com", 8935, ""),
        ("https://a.example.com:8935/", "a.example.com", 8935, "trailing slash"),
        ("https://a.example.com", "a.example.com", 443, "no port"),
        ("a.example.com:8935", "a.example.com", 8935, "no scheme"),
        ("http://a.example.com:8935", "a.example.com", 8935, "scheme is http"),
        ("https://[::1]:8935", "::1", 8935, ""),
        ("https://a.example.com:8935/x", "a.example.com", 8935, "more than host and port"),
    ],
)
def test_a_uri_is_read_as_gateways_read_it(uri: str, host: str, port: int, fault: str) -> None:
    address = parse_uri(uri)
    assert address is not None
    assert (address.host, address.port) == (host, port)
    assert (fault in "; ".join(address.faults)) if fault else not address.faults


@pytest.mark.parametrize("uri", ["", "https://", "https://[::1", "https://a:99999", "https://:8935"])
def test_a_uri_without_a_host_is_none(uri: str) -> None:
    assert parse_uri(uri) is None


def test_private_addresses_are_not_routable() -> None:
    assert [is_routable(host) for host in ("127.0.0.1", "10.1.2.3", "::1", "localhost", "box.local")] == [
        False
    ] * 5
    assert [is_routable(host) for host in ("8.8.8.8", "orch.example.com")] == [True] * 2


def profile(**changed: object) -> VideoProfile:
    return VideoProfile(**({"name": "a", "width": 16, "height": 16} | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profiles", "source", "numbers"),
    [
        ((), Source.H264, {0, 12, 26}),
        ((profile(),), Source.H264, {0, 1, 12, 26}),
        ((profile(fps=30000, fps_den=1001),), Source.H264, {0, 1, 3, 12, 26}),
        ((profile(container=Container.MP4), profile()), Source.H264, {0, 1, 2, 12, 26}),
        ((profile(gop_ms=-1, codec_profile=CodecProfile.H264_HIGH),), Source.H264, {0, 1, 9, 11, 12, 26}),
        ((profile(codec=Codec.H265),), Source.HEVC, {1, 12, 15, 16, 26}),
    ],
)
def test_a_job_needs_what_its_profiles_need(
    profiles: tuple[VideoProfile, ...], source: Source, numbers: set[int]
) -> None:
    assert needs_of(profiles, source).numbers == numbers
    assert needs_of(profiles, source, verified=True).numbers == numbers | {14}


def test_the_plain_job_has_the_recorded_bit_string() -> None:
    assert needs_of((profile(),)).bitstring == (67112963,)


def offer(**changed: object) -> Offer:
    info = pb.OrchestratorInfo(
        transcoder="https://a:1",
        capabilities=caps.to_wire(caps.offering(caps.DEFAULT, version="0.9.1")),
        auth_token=pb.AuthToken(token=b"t", session_id="s", expiration=1000),
    )
    for name, value in changed.items():
        if value is None:
            info.ClearField(name)  # type: ignore[arg-type]
        else:
            setattr(info, name, value)
    return Offer(info, 0.1)


@pytest.mark.parametrize(
    ("bent", "reason"),
    [
        (offer(), ""),
        (offer(transcoder=""), "no service URI"),
        (offer(transcoder="https://[::1"), "cannot be dialled"),
        (offer(capabilities=None), "lacks Auth token (12), Segment slicing (26)"),
        (offer(auth_token=None), "no auth token"),
    ],
)
def test_an_offer_is_dropped_for_a_reason(bent: Offer, reason: str) -> None:
    reasons = unusable_because(bent, needs_of((profile(),)), onchain=False)
    assert (reason in "; ".join(reasons)) if reason else not reasons


def test_an_unpayable_offer_is_dropped_by_an_onchain_gateway() -> None:
    reasons = unusable_because(offer(), needs_of((profile(),)), onchain=True)
    assert reasons == ("it names no address", "it gives no ticket parameters", "it gives no price")


def test_a_low_version_is_a_reason() -> None:
    needs = caps.Capabilities(bitstring=(1,), min_version="0.9.2")
    assert unusable_because(offer(), needs, onchain=False) == ("its version 0.9.1 is below 0.9.2",)


def test_without_an_address_the_ticket_recipient_signs() -> None:
    assert offer(address=b"\1" * 20).signed_by == b"\1" * 20
    info = pb.OrchestratorInfo(address=bytes(20), ticket_params=pb.TicketParams(recipient=b"\2" * 20))
    assert Offer(info, 0).signed_by == b"\2" * 20


def exchange(**changed: object) -> Exchange:
    fields: dict[str, object] = {
        "stream": 1,
        "status": 200,
        "headers": {"content-type": "application/grpc"},
        "trailers": {"grpc-status": "0"},
        "body": bytearray(grpc.frame(pb.PingPong(value=b"x").SerializeToString())),
    }
    return Exchange(**(fields | changed))  # type: ignore[arg-type]


def test_a_call_is_answered() -> None:
    assert read_answer(exchange(), pb.PingPong).value == b"x"


@pytest.mark.parametrize("place", ["trailers", "headers"])
def test_a_refused_call_says_why_in_trailers_or_headers(place: str) -> None:
    ending = {"content-type": "application/grpc", "grpc-status": "2", "grpc-message": "no%0Away"}
    changed: dict[str, object] = {"trailers": {}, place: ending, "body": bytearray()}
    with pytest.raises(CallRefused) as caught:
        read_answer(exchange(**changed), pb.PingPong)
    assert (caught.value.status, caught.value.text) == (2, "no\nway")


@pytest.mark.parametrize(
    ("bent", "reason"),
    [
        ({"status": 404}, "HTTP status 404"),
        ({"headers": {}}, "content type none"),
        ({"trailers": {}}, "without a gRPC status"),
        ({"body": bytearray()}, "another number of messages"),
        ({"body": bytearray(grpc.frame(b"") * 2)}, "another number of messages"),
        ({"body": bytearray(grpc.frame(b"\xff"))}, "cannot be read"),
        ({"body": bytearray(b"\1\0\0\0\0")}, "cannot be read"),
    ],
)
def test_a_broken_answer_is_a_transport_error(bent: dict[str, object], reason: str) -> None:
    with pytest.raises(TransportError, match=reason):
        read_answer(exchange(**bent), pb.PingPong)


def _goaway(last: int) -> bytes:
    return b"\0\0\x08\x07\0\0\0\0\0" + last.to_bytes(4) + bytes(4)


@pytest.mark.parametrize("step", [1, 3, 9, 10, 1000])
def test_goodbyes_are_taken_out_however_the_bytes_arrive(step: int) -> None:
    data = b"\0\0\x02\0\0\0\0\0\1ab"
    stream = data + _goaway(2**31 - 1) + data + _goaway(7) + data
    keeper = GoodbyeFilter()
    passed = b"".join(keeper.pass_on(stream[at : at + step]) for at in range(0, len(stream), step))
    assert passed == data * 3
    assert keeper.last_stream == 7


def test_an_oversized_frame_is_passed_on_at_once() -> None:
    huge = b"\xff\xff\xff\0\0\0\0\0\1" + bytes(10)
    assert GoodbyeFilter().pass_on(huge) == huge


async def test_a_server_that_selects_no_h2_is_refused(tmp_path: Path) -> None:
    context = make_certificate(tmp_path)
    context.set_alpn_protocols(["http/1.1"])

    async def answer(_: object) -> Reply:
        return Reply()

    async with ToyServer(context, answer) as server:
        with pytest.raises(TransportError, match="selects no protocol by ALPN"):
            await Connection.open("127.0.0.1", server.port, context=tls.offering_h2(), timeout_s=5)


def test_the_download_face_offers_nothing(certificate: ssl.SSLContext) -> None:
    context = tls.without_alpn()
    context.set_alpn_protocols(["http/1.1"])  # what HTTP libraries do
    client_in, server_in = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(client_in, server_in)
    server = certificate.wrap_bio(server_in, client_in, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == server.version() == "TLSv1.3"
    assert server.selected_alpn_protocol() is None


async def test_a_uri_without_a_host_makes_no_gateway(toy: Toy) -> None:
    with pytest.raises(NotACandidate, match="there is no host in it"):
        Gateway("https://")


def test_what_is_no_video_is_not_decoded() -> None:
    for data in (b"", b"x" * 1000):
        with pytest.raises(NotDecodable):
            decode(data)


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(30000, 1001), Fraction(15)])
def test_segments_go_on_where_the_last_one_ended(fps: Fraction) -> None:
    clip = Clip(width=128, height=96, fps=fps, segment_s=0.4, count=3, bitrate=100_000)
    times: list[Fraction] = []
    sounds: list[Fraction] = []
    for segment in make_clip(clip):
        with av.open(io.BytesIO(segment), "r") as container:
            pictures = [packet for packet in container.demux(video=0) if packet.pts is not None]
        assert pictures[0].is_keyframe
        assert sum(packet.is_keyframe for packet in pictures) == 1
        times += sorted(packet.pts * packet.time_base for packet in pictures)
        with av.open(io.BytesIO(segment), "r") as container:
            sounds += [packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.pts]
        assert decode(segment).pixels == 128 * 96 * clip.frames_per_segment
    assert abs(times[0] - 10) < 1 / fps
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(abs(gap - 1 / fps) <= Fraction(1, 45_000) for gap in gaps)
    tones = [later - earlier for earlier, later in itertools.pairwise(sounds)]
    assert all(abs(gap - Fraction(1024, 48_000)) <= Fraction(1, 45_000) for gap in tones)


def test_a_clip_may_be_mp4_portrait_and_silent() -> None:
    (segment,) = make_clip(
        Clip(width=90, height=160, segment_s=0.5, count=1, container="mp4", has_audio=False, bitrate=50_000)
    )
    with av.open(io.BytesIO(segment), "r") as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert decode(segment).frames == 15


def test_the_streams_frame_rate_is_written_into_it() -> None:
    (segment,) = make_clip(Clip(width=128, height=96, segment_s=0.4, count=1, bitrate=100_000))
    with av.open(io.BytesIO(segment), "r") as container:
        durations = {frame.duration * frame.time_base for frame in container.decode(video=0)}
    assert durations == {Fraction(1, 30)}
