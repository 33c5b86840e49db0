"""A gateway's rhythm: one connection for all segments, a new one for every question, much at once.

The recorded gateway sends the segments of all streams over one HTTP/2 connection, asks GetOrchestrator on
a new one before nearly every segment, keeps HTTP/1.1 connections for downloads, and judges headers after 2 s.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction

import pytest
from harness import Node, converged
from replay_compare import differences
from replay_gateway import Replay
from replay_material import Recorded, cases, unframed
from replay_peer import H1, H2, Answer, Headers, tls

from livepeer.gateway.clip import Clip, make_clip
from livepeer.wire import grpc
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.signing import keccak256

pytestmark = pytest.mark.e2e

HEADERS_LIMIT_S = 2.0
BODY_LIMIT_S = 8.0
FIRST = cases()["01-default-presets"]
ASKED = FIRST[0]
PUSHED = [recorded for recorded in FIRST if recorded.path == "/segment"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with converged(
        tmp_path_factory.mktemp("rhythm"), video="{preset: ultrafast, sessions: 100, workers: 2}"
    ) as node:
        yield node


@pytest.fixture
async def uploads(node: Node) -> AsyncIterator[H2]:
    connection = await H2.open(node.port)
    yield connection
    await connection.close()


async def ask(node: Node) -> pb.OrchestratorInfo:
    """GetOrchestrator as recorded, on a connection of its own that ends with a goodbye."""
    async with Replay.against(node.port) as replay:
        answer = await replay.send(ASKED)
        assert differences(ASKED, answer) == []
        return pb.OrchestratorInfo.FromString(unframed(bytes(answer.body)))


def headers_of(recorded: Recorded, order: pb.SegData, size: int) -> Headers:
    value = base64.b64encode(order.SerializeToString()).decode()
    new = {"livepeer-segment": value, "content-length": str(size)}
    return [(name, new.get(name, content)) for name, content in recorded.headers]


async def push(
    uploads: H2, token: pb.AuthToken, sequence: int, body: bytes = b"", manifest: str = "rhythm"
) -> tuple[Answer, pb.TranscodeResult]:
    """The recorded order of this sequence number, for another stream or with another body."""
    recorded = PUSHED[sequence % len(PUSHED)]
    body = body or recorded.body
    order = recorded.order
    order.manifestId, order.seq, order.hash = manifest.encode(), sequence, keccak256(body)
    order.auth_token.CopyFrom(token)
    names = [(":authority", "x"), (":method", "POST"), (":path", "/segment"), (":scheme", "https")]
    answer = await uploads.exchange([*names, *headers_of(recorded, order, len(body))], body)
    return answer, pb.TranscodeResult.FromString(bytes(answer.body))


async def fetch(downloads: H1, url: str) -> Answer:
    path = "/" + url.partition("://")[2].partition("/")[2]
    wanted = [("Host", "x"), ("User-Agent", "Go-http-client/1.1"), ("Accept-Encoding", "gzip")]
    return await downloads.exchange(f"GET {path} HTTP/1.1", wanted)


async def end(node: Node, token: pb.AuthToken) -> None:
    connection = await H2.open(node.port, is_call=True)
    request = grpc.frame(pb.EndTranscodingSessionRequest(auth_token=token).SerializeToString())
    path = "/net.Orchestrator/EndTranscodingSession"
    names = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "x")]
    answer = await connection.exchange([*names, *ASKED.headers], request)
    await connection.close()
    assert answer.trailers.get("grpc-status", "0") == "0"


async def test_streams_go_on_while_every_segment_is_preceded_by_a_question(node: Node, uploads: H2) -> None:
    """Six streams; each question mints a token that nobody uses, the running session keeps its own."""

    async def stream(index: int) -> None:
        token = (await ask(node)).auth_token
        downloads = [await H1.open(node.port) for _ in range(2)]
        for sequence in range(3):
            _, (answer, result) = await asyncio.gather(
                ask(node), push(uploads, token, sequence, manifest=f"stream-{index}")
            )
            assert (answer.status, result.error, result.seq) == (200, "", sequence)
            assert answer.headers_after_s < HEADERS_LIMIT_S
            assert answer.ended_after_s < BODY_LIMIT_S
            assert result.info.auth_token == token
            urls = [segment.url for segment in result.data.segments]
            got = await asyncio.gather(*(fetch(*pair) for pair in zip(downloads, urls, strict=True)))
            assert [one.status for one in got] == [200, 200]
            assert all(len(one.body) > 10_000 for one in got)
        for connection in downloads:
            await connection.close()
        await end(node, token)

    await asyncio.gather(*(stream(index) for index in range(6)))


async def test_a_refreshed_stream_goes_on_under_its_new_session(node: Node, uploads: H2) -> None:
    old, new = (await ask(node)).auth_token, (await ask(node)).auth_token
    _, before = await push(uploads, old, 0)
    _, after = await push(uploads, new, 1)
    _, late = await push(uploads, old, 2)
    assert [result.error for result in (before, after, late)] == ["", "", ""]
    for result, token in ((before, old), (after, new), (late, old)):
        assert all(f"/stream/{token.session_id}/" in segment.url for segment in result.data.segments)
    await end(node, old)
    _, still = await push(uploads, new, 2)
    assert still.error == ""
    await end(node, new)


async def test_two_segments_of_one_stream_at_once_are_both_served(node: Node, uploads: H2) -> None:
    token = (await ask(node)).auth_token
    played = await asyncio.gather(push(uploads, token, 0), push(uploads, token, 1))
    assert [(answer.status, result.error) for answer, result in played] == [(200, ""), (200, "")]
    assert [result.seq for _, result in played] == [0, 1]
    await end(node, token)


@pytest.fixture(scope="module")
def heavy() -> bytes:
    """8 MB and more for two seconds of 720p, as a source of high quality has."""
    clip = Clip(width=1280, height=720, fps=Fraction(30), segment_s=2.0, count=1, bitrate=4_000_000)
    body = make_clip(clip)[0]
    null = b"\x47\x1f\xff\x10" + b"\xff" * 184  # null packets pad a constant rate, players skip them
    return body + null * ((8_400_000 - len(body)) // len(null))


async def test_large_uploads_share_one_connection(node: Node, uploads: H2, heavy: bytes) -> None:
    """Headers say that a body has arrived: a gateway gives up after 2 s, for bodies of one second too."""
    tokens = [(await ask(node)).auth_token for _ in range(3)]
    played = await asyncio.gather(
        *(push(uploads, token, 0, heavy, f"heavy-{n}") for n, token in enumerate(tokens))
    )
    for answer, result in played:
        assert (answer.status, result.error) == (200, "")
        assert [segment.pixels for segment in result.data.segments] == [60 * 256 * 144, 60 * 426 * 240]
        assert answer.headers_after_s < HEADERS_LIMIT_S
    for token in tokens:
        await end(node, token)


async def test_headers_do_not_wait_for_busy_workers(node: Node, uploads: H2, heavy: bytes) -> None:
    tokens = [(await ask(node)).auth_token for _ in range(5)]
    works = [asyncio.create_task(push(uploads, t, 0, heavy, t.session_id)) for t in tokens[:4]]
    await asyncio.sleep(0.5)  # both workers have one, two segments wait
    asked, (answer, result) = await asyncio.gather(ask(node), push(uploads, tokens[4], 0))
    assert asked.transcoder == node.uri
    assert answer.headers_after_s < HEADERS_LIMIT_S
    assert (answer.status, result.error) == (200, "")
    assert [result.error for _, result in await asyncio.gather(*works)] == [""] * 4
    for token in tokens:
        await end(node, token)


async def test_connections_are_used_again_after_a_silence(node: Node, uploads: H2) -> None:
    """The edge keeps idle connections for minutes; a few seconds show that nothing shorter ends them."""
    token = (await ask(node)).auth_token
    downloads = await H1.open(node.port)
    for sequence in range(2):
        answer, result = await push(uploads, token, sequence)
        assert (answer.status, result.error) == (200, "")
        got = await fetch(downloads, result.data.segments[0].url)
        assert got.status == 200
        await asyncio.sleep(6 * (1 - sequence))
    assert not uploads.goodbye.is_set()
    await downloads.close()
    await end(node, token)


async def test_refused_uploads_do_not_stop_the_connection(node: Node, uploads: H2, heavy: bytes) -> None:
    """Their unread bytes must not use up the window that all streams share."""
    token = (await ask(node)).auth_token
    forged = pb.AuthToken(token=b"x" * 32, session_id="0123abcd", expiration=token.expiration)
    for _ in range(3):
        recorded = PUSHED[0]
        order = recorded.order
        order.auth_token.CopyFrom(forged)
        names = [(":authority", "x"), (":method", "POST"), (":path", "/segment"), (":scheme", "https")]
        answer = await uploads.exchange([*names, *headers_of(recorded, order, len(heavy))], heavy)
        assert (answer.status, bytes(answer.body)) == (403, b"invalid auth token\n")
    answer, result = await push(uploads, token, 0, heavy)
    assert (answer.status, result.error) == (200, "")
    assert answer.headers_after_s < HEADERS_LIMIT_S
    await end(node, token)


async def test_an_expected_interim_answer_is_given(node: Node) -> None:
    """For clients that hold the body back until they are told to go on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=tls(), server_hostname="")
    head = "POST /segment HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(b"hello")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403")
        assert await reader.readexactly(19) == b"missing auth token\n"
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
