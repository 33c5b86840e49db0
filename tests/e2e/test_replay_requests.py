"""Requests that were sent to the reference by hand, sent to the whole node through its public port.

The runtime alone answers them in its own tests; here edge, TLS and both protocols are between.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Iterator

import pytest
from google.protobuf.message import DecodeError
from harness import Node, converged
from replay_compare import differences
from replay_material import Recorded, by_hand, unframed
from replay_peer import H1, H2, Answer, Headers, pseudo

from livepeer.wire import grpc
from livepeer.wire import lp_rpc_pb2 as pb

pytestmark = pytest.mark.e2e

OFFCHAIN = "video-offchain"
CALLS = by_hand(OFFCHAIN, "40-grpc-variants")
MALFORMED = by_hand(OFFCHAIN, "42-segment-malformed-h1")
PATHS = by_hand(OFFCHAIN, "43-other-paths-h1")
OVER_H2 = by_hand(OFFCHAIN, "45-malformed-h2")
GOOD = MALFORMED[0].order.auth_token

LOOPBACK_URI = 22  # refused here: the reference fetches whatever it is told
AI_WORKER = 12  # registers at the reference, AI or not; here there is no such service without AI
UNUSED_PATHS = frozenset({*range(9, 14), 15, *range(20, 32), *range(34, 39)})
"""Doors of batch AI, BYOC, live runners and their payments, which this node does not declare."""
TO_THE_EDGE = frozenset({16, 17, 33, 39, 40, 41})
"""Answered before any route, in other words: redirects, an unknown method, what is no request at all."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with converged(
        tmp_path_factory.mktemp("asked"), video="{preset: ultrafast, sessions: 200, workers: 2}"
    ) as node:
        yield node


class Asker:
    """One connection per request, as the recording had; our token where the recorded one is whole."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def token(self) -> pb.AuthToken:
        plain = CALLS[0]
        answer = await self.ask(plain)
        return pb.OrchestratorInfo.FromString(unframed(bytes(answer.body))).auth_token

    async def ask(self, recorded: Recorded, token: pb.AuthToken | None = None) -> Answer:
        headers = with_token(recorded.headers, token)
        body = b"\0" * int(dict(recorded.headers)["content-length"]) if _is_short(recorded) else recorded.body
        if _claims_more(recorded):
            body = grpc.frame(b"\0" * 5_242_880)
            headers = [(k, str(len(body)) if k == "content-length" else v) for k, v in headers]
        if recorded.protocol == "HTTP/2":
            connection: H1 | H2 = await H2.open(self.port, is_call=recorded.is_call)
        else:
            connection = await H1.open(self.port)
        try:
            if isinstance(connection, H1):
                return await connection.exchange(recorded.line, headers, body)
            values = {
                ":method": recorded.method,
                ":scheme": "https",
                ":path": recorded.path,
                ":authority": f"127.0.0.1:{self.port}",
            }
            return await connection.exchange([*pseudo(recorded.pseudo, values), *headers], body)
        finally:
            await connection.close()


def _is_short(recorded: Recorded) -> bool:
    return recorded.path == "/segment" and not recorded.body and "content-length" in dict(recorded.headers)


def _claims_more(recorded: Recorded) -> bool:
    return recorded.is_call and "5242880" in recorded.trailers.get("grpc-message", "")


def with_token(headers: Headers, token: pb.AuthToken | None) -> Headers:
    return [(k, _credential(v, token) if k.lower() == "livepeer-segment" else v) for k, v in headers]


def _credential(value: str, token: pb.AuthToken | None) -> str:
    """Our token, part by part, in place of the one that was good; spoilt parts and headers stay spoilt."""
    if token is None:
        return value
    try:
        order = pb.SegData.FromString(base64.b64decode(value, validate=True))
    except (ValueError, DecodeError):
        return value
    if order.HasField("auth_token"):
        for part in ("token", "session_id", "expiration"):
            if getattr(order.auth_token, part) == getattr(GOOD, part):
                setattr(order.auth_token, part, getattr(token, part))
    return base64.b64encode(order.SerializeToString()).decode()


@pytest.fixture
def asker(node: Node) -> Asker:
    return Asker(node.port)


def number(recorded: Recorded) -> str:
    return f"{recorded.number}-{recorded.method}-{recorded.path.strip('/').replace('/', '.')}"


def assert_same_refusal(recorded: Recorded, answer: Answer) -> None:
    assert (answer.status, bytes(answer.body)) == (recorded.status, recorded.answer)
    theirs = {name.lower(): value for name, value in recorded.answer_headers}
    for name in ("content-type", "x-content-type-options"):
        assert answer.named(name) == theirs.get(name), name
    assert answer.named("content-length") in {theirs.get("content-length"), str(len(recorded.answer))}


@pytest.mark.parametrize("recorded", [r for r in CALLS if r.number != AI_WORKER], ids=number)
async def test_calls(asker: Asker, recorded: Recorded) -> None:
    answer = await asker.ask(recorded)
    if "grpc-status" not in recorded.trailers:
        assert (answer.status, bytes(answer.body)) == (recorded.status, recorded.answer)
    else:
        assert differences(recorded, answer) == []


@pytest.mark.parametrize("recorded", [r for r in MALFORMED if r.number != LOOPBACK_URI], ids=number)
async def test_segments_over_http_1_1(asker: Asker, recorded: Recorded) -> None:
    answer = await asker.ask(recorded, await asker.token())
    if recorded.status != 200:
        assert_same_refusal(recorded, answer)
        return
    assert answer.named("transfer-encoding") == "chunked"
    found = differences(recorded, answer)
    assert [line for line in found if "headers" not in line] == []
    assert {name.lower() for name, _ in answer.headers} == {"date", "transfer-encoding", "connection"}


async def test_a_loopback_uri_is_refused_where_the_reference_fetches_it(asker: Asker) -> None:
    recorded = next(r for r in MALFORMED if r.number == LOOPBACK_URI)
    answer = await asker.ask(recorded, await asker.token())
    assert (answer.status, bytes(answer.body)) == (400, b"BadRequest\n")


@pytest.mark.parametrize("recorded", OVER_H2, ids=number)
async def test_segments_over_http_2(asker: Asker, recorded: Recorded) -> None:
    token = await asker.token()
    if recorded.status == 200 and recorded.path == "/segment":
        recorded_token = recorded.order.auth_token
        order = recorded.order
        assert recorded_token.session_id
        order.auth_token.CopyFrom(token)
        value = base64.b64encode(order.SerializeToString()).decode()
        headers = [(k, value if k == "livepeer-segment" else v) for k, v in recorded.headers]
        connection = await H2.open(asker.port)
        names = {":method": "POST", ":scheme": "https", ":path": "/segment", ":authority": "x"}
        answer = await connection.exchange([*pseudo(recorded.pseudo, names), *headers], recorded.body)
        await connection.close()
        assert differences(recorded, answer) == []
        return
    answer = await asker.ask(recorded, token)
    assert (answer.status, bytes(answer.body)) == (recorded.status, recorded.answer)
    if recorded.status == 307:  # the reference names the path alone; clients follow both
        assert answer.named("location") == f"https://127.0.0.1:{asker.port}/segment"


async def test_no_ai_worker_can_register_where_no_ai_is_declared(asker: Asker) -> None:
    answer = await asker.ask(next(r for r in CALLS if r.number == AI_WORKER))
    ending = answer.trailers or dict(answer.headers)
    assert (ending["grpc-status"], ending["grpc-message"]) == ("12", "unknown service net.AIWorker")


@pytest.mark.parametrize(
    "recorded", [r for r in PATHS if r.number not in UNUSED_PATHS | TO_THE_EDGE], ids=number
)
async def test_other_paths(asker: Asker, recorded: Recorded) -> None:
    assert_same_refusal(recorded, await asker.ask(recorded, await asker.token()))


@pytest.mark.parametrize("recorded", [r for r in PATHS if r.number in {16, 17}], ids=number)
async def test_a_double_slash_leads_to_the_right_place(asker: Asker, recorded: Recorded) -> None:
    answer = await asker.ask(recorded)
    assert (answer.status, answer.named("location")) == (
        307,
        f"https://{dict(recorded.headers)['Host']}/segment",
    )


async def test_a_method_that_does_not_exist_is_refused(asker: Asker) -> None:
    recorded = next(r for r in PATHS if r.number == 33)
    assert (await asker.ask(recorded)).status == 400


@pytest.mark.parametrize("recorded", [r for r in PATHS if r.number in UNUSED_PATHS], ids=number)
async def test_doors_of_undeclared_work_are_not_found(asker: Asker, recorded: Recorded) -> None:
    answer = await asker.ask(recorded)
    assert answer.status == 404


@pytest.mark.parametrize("line", ["GARBAGE", "GET / HTTP/1.1", "GET / HTTP/3.7"])
async def test_what_is_no_request_is_refused_and_closed(asker: Asker, line: str) -> None:
    connection = await H1.open(asker.port)
    answer = await connection.exchange(line, [])
    await connection.close()
    assert answer.status in {400, 505}


@pytest.mark.parametrize(("size", "status"), [(900_000, 402), (1_200_000, 431)])
async def test_header_blocks(asker: Asker, size: int, status: int) -> None:
    recorded = by_hand(OFFCHAIN, "44-header-size")[0 if status == 402 else 1]
    headers = [(k, "A" * size if k == "Livepeer-Payment" else v) for k, v in recorded.headers]
    connection = await H1.open(asker.port)
    answer = await connection.exchange("POST /segment HTTP/1.1", headers)
    await connection.close()
    assert (answer.status, answer.status) == (recorded.status, status)
    if status == 402:
        assert bytes(answer.body) == recorded.answer


async def test_plain_http_gets_no_answer_that_looks_like_one(asker: Asker) -> None:
    """Go's server says 400 in clear text; here the connection is closed: a failure for a client too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", asker.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        said = await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        said = b""
    writer.close()
    assert b" 200 " not in said


async def test_only_h2_without_http_1_1_is_selected_for_a_call(asker: Asker) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", asker.port, ssl=context)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    writer.close()
    await writer.wait_closed()
