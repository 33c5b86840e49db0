"""Orders and requests made to cost the node more than the peer: time of the event loop, memory, a worker."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from runtime_process import CLIP, make_order, make_spec, result_of, running

from livepeer.wire import lp_rpc_pb2 as pb

QUICK_S = 2.0


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    with running(make_spec(tmp_path_factory.mktemp("orders"), sessions=1000)) as process:
        yield process


def serves(runtime):
    return result_of(runtime.segment(make_order(runtime.token(), CLIP), CLIP)).error == ""


def resident_mib(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4 // 1024


@pytest.mark.parametrize("count", [101, 24_000, 300_000])
def test_thousands_of_profiles_cost_no_time(runtime, count):
    order = make_order(runtime.token(), CLIP, profiles=[])
    for _ in range(count):
        order.fullProfiles.add()
    began = time.monotonic()
    answer = runtime.segment(order, CLIP)
    assert (answer.status, answer.text) in {(403, "Too many outputs\n"), (403, "ErrorSegEncoding\n")}
    assert time.monotonic() - began < QUICK_S
    assert serves(runtime)


@pytest.mark.parametrize(
    "name", ["\x01" * 40_000, "\x01" * 250_000, "../" * 9_000, "a\n\x1b[2J\0" * 100, "é/" * 9]
)
def test_a_name_of_any_kind_costs_no_worker(runtime, name):
    order = make_order(runtime.token(), CLIP, profiles=[(name, 160, 90), (name, 160, 90)])
    answer = runtime.segment(order, CLIP)
    assert answer.status in (200, 403)
    states = runtime.status()["workers"].values()
    assert {worker["state"] for worker in states} == {"ready"}
    assert serves(runtime)


def test_signatures_of_megabytes_are_not_kept(runtime):
    def ask(number):
        request = pb.OrchestratorRequest(address=number.to_bytes(20, "big"), sig=b"x" * 3_900_000)
        assert runtime.grpc("GetOrchestrator", request).grpc == (0, "")

    ask(1)
    before = resident_mib(runtime.process.pid)
    for number in range(2, 32):
        ask(number)
    assert resident_mib(runtime.process.pid) - before < 40


def test_an_endless_request_is_counted_and_not_kept(runtime):
    before = resident_mib(runtime.process.pid)
    began = time.monotonic()
    answer = runtime.grpc("GetOrchestrator", b"x" * 60_000_000)
    assert answer.grpc == (8, "grpc: received message larger than max (60000000 vs. 4194304)")
    assert time.monotonic() - began < QUICK_S
    assert resident_mib(runtime.process.pid) - before < 30


@pytest.mark.parametrize("moved", [1, 2, 3, 4])
def test_a_token_that_would_last_for_ages_is_not_ours(runtime, moved):
    """The code covers id and expiration without a border between them."""
    token = runtime.token()
    text = token.session_id.encode() + token.expiration.to_bytes(4)
    token.session_id = text[: -4 - moved].decode()
    token.expiration = int.from_bytes(text[-4 - moved :])
    answer = runtime.segment(make_order(token, CLIP), CLIP)
    assert (answer.status, answer.text) == (403, "invalid auth token\n")


def test_an_escaped_path_does_not_lead_around_the_edge(runtime):
    headers = {"content-type": "application/x-protobuf"}
    for path in ("/%6eet.Orchestrator/GetOrchestrator", "/net.Orchestrator%2FGetOrchestrator"):
        answer = runtime.get(path, "POST", headers)
        assert answer.headers.get("x-grpc-status") == "12" or answer.status == 404
        assert not answer.body or answer.status == 404
