"""Sessions of a real runtime: queue, capacity, reservations, refresh, drain, and what peers do to theirs."""

from __future__ import annotations

import base64
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from runtime_process import CLIP, UnixConnection, make_order, make_spec, result_of, running

from livepeer.wire import lp_rpc_pb2 as pb

DAYDREAM = bytes.fromhex("aa" * 20)
STRANGER = bytes.fromhex("bb" * 20)
CAPPED = (2, "Invalid orchestrator request: OrchestratorCapped")

# Heavy enough that five segments of one session are still in work when the ninth arrives.
HEAVY = [(f"p{n}", 1920, 1080) for n in range(3)]


def wait_for(condition, timeout=20):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_one_runs_four_wait_and_the_rest_are_busy(tmp_path):
    with running(make_spec(tmp_path)) as runtime, ThreadPoolExecutor(9) as threads:
        token = runtime.token()
        orders = [make_order(token, CLIP, sequence=n, profiles=HEAVY) for n in range(9)]
        results = [result_of(answer) for answer in threads.map(lambda o: runtime.segment(o, CLIP), orders)]
        errors = sorted(result.error for result in results)
        assert errors == [""] * 5 + ["OrchestratorBusy"] * 4
        assert all(result.info.auth_token == token for result in results)
        refusals = {(r["reason"], r["gateway"]): r["count"] for r in runtime.status()["refusals"]}
        assert refusals == {("busy", "unknown"): 4}


def test_a_session_beyond_the_limit_is_refused_everywhere_and_counted(tmp_path):
    with running(make_spec(tmp_path, sessions=1)) as runtime:
        first, second = runtime.token(STRANGER), runtime.token(STRANGER)
        assert result_of(runtime.segment(make_order(first, CLIP), CLIP)).error == ""
        assert runtime.discover(STRANGER).grpc == CAPPED
        refused = runtime.segment(make_order(second, CLIP, manifest=b"other"), CLIP)
        assert (refused.status, refused.text) == (403, "OrchestratorCapped\n")
        assert runtime.status()["sessions"] == {"live": 1, "limit": 1}
        counted = {(r["reason"], r["gateway"]): r["count"] for r in runtime.status()["refusals"]}
        assert counted[("capped", "0x" + "bb" * 20)] == 1
        metrics = runtime.control("GET", "/metrics").text
        assert 'livepeer_runtime_refusals_total{gateway="unknown",reason="capped"} 1.0' in metrics


def test_reserved_sessions_stay_free_for_their_gateway(tmp_path):
    gateways = {"daydream": {"address": "0x" + "aa" * 20, "video": None, "reserve": 1}}
    with running(make_spec(tmp_path, sessions=2, gateways=gateways)) as runtime:
        mine, strange = runtime.token(DAYDREAM), runtime.token(STRANGER)
        assert result_of(runtime.segment(make_order(strange, CLIP), CLIP)).error == ""
        assert runtime.discover(STRANGER).grpc == CAPPED
        assert runtime.discover(DAYDREAM).grpc == (0, "")
        # The payment names nobody (off-chain): the session is the gateway's that asked for it.
        assert result_of(runtime.segment(make_order(mine, CLIP, manifest=b"mine"), CLIP)).error == ""
        assert runtime.discover(DAYDREAM).grpc == CAPPED
        assert {r["reason"] for r in runtime.status()["refusals"]} == {"reserved", "capped"}


def test_a_lower_limit_ends_no_running_session(tmp_path):
    with running(make_spec(tmp_path, sessions=2)) as runtime:
        tokens = [runtime.token(), runtime.token()]
        for token in tokens:
            runtime.segment(make_order(token, CLIP, manifest=token.token), CLIP)
        assert runtime.put(lambda d: d["video"].update(sessions=1)).status == 200
        assert runtime.discover().grpc == CAPPED
        for token in tokens:
            order = make_order(token, CLIP, manifest=token.token, sequence=1)
            assert result_of(runtime.segment(order, CLIP)).error == ""
        assert runtime.status()["sessions"] == {"live": 2, "limit": 1}


def test_no_session_is_offered_without_a_worker(tmp_path):
    with running(make_spec(tmp_path, workers=0)) as runtime:
        assert runtime.discover().grpc == (2, "Invalid orchestrator request: no transcoders available")
        assert [r["reason"] for r in runtime.status()["refusals"]] == ["no_worker"]
        request = pb.OrchestratorRequest()
        request.capabilities.bitstring.append(1 << 27)
        assert runtime.grpc("GetOrchestrator", request).grpc == (0, ""), "AI is not video's business"


def test_draining_lets_sessions_go_on_and_takes_no_new_ones(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        known, new = runtime.token(), runtime.token()
        runtime.segment(make_order(known, CLIP), CLIP)
        runtime.put(lambda d: d["service"].update(admission="drain"))
        assert runtime.discover().grpc == CAPPED
        assert runtime.segment(make_order(new, CLIP, manifest=b"new"), CLIP).text == "OrchestratorCapped\n"
        assert result_of(runtime.segment(make_order(known, CLIP, sequence=1), CLIP)).error == ""
        assert runtime.status()["draining"] is False  # that would say that the process ends
        runtime.put(lambda d: d["service"].update(admission="closed"))
        refused = runtime.segment(make_order(known, CLIP, sequence=2), CLIP)
        assert (refused.status, refused.text) == (403, "OrchestratorCapped\n")
        runtime.put(lambda d: d["service"].update(admission="open"))
        assert result_of(runtime.segment(make_order(known, CLIP, sequence=3), CLIP)).error == ""


def test_ending_a_session_waits_for_its_segments(tmp_path):
    with running(make_spec(tmp_path)) as runtime, ThreadPoolExecutor(2) as threads:
        token = runtime.token()
        orders = [make_order(token, CLIP, sequence=n, profiles=HEAVY) for n in range(2)]
        answers = [threads.submit(runtime.segment, order, CLIP) for order in orders]
        wait_for(lambda: runtime.status()["jobs"] == {"running": 1, "queued": 1})
        request = pb.EndTranscodingSessionRequest(auth_token=token)
        assert runtime.grpc("EndTranscodingSession", request).grpc == (0, "")
        assert [result_of(answer.result()).error for answer in answers] == ["", ""]
        wait_for(lambda: runtime.status()["sessions"]["live"] == 0)


def test_an_idle_session_ends_and_its_files_go(tmp_path):
    with running(make_spec(tmp_path, sessionIdleSeconds=0.5)) as runtime:
        url = result_of(runtime.segment(make_order(runtime.token(), CLIP), CLIP)).data.segments[0].url
        path = url[url.index("/stream/") :]
        answer, head = runtime.get(path), runtime.get(path, "HEAD")
        assert (answer.status, head.status, head.body) == (200, 200, b"")
        assert head.headers["content-length"] == str(len(answer.body))
        wait_for(lambda: runtime.status()["sessions"]["live"] == 0)
        assert runtime.get(path).status == 404


def test_a_gateway_that_hangs_up_stops_its_own_work(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        token = runtime.token()
        order = make_order(token, CLIP, profiles=HEAVY)
        head = (
            f"POST /segment HTTP/1.1\r\nhost: x\r\ncontent-length: {len(CLIP)}\r\n"
            f"livepeer-segment: {base64.b64encode(order.SerializeToString()).decode()}\r\n\r\n"
        )
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(runtime.public))
            connection.sendall(head.encode() + CLIP)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        wait_for(lambda: 'segments_total{outcome="cancelled"} 1.0' in runtime.control("GET", "/metrics").text)
        wait_for(lambda: runtime.status()["jobs"] == {"running": 0, "queued": 0})
        assert result_of(runtime.segment(make_order(token, CLIP, sequence=1), CLIP)).error == ""


def test_the_200_comes_before_the_work(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        connection = UnixConnection(runtime.public, 30)
        order = make_order(runtime.token(), CLIP, profiles=HEAVY)
        value = base64.b64encode(order.SerializeToString()).decode()
        connection.request("POST", "/segment", CLIP, {"Livepeer-Segment": value})
        response = connection.getresponse()
        assert response.status == 200
        assert runtime.status()["workers"]["cpu-0"]["segments"] == 0, "headers are there, the result is not"
        assert pb.TranscodeResult.FromString(response.read()).error == ""
        connection.close()


def test_the_newest_twelve_renditions_of_a_directory_are_kept(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        token = runtime.token()
        urls = []
        for n in range(14):
            result = result_of(runtime.segment(make_order(token, CLIP, sequence=n), CLIP))
            urls.append(result.data.segments[0].url.partition("8935")[2])
        assert [runtime.get(url).status for url in urls] == [404] * 2 + [200] * 12


def test_names_from_strangers_are_served_and_lead_nowhere_else(tmp_path):
    names = ["../../../../etc", "a/b", ".", "..", "ünïcode", "x" * 400, "with space", "~tilde", "%2e"]
    with running(make_spec(tmp_path)) as runtime:
        token = runtime.token()
        for number, name in enumerate(names):
            order = make_order(token, CLIP, sequence=number, profiles=[(name, 160, 90)])
            result = result_of(runtime.segment(order, CLIP))
            path = f"/stream/{token.session_id}/{name}/{number}.ts"
            assert result.data.segments[0].url == f"https://127.0.0.1:8935{path}"
            assert runtime.get(quote(path)).status == 200, name
        inside = {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*.ts")}
        assert inside == {"renditions"}
        for path in ("../../../money.db", "..%2f..%2f..%2fmoney.db", "/money.db", "session.json"):
            assert runtime.get(f"/stream/{token.session_id}/{path}").status == 404
            assert runtime.get(f"/stream/{path}").status == 404
