"""A whole node among hostile peers: streams that behave are served meanwhile, and nothing is left behind."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import struct
import time
from fractions import Fraction
from pathlib import Path

import hpack
import httpx
import pytest
from harness import LADDER, Node, Streams

from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip, make_clip
from livepeer.gateway.failures import GatewayError
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.profiles import VideoProfile
from livepeer.wire.signing import keccak256

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
DATA, HEADERS, RESET, PING, CONTINUATION = 0, 1, 3, 6, 9
DISCOVERY = "/net.Orchestrator/GetOrchestrator"
FLOOD_S = 2.0
MOST_RUNTIME_BYTES = 200 << 20
MOST_EDGE_BYTES = 400 << 20


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path)
    made.declare()
    made.run()
    yield made
    made.stop()


def tls(*protocols):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def head(encoder, path=DISCOVERY, content_type="application/grpc"):
    fields = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "x")]
    return encoder.encode([*fields, ("content-type", content_type), ("te", "trailers")])


def flood(node, make, frames=20_000):
    """Sends frames until the node has had enough of it. Whether it had is not what matters here."""
    encoder = hpack.Encoder()
    plain = socket.create_connection(("127.0.0.1", node.port), timeout=10)
    ends_at = time.monotonic() + FLOOD_S
    try:
        with tls("h2").wrap_socket(plain) as connection:
            connection.settimeout(FLOOD_S)  # the node need not take what we send
            connection.sendall(PREFACE)
            for start in range(0, frames, 100):
                connection.sendall(b"".join(make(encoder, number) for number in range(start, start + 100)))
                if time.monotonic() > ends_at:
                    return
    except OSError:
        return


FLOODS = {
    "resets": lambda e, n: frame(HEADERS, 4, 2 * n + 1, head(e)) + frame(RESET, 0, 2 * n + 1, b"\0\0\0\x08"),
    "pings": lambda _e, _n: frame(PING, 0, 0, b"12345678"),
    "continuations": lambda e, n: frame(HEADERS if n == 0 else CONTINUATION, 0, 1, head(e)),
    "empty data": lambda e, n: frame(HEADERS, 4, 1, head(e)) if n == 0 else frame(DATA, 0, 1),
    "headers of headers": lambda e, n: frame(HEADERS, 5, 2 * n + 1, head(e) + b"\xbe" * 16_000),
    "calls without end": lambda e, n: (
        frame(HEADERS, 4, 2 * n + 1, head(e)) + frame(DATA, 0, 2 * n + 1, b"\0")
    ),
}


def order_with(token, data, profiles):
    order = pb.SegData(manifestId=b"x", hash=keccak256(data), profiles=b"invalid", duration=1000)
    order.capabilities.bitstring.append(1)
    order.auth_token.CopyFrom(token)
    order.fullProfiles.extend(profiles)
    return base64.b64encode(order.SerializeToString()).decode()


def discovered_token(node):
    request = struct.pack(">BI", 0, 0)
    with httpx.Client(http2=True, verify=tls("h2")) as client:
        headers = {"content-type": "application/grpc", "te": "trailers"}
        answer = client.post(f"{node.uri}{DISCOVERY}", content=request, headers=headers)
    return pb.OrchestratorInfo.FromString(answer.content[5:]).auth_token


def send_orders(node):
    """Segments that ask for what nobody can do."""
    profile = pb.VideoProfile
    wishes = [
        [profile(name="\x01" * 40_000, width=160, height=90)],
        [profile(name="\x01" * 250_000, width=160, height=90)],
        [profile()] * 50_000,
        [profile(name=f"../{n}", width=2**31 - 1, height=2**31 - 1) for n in range(100)],
        [profile(name="f", width=160, height=90, fps=2**31 - 1, bitrate=2**31 - 1)],
    ]
    data = b"\x47" * 100_000
    with httpx.Client(verify=tls(), timeout=30) as client:
        for wish in wishes:
            headers = {"livepeer-segment": order_with(discovered_token(node), data, wish)}
            answer = client.post(f"{node.uri}/segment", content=data, headers=headers)
            assert answer.status_code in (200, 403, 503)


def clip(width, height):
    return Clip(width=width, height=height, fps=Fraction(30), segment_s=1.0, count=1, bitrate=100_000)


async def push_poison(node):
    """A small segment that asks for more memory than a worker may hold."""
    wishes = tuple(VideoProfile(name=f"{n}", width=4096, height=4096, bitrate=1) for n in range(10))
    (segment,) = make_clip(clip(320, 320))
    async with Gateway(node.uri).session("poison", wishes) as session:
        try:
            await session.push(segment, 0, duration_s=1.0)
        except GatewayError:
            return


async def serve_one(node):
    (segment,) = make_clip(clip(320, 180))
    async with Gateway(node.uri).session("well-behaved", LADDER) as session:
        await session.push(segment, 0, duration_s=1.0)


def resident_bytes(node, role):
    pids = [child["pid"] for child in node.children(role)]
    return max(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in pids)


def test_streams_are_served_among_hostile_peers(node):
    pids = {role: [child["pid"] for child in node.children(role)] for role in ("edge", "runtime")}
    with Streams(node, count=2).running() as tally:
        for make in FLOODS.values():
            flood(node, make)
        send_orders(node)
    assert tally.trouble == []
    assert resident_bytes(node, "runtime") < MOST_RUNTIME_BYTES
    assert resident_bytes(node, "edge") < MOST_EDGE_BYTES
    assert {role: [child["pid"] for child in node.children(role)] for role in pids} == pids, "nothing crashed"


def test_a_segment_that_kills_workers_is_survived(node):
    for _ in range(2):
        asyncio.run(push_poison(node))
    node.await_workers(2)
    asyncio.run(serve_one(node))
