"""gRPC as peers speak it, answered by a program that knows only HTTP/1.1. Real Envoy, a real gRPC client."""

import grpclib
import pytest
from edge_rig import client_tls
from grpclib.client import Channel
from grpclib.const import Cardinality

from livepeer.wire import lp_rpc_pb2 as wire


@pytest.fixture
def channel(served):
    made = Channel("127.0.0.1", served.port, ssl=client_tls("h2"))
    yield made
    made.close()


async def _call(channel, path, message, answer):
    async with channel.request(path, Cardinality.UNARY_UNARY, type(message), answer, timeout=20) as stream:
        await stream.send_message(message, end=True)
        return await stream.recv_message()


async def test_a_unary_call_is_answered(channel):
    for value in (b"", b"x" * 100, b"y" * 2_000_000):
        answer = await _call(channel, "/net.Orchestrator/Ping", wire.PingPong(value=value), wire.PingPong)
        assert answer.value == value


async def test_error_texts_arrive_exactly(channel):
    with pytest.raises(grpclib.GRPCError) as caught:
        await _call(
            channel, "/net.Orchestrator/GetOrchestrator", wire.OrchestratorRequest(), wire.OrchestratorInfo
        )
    assert caught.value.status is grpclib.Status.UNKNOWN
    assert caught.value.message == "insufficient sender reserve: 100% of it"


async def test_an_unknown_service_is_unimplemented(channel):
    with pytest.raises(grpclib.GRPCError) as caught:
        await _call(channel, "/net.Nothing/Known", wire.PingPong(), wire.PingPong)
    assert caught.value.status is grpclib.Status.UNIMPLEMENTED
    assert caught.value.message == "unknown service net.Nothing"


async def test_a_registered_worker_gets_its_messages_as_they_come(channel):
    async with channel.request(
        "/net.Transcoder/RegisterTranscoder",
        Cardinality.UNARY_STREAM,
        wire.RegisterRequest,
        wire.NotifySegment,
    ) as stream:
        await stream.send_message(wire.RegisterRequest(secret="s", capacity=1), end=True)
        got = [(await stream.recv_message()).SerializeToString() for _ in range(3)]
        assert got == [b"\x10\x01", b"\x10\x02", b"\x10\x03"]
        await stream.cancel()


async def test_a_refused_worker_gets_the_exact_reason(rig):
    await rig.start_runtime("refusing")
    rig.route("refusing")
    await rig.converge()
    channel = Channel("127.0.0.1", rig.port, ssl=client_tls("h2"))
    with pytest.raises(grpclib.GRPCError) as caught:
        await _call(
            channel,
            "/net.Transcoder/RegisterTranscoder",
            wire.RegisterRequest(secret="s"),
            wire.NotifySegment,
        )
    assert (caught.value.status, caught.value.message) == (grpclib.Status.UNKNOWN, "invalid secret")
    channel.close()


async def test_without_a_runtime_a_call_fails_as_grpc(rig):
    await rig.converge()
    channel = Channel("127.0.0.1", rig.port, ssl=client_tls("h2"))
    with pytest.raises(grpclib.GRPCError):
        await _call(channel, "/net.Orchestrator/Ping", wire.PingPong(), wire.PingPong)
    channel.close()
