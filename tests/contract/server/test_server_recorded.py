"""The recorded requests of real peers, answered by a real runtime, compared with go-livepeer's answers."""

from __future__ import annotations

import base64

import pytest
from recorded_exchanges import Exchange, masked_urls, with_token
from runtime_process import make_order, make_spec, result_of, running

from livepeer.wire import lp_rpc_pb2 as pb

OFFCHAIN = "video-offchain"
MALFORMED = "42-segment-malformed-h1"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    with running(make_spec(tmp_path_factory.mktemp("recorded"), sessions=100)) as process:
        yield process


def replay(runtime, exchange, good):
    """Sends a recorded /segment request with a token of the node under test."""
    headers = exchange.headers
    name = next((k for k in headers if k.lower() == "livepeer-segment"), None)
    if name is not None and len(headers[name]) > 20:
        order = with_token(exchange.order, good, runtime.token())
        headers[name] = base64.b64encode(order.SerializeToString()).decode()
    return runtime.get(exchange.path, exchange.method, headers, exchange.body())


def assert_same_refusal(answer, exchange):
    assert (answer.status, answer.body) == (exchange.status, exchange.body("response"))
    recorded = {k.lower(): v for k, v in exchange.response["headers"]}
    for name in ("content-type", "x-content-type-options", "content-length"):
        assert answer.headers.get(name) == recorded.get(name), name


def assert_same_result(answer, exchange):
    ours, theirs = result_of(answer), exchange.result
    assert answer.headers.keys() - {"date", "transfer-encoding"} == set()
    assert (ours.seq, ours.error, ours.WhichOneof("result")) == (
        theirs.seq,
        theirs.error,
        theirs.WhichOneof("result"),
    )
    assert masked_urls(ours) == masked_urls(theirs)
    assert [s.pixels for s in ours.data.segments] == [s.pixels for s in theirs.data.segments]
    assert ours.data.sig == theirs.data.sig == b""
    assert_same_info(ours.info, theirs.info)


def assert_same_info(ours, theirs):
    assert [f.name for f, _ in ours.ListFields()] == [f.name for f, _ in theirs.ListFields()]
    assert ours.address == theirs.address == bytes(20)
    assert ours.capabilities.HasField("constraints")
    assert dict(ours.capabilities.capacities) == {
        c: 1 for c in range(64) if ours.capabilities.bitstring[0] >> c & 1
    }
    video = (1 << 27) - 1
    missing = theirs.capabilities.bitstring[0] & video & ~ours.capabilities.bitstring[0]
    assert missing == 0, f"capabilities that the reference serves and we do not: {missing:b}"
    assert not ours.capabilities.mandatories
    assert len(ours.auth_token.token) == 32


_DIFFERENT = {
    22: "a loopback URI is refused here: the reference fetches whatever it is told",
    25: "made with a signature filter that our FFmpeg build may lack",
}


@pytest.mark.parametrize("number", [n for n in range(1, 27) if n not in _DIFFERENT])
def test_segment_requests_over_http1_get_the_recorded_answer(runtime, number):
    exchange = Exchange(OFFCHAIN, MALFORMED, number)
    good = Exchange(OFFCHAIN, MALFORMED, 1).order.auth_token
    answer = replay(runtime, exchange, good)
    if exchange.status == 200:
        assert_same_result(answer, exchange)
    else:
        assert_same_refusal(answer, exchange)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 7, 9, 10])
def test_requests_over_http2_get_the_recorded_answer(runtime, number):
    exchange = Exchange(OFFCHAIN, "45-malformed-h2", number)
    if number == 1:
        answer = replay(runtime, exchange, exchange.order.auth_token)
        assert_same_result(answer, exchange)
        return
    answer = replay(runtime, exchange, Exchange(OFFCHAIN, MALFORMED, 1).order.auth_token)
    assert (answer.status, answer.body) == (exchange.status, exchange.body("response"))


def test_a_result_carries_the_token_of_its_request(runtime):
    exchange = Exchange(OFFCHAIN, MALFORMED, 1)
    token = runtime.token()
    order = with_token(exchange.order, exchange.order.auth_token, token)
    assert result_of(runtime.segment(order, exchange.body())).info.auth_token == token


def test_a_loopback_uri_is_refused_where_the_reference_fetches_it(runtime):
    exchange = Exchange(OFFCHAIN, MALFORMED, 22)
    answer = replay(runtime, exchange, Exchange(OFFCHAIN, MALFORMED, 1).order.auth_token)
    assert (answer.status, answer.text) == (400, "BadRequest\n")


def test_a_wanted_perceptual_hash_changes_nothing_else(runtime):
    exchange = Exchange(OFFCHAIN, MALFORMED, 25)
    answer = replay(runtime, exchange, Exchange(OFFCHAIN, MALFORMED, 1).order.auth_token)
    assert_same_result(answer, exchange)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 14, 18, 19, 32])
def test_other_paths_get_the_recorded_answer(runtime, number):
    exchange = Exchange(OFFCHAIN, "43-other-paths-h1", number)
    answer = runtime.get(exchange.path, exchange.method, exchange.headers, exchange.body())
    assert (answer.status, answer.body) == (exchange.status, exchange.body("response"))
    recorded = {k.lower() for k, _ in exchange.response["headers"]} - {"connection", "date"}
    assert recorded <= answer.headers.keys() | {"content-length"}


def test_a_payment_header_of_900_kb_is_read(runtime):
    answer = runtime.get("/segment", "POST", {"Livepeer-Payment": "A" * 900_000, "Livepeer-Segment": "A"})
    assert (answer.status, answer.body) == (402, Exchange(OFFCHAIN, "44-header-size", 1).body("response"))


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17, 18])
def test_grpc_calls_get_the_recorded_answer(runtime, number):
    exchange = Exchange(OFFCHAIN, "40-grpc-variants", number)
    method = exchange.path.rpartition("/")[2]
    message = b"\0" * 5_242_880 if number == 17 else exchange.message
    answer = runtime.grpc(method, message)
    assert answer.grpc == exchange.grpc_answer
    assert answer.headers["content-type"] == "application/x-protobuf"
    if exchange.grpc_answer[0] == 0 and method == "GetOrchestrator":
        assert_same_info(
            pb.OrchestratorInfo.FromString(answer.body), pb.OrchestratorInfo.FromString(exchange.reply)
        )
    elif exchange.grpc_answer[0] == 0:
        assert answer.body == exchange.reply


def test_registering_a_transcoder_is_refused_with_the_recorded_text(runtime):
    exchange = Exchange(OFFCHAIN, "40-grpc-variants", 11)
    answer = runtime.get(exchange.path, "POST", {"content-type": "application/grpc"}, exchange.body())
    assert (answer.status, answer.headers["content-type"]) == (200, "application/grpc")
    assert (int(answer.headers["grpc-status"]), answer.headers["grpc-message"]) == exchange.grpc_answer


def test_ending_a_session_needs_its_token(runtime):
    wrong = Exchange(OFFCHAIN, "41-end-session", 1)
    assert runtime.grpc("EndTranscodingSession", wrong.message).grpc == wrong.grpc_answer
    right = Exchange(OFFCHAIN, "41-end-session", 2)
    request = pb.EndTranscodingSessionRequest(auth_token=runtime.token())
    answer = runtime.grpc("EndTranscodingSession", request)
    assert (answer.grpc, answer.body) == ((0, ""), right.reply)


def test_an_absent_token_gets_the_text_of_a_wrong_one(runtime):
    assert runtime.grpc("EndTranscodingSession", b"").grpc == (2, "Invalid auth token")


def test_one_session_of_one_is_all_there_is(tmp_path):
    folder = "video-capacity"
    first = Exchange(folder, "01-first-session", 3)
    second = Exchange(folder, "02-second-stream-capped", 2)
    with running(make_spec(tmp_path, sessions=1)) as runtime:
        order = with_token(first.order, first.order.auth_token, runtime.token())
        spare = runtime.token()
        assert_same_result(runtime.segment(order, first.body()), first)
        for case, number in (("02-second-stream-capped", 2), ("03-hand-made", 1), ("03-hand-made", 2)):
            exchange = Exchange(folder, case, number)
            assert runtime.grpc("GetOrchestrator", exchange.message).grpc == exchange.grpc_answer
        assert second.grpc_answer == (2, "Invalid orchestrator request: OrchestratorCapped")
        other = make_order(spare, first.body(), manifest=b"another")
        assert runtime.segment(other, first.body()).text == "OrchestratorCapped\n"
        again = Exchange(folder, "03-hand-made", 5)
        known = with_token(again.order, again.order.auth_token, order.auth_token)
        known.auth_token.CopyFrom(order.auth_token)
        assert_same_result(runtime.segment(known, again.body()), again)
        runtime.grpc("EndTranscodingSession", pb.EndTranscodingSessionRequest(auth_token=order.auth_token))
        assert runtime.grpc("GetOrchestrator", second.message).grpc == (0, "")
