"""The gateway client against a real TLS server: what it does, and what it makes of refusals."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from gateway_pushes import GATEWAY_KEY, PROFILES, failure, push
from toy_orchestrator import Toy
from toy_server import Reply, Request

from livepeer.gateway import tls
from livepeer.gateway.client import Gateway
from livepeer.gateway.failures import (
    Consequence,
    NotACandidate,
    PixelMismatch,
    Refused,
    ResultError,
    SignatureMismatch,
)
from livepeer.gateway.http2 import Connection
from livepeer.gateway.requirements import needs_of
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire import signing
from livepeer.wire.profiles import VideoProfile
from livepeer.wire.segments import Clip


async def test_a_stream_is_transcoded_downloaded_and_counted(toy: Toy, clip: tuple[bytes, ...]) -> None:
    async with Gateway(toy.uri).session("stream-1", PROFILES) as session:
        results = [await session.push(segment, n, duration_s=0.5) for n, segment in enumerate(clip)]
        session_id = session.token.session_id
    assert [result.sequence for result in results] == [0, 1]
    for result, segment in zip(results, clip, strict=True):
        assert [rendition.data for rendition in result.renditions] == [segment, segment]
        decoded = result.renditions[0].decoded
        assert decoded is not None
        assert (decoded.width, decoded.height, decoded.frames) == (160, 90, 15)
        assert decoded.pixels == result.renditions[0].pixels_claimed == 160 * 90 * 15
        assert 0 < result.headers_s <= result.total_s
        assert result.score > 0
    assert toy.node.ended == [session_id]
    assert [order.sequence for order in toy.node.orders] == [0, 1]
    assert toy.node.orders[0].manifest_id == b"stream-1"


async def test_each_kind_of_request_goes_as_a_gateway_sends_it(toy: Toy, clip: tuple[bytes, ...]) -> None:
    async with Gateway(toy.uri).session("m", PROFILES) as session:
        await session.push(clip[0], 0, duration_s=0.5)
        await session.push(clip[1], 1, duration_s=0.5)
    by_path = {request.path.split("/")[1]: request for request in toy.server.requests}
    call, upload, download = by_path["net.Orchestrator"], by_path["segment"], by_path["stream"]
    assert (call.protocol, call.headers["content-type"], call.headers["te"]) == (
        "HTTP/2",
        "application/grpc",
        "trailers",
    )
    assert (upload.protocol, upload.headers["content-type"]) == ("HTTP/2", "video/MP2T")
    assert upload.headers["content-length"] == str(len(clip[1]))
    assert upload.headers["livepeer-payment"] == ""
    assert download.protocol == "HTTP/1.1"
    # discovery and the goodbye dial anew, both uploads share one connection, downloads keep theirs
    assert toy.server.connections <= 1 + 1 + len(PROFILES) + 1


async def test_discovery_asks_as_the_recorded_gateway_asks(toy: Toy) -> None:
    recorded = json.loads((Path(__file__).parents[2] / "recorded" / "wire" / "messages.json").read_text())
    theirs = next(entry for entry in recorded["messages"] if entry["message"] == "OrchestratorRequest")
    plain = VideoProfile(name="P144p30fps16x9", width=256, height=144, bitrate=400_000, fps=30)
    await Gateway(toy.uri).discover(needs_of((plain,)))
    assert toy.server.requests[0].body[5:].hex() == theirs["bytes"]


async def test_segments_may_be_pushed_at_the_same_time(toy: Toy, clip: tuple[bytes, ...]) -> None:
    async with Gateway(toy.uri).session("m", PROFILES, checks_pixels=False) as session:
        results = await asyncio.gather(*(session.push(clip[0], n, duration_s=0.5) for n in range(5)))
    assert [result.sequence for result in results] == list(range(5))
    assert results[0].renditions[0].decoded is None


async def test_an_order_carries_clip_and_reinit(toy: Toy, clip: tuple[bytes, ...]) -> None:
    async with Gateway(toy.uri).session("m", PROFILES) as session:
        await session.push(clip[0], 0, duration_s=0.5, clip=Clip(100, 300), force_reinit=True)
    assert toy.node.orders[0].clip == Clip(100, 300)
    assert toy.node.orders[0].force_reinit


async def test_results_are_checked_against_the_orchestrators_address(
    onchain: Toy, clip: tuple[bytes, ...]
) -> None:
    await push(onchain, clip[0], signer=GATEWAY_KEY)
    request = next(r for r in onchain.server.requests if r.path.endswith("/GetOrchestrator"))
    asked = pb.OrchestratorRequest.FromString(request.body[5:])
    assert signing.is_signed(signing.request_message(asked.address), asked.sig, by=GATEWAY_KEY.address)
    order = onchain.node.orders[0]
    assert signing.is_signed(order.signed_message, order.signature, by=GATEWAY_KEY.address)


async def test_a_wrong_signature_means_the_same_again(onchain: Toy, clip: tuple[bytes, ...]) -> None:
    def break_signature(result: pb.TranscodeResult) -> None:
        result.data.sig = GATEWAY_KEY.sign(b"something else")

    onchain.node.bend_result = break_signature
    error = await failure(onchain, clip[0], signer=GATEWAY_KEY)
    assert isinstance(error, SignatureMismatch)
    assert error.consequence is Consequence.REPEATED
    assert not error.is_punished


async def test_wrong_pixels_remove_the_orchestrator(toy: Toy, clip: tuple[bytes, ...]) -> None:
    def claim_more(result: pb.TranscodeResult) -> None:
        result.data.segments[1].pixels += 1

    toy.node.bend_result = claim_more
    error = await failure(toy, clip[0])
    assert isinstance(error, PixelMismatch)
    assert error.consequence is Consequence.REMOVED
    assert "b has 216000 pixels, and 216001 are claimed" in str(error)


async def test_a_rendition_that_is_no_video_fails_the_pixels(toy: Toy, clip: tuple[bytes, ...]) -> None:
    def swap(_: pb.TranscodeResult) -> None:
        toy.node.renditions = dict.fromkeys(toy.node.renditions, b"not a video at all" * 100)

    toy.node.bend_result = swap
    assert isinstance(await failure(toy, clip[0]), PixelMismatch)


@pytest.mark.parametrize(
    ("text", "punished"), [("OrchestratorBusy", True), ("TranscoderInvalidVideo", False), ("anything", True)]
)
async def test_a_result_error_is_judged_by_its_text(
    toy: Toy, clip: tuple[bytes, ...], text: str, punished: bool
) -> None:
    def say(result: pb.TranscodeResult) -> None:
        result.error = text

    toy.node.bend_result = say
    error = await failure(toy, clip[0])
    assert isinstance(error, ResultError)
    assert (error.text, error.is_punished) == (text, punished)


@pytest.mark.parametrize(
    ("text", "punished"),
    [("Forbidden", True), ("No keyframes in input", False), ("OrchestratorCapped", True)],
)
async def test_a_refusal_is_judged_by_its_text(
    toy: Toy, clip: tuple[bytes, ...], text: str, punished: bool
) -> None:
    toy.node.bend_segment = lambda order: Reply(403, f"{text}\n".encode())
    error = await failure(toy, clip[0])
    assert isinstance(error, Refused)
    assert (error.status, error.text, error.is_punished) == (403, text, punished)


async def test_an_answer_before_the_end_of_the_upload_is_heard(toy: Toy) -> None:
    toy.node.bend_reply = lambda request: Reply(403, b"missing auth token\n", early=True)
    connection = await Connection.open("127.0.0.1", toy.server.port, context=tls.offering_h2(), timeout_s=5)
    exchange = await connection.post("/segment", [("x-early", "1")], bytes(20_000_000))
    await connection.finish(exchange, limit=1000)
    assert (exchange.status, bytes(exchange.body)) == (403, b"missing auth token\n")
    await connection.close()


async def test_a_segment_in_flight_survives_a_goodbye(toy: Toy, clip: tuple[bytes, ...]) -> None:
    def leave(request: Request) -> Reply | None:
        if request.path != "/segment":
            return None
        toy.node.bend_reply = lambda request: None
        reply = toy.node._segment(request)
        reply.goodbye, reply.before_body_s = True, 0.2
        return reply

    toy.node.bend_reply = leave
    async with Gateway(toy.uri).session("m", PROFILES) as session:
        await session.push(clip[0], 0, duration_s=0.5)
        uploads = toy.server.connections
        await session.push(clip[1], 1, duration_s=0.5)
        assert toy.server.connections == uploads + 1


async def test_a_connection_that_was_closed_meanwhile_is_replaced(toy: Toy, clip: tuple[bytes, ...]) -> None:
    async with Gateway(toy.uri).session("m", PROFILES) as session:
        await session.push(clip[0], 0, duration_s=0.5)
        for task in list(toy.server._tasks):
            task.cancel()
        await asyncio.sleep(0.1)
        await session.push(clip[1], 1, duration_s=0.5)


async def test_the_session_asks_again_before_its_token_expires(toy: Toy, clip: tuple[bytes, ...]) -> None:
    now = [time.time()]
    async with Gateway(toy.uri, now=lambda: now[0]).session("m", PROFILES) as session:
        first = session.token
        await session.push(clip[0], 0, duration_s=0.5)
        assert session.token == first
        now[0] = first.expiration - 180
        await session.push(clip[0], 1, duration_s=0.5)
        assert session.token == first
        now[0] = first.expiration - 179
        await session.push(clip[0], 2, duration_s=0.5)
        assert session.token.session_id != first.session_id


async def test_the_terms_follow_each_answer(onchain: Toy, clip: tuple[bytes, ...]) -> None:
    def raise_price(result: pb.TranscodeResult) -> None:
        result.info.price_info.pricePerUnit = 1300

    onchain.node.bend_result = raise_price
    async with Gateway(onchain.uri, signer=GATEWAY_KEY).session("m", PROFILES) as session:
        assert session.offer.info.price_info.pricePerUnit == 1200
        await session.push(clip[0], 0, duration_s=0.5)
        assert session.offer.info.price_info.pricePerUnit == 1300


async def test_a_refused_discovery_makes_no_candidate(toy: Toy) -> None:
    toy.node.call_error = "Invalid orchestrator request: OrchestratorCapped"
    with pytest.raises(NotACandidate) as caught:
        await Gateway(toy.uri).usable_offer(needs_of(PROFILES))
    assert "gRPC status 2: Invalid orchestrator request: OrchestratorCapped" in str(caught.value)
    assert caught.value.consequence is Consequence.NOT_A_CANDIDATE


async def test_nobody_listening_makes_no_candidate(free_port: int) -> None:
    with pytest.raises(NotACandidate, match="no TLS connection"):
        await Gateway(f"https://127.0.0.1:{free_port}").usable_offer(needs_of(PROFILES))


async def test_a_ping_is_signed_by_an_onchain_node(onchain: Toy, toy: Toy) -> None:
    value = b"0123456789abcdef"
    signature = await Gateway(onchain.uri).ping(value)
    assert signing.is_signed(value, signature, by=onchain.node.signer.address)
    assert await Gateway(toy.uri).ping(value) == b""


async def test_discovery_measures_from_the_dial_on(toy: Toy) -> None:
    offer = await Gateway(toy.uri).discover(None)
    assert 0 < offer.latency_s < 10
    poll = toy.server.requests[0]
    assert not pb.OrchestratorRequest.FromString(poll.body[5:]).HasField("capabilities")
