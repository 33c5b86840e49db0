"""The control socket of a real runtime, and how one ends and is replaced."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from runtime_process import CLIP, UnixConnection, call, make_order, make_spec, result_of, running
from test_server_sessions import HEAVY, wait_for

import schemas


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    with running(make_spec(tmp_path_factory.mktemp("control"))) as process:
        yield process


def test_both_sockets_are_the_owners_alone(runtime):
    for path in (runtime.public, runtime.control_socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_status_has_every_part_of_the_contract(runtime):
    status = runtime.status()
    assert set(status) == {
        *("pid", "version", "started_at", "generation", "digest", "spec", "serving", "draining"),
        *("sessions", "jobs", "workers", "capabilities", "refusals"),
    }
    assert (status["pid"], status["serving"], status["draining"]) == (runtime.process.pid, True, False)
    assert set(status["workers"]["cpu-0"]) == {
        *("state", "pid", "device", "reason", "restarts", "segments", "frames", "memory_bytes"),
    }
    assert status["workers"]["cpu-0"]["state"] == "ready"
    assert {"H.264", "MPEG7 signature", "Segment slicing"} <= set(status["capabilities"]["advertised"])
    assert status["capabilities"]["withheld"]["HEVC encode"]


def test_the_accepted_document_is_read_back(runtime):
    document = runtime.control("GET", "/spec").json
    assert document["node"]["name"] == "test"
    assert not list(
        __import__("jsonschema").Draft202012Validator(schemas.load("runtime-spec")).iter_errors(document)
    )


def test_a_document_is_taken_once_and_never_backwards(runtime):
    before = runtime.status()
    answer = runtime.put(lambda d: d["pricing"].update(video="1400"))
    assert (answer.status, answer.json["generation"]) == (200, before["generation"] + 1)
    document = runtime.control("GET", "/spec").json
    assert runtime.control("PUT", "/spec", document).json == answer.json, "again is no change"
    assert runtime.status()["digest"] == answer.json["digest"]
    older = {**document, "generation": document["generation"] - 1}
    other = {**document, "log": "warning"}
    for stale in (older, other):
        assert runtime.control("PUT", "/spec", stale).status == 409
    assert runtime.control("GET", "/spec").json == document


def test_a_field_of_another_process_is_refused_with_its_path(runtime):
    before = runtime.control("GET", "/spec").json

    def change(document):
        document["node"]["name"] = "other"
        document["paths"]["database"] = "/elsewhere"
        document["log"] = "error"

    answer = runtime.put(change)
    assert answer.status == 422
    assert [reason["path"] for reason in answer.json["reasons"]] == ["/node", "/paths"]
    assert runtime.control("GET", "/spec").json == before, "nothing was taken"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"[" * 100_000, b'{"format": 1}', b"\xff\xfe"])
def test_what_is_no_document_is_refused_with_reasons(runtime, body):
    answer = call(runtime.control_socket, "PUT", "/spec", {}, body)
    assert answer.status == 422
    assert all(reason["message"] for reason in answer.json["reasons"])


def test_every_wrong_field_is_named_at_once(runtime):
    def change(document):
        document["video"]["sessions"] = -1
        document["service"]["uri"] = "https://no-port/"
        document["surprise"] = True

    paths = {reason["path"] for reason in runtime.put(change).json["reasons"]}
    assert paths == {"/video/sessions", "/service/uri", ""}


def test_on_chain_identity_is_refused_because_nothing_could_sign(runtime):
    answer = runtime.put(lambda d: d["identity"].update(address="0x" + "11" * 20))
    assert answer.status == 422
    assert answer.json["reasons"][0]["path"] == "/identity/address"


def test_events_follow_what_happens(runtime):
    connection = UnixConnection(runtime.control_socket, 10)
    connection.request("GET", "/events?after=0")
    response = connection.getresponse()
    names = [json.loads(response.readline())["name"] for _ in range(3)]
    assert names == ["worker.ready", "workers.settled", "runtime.serving"]
    taken = runtime.put(lambda d: d["pricing"].update(video="1500")).json["generation"]
    while (event := json.loads(response.readline()))["fields"].get("generation") != taken:
        pass
    assert event["name"] == "spec.accepted"
    after = event["sequence"]
    connection.close()
    later = UnixConnection(runtime.control_socket, 10)
    later.request("GET", f"/events?after={after - 1}")
    assert json.loads(later.getresponse().readline()) == event
    later.close()


def test_metrics_begin_with_zero(runtime):
    text = runtime.control("GET", "/metrics").text
    for line in (
        'livepeer_runtime_refusals_total{gateway="unknown",reason="body_stalled"} 0.0',
        'livepeer_runtime_segments_total{outcome="failed"} 0.0',
        "livepeer_runtime_session_limit 10.0",
        'livepeer_runtime_worker_restarts_total{slot="cpu-0"} 0.0',
        'livepeer_runtime_worker_state{slot="cpu-0",state="ready"} 1.0',
    ):
        assert line in text


def test_slots_and_preset_change_while_serving(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        token = runtime.token()

        def two(document):
            document["video"]["workers"]["cpu-1"] = {"device": "cpu", "threads": 1, "memoryBytes": 0}
            document["video"]["preset"] = "veryfast"

        assert runtime.put(two).status == 200
        assert result_of(runtime.segment(make_order(token, CLIP), CLIP)).error == ""
        wait_for(lambda: runtime.status()["workers"].get("cpu-1", {}).get("state") == "ready")
        runtime.put(lambda d: d["video"]["workers"].pop("cpu-0"))
        wait_for(lambda: list(runtime.status()["workers"]) == ["cpu-1"])
        assert result_of(runtime.segment(make_order(token, CLIP, sequence=1), CLIP)).error == ""


def test_sigterm_lets_a_segment_in_flight_end(tmp_path):
    with running(make_spec(tmp_path)) as runtime, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(runtime.segment, make_order(runtime.token(), CLIP, profiles=HEAVY), CLIP)
        wait_for(lambda: runtime.status()["jobs"]["running"] == 1)
        runtime.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not runtime.public.exists())
        assert result_of(answer.result()).error == ""
        assert runtime.process.wait(10) == 0
        events = [json.loads(line)["event"] for line in (tmp_path / "runtime.log").read_text().splitlines()]
        assert events[-2:] == ["runtime.draining", "runtime.stopped"]


def test_a_stopping_runtime_says_so(tmp_path):
    with running(make_spec(tmp_path)) as runtime, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(runtime.segment, make_order(runtime.token(), CLIP, profiles=HEAVY), CLIP)
        wait_for(lambda: runtime.status()["jobs"]["running"] == 1)
        runtime.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not runtime.public.exists())
        health = runtime.control("GET", "/healthz")
        assert (health.status, health.json) == (503, {"reason": "stopping"})
        assert answer.result().status == 200


def test_a_successor_beside_it_knows_sessions_tokens_and_renditions(tmp_path):
    spec = make_spec(tmp_path, sessions=1)
    with running(spec) as old:
        token = old.token()
        url = result_of(old.segment(make_order(token, CLIP), CLIP)).data.segments[0].url.partition("8935")[2]
        with running({**spec, "generation": 2}) as new:
            assert new.get(url).body == old.get(url).body
            assert new.status()["sessions"]["live"] == 1, "its slot is not given away"
            old.stop()
            assert result_of(new.segment(make_order(token, CLIP, sequence=1), CLIP)).error == ""
            assert new.get(url).status == 200


def test_sigkill_loses_neither_tokens_nor_renditions(tmp_path):
    spec = make_spec(tmp_path)
    with running(spec) as old:
        token = old.token()
        url = result_of(old.segment(make_order(token, CLIP), CLIP)).data.segments[0].url.partition("8935")[2]
        before = old.get(url).body
        old.process.kill()
        old.process.wait()
    with running(spec) as new:
        assert new.get(url).body == before
        assert result_of(new.segment(make_order(token, CLIP, sequence=1), CLIP)).error == ""
        work = tmp_path / "renditions" / "work"
        wait_for(lambda: len(os.listdir(work)) == 1 and not list(work.glob("*/[0-9]*")))


def test_two_runtimes_that_start_at_once_share_one_secret(tmp_path):
    spec = make_spec(tmp_path)
    with running(spec, wait=False) as one, running(spec, wait=False) as two:
        one.wait_until_serving()
        two.wait_until_serving()
        assert result_of(two.segment(make_order(one.token(), CLIP), CLIP)).error == ""


def test_a_document_that_cannot_be_accepted_ends_the_start(tmp_path):
    spec = make_spec(tmp_path)
    del spec["limits"]
    with running(spec, wait=False) as runtime:
        assert runtime.process.wait(20) == 78
        assert b"limits" in runtime.process.stderr.read()


def test_it_starts_within_the_time_a_swap_may_take(tmp_path):
    started = time.monotonic()
    with running(make_spec(tmp_path)):
        assert time.monotonic() - started < 10, "measured alone it is about one second"


def test_an_idle_runtime_sleeps(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        time.sleep(0.5)
        ticks = os.sysconf("SC_CLK_TCK")

        def cpu_s():
            stat_line = Path(f"/proc/{runtime.process.pid}/stat").read_text()
            fields = stat_line.rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / ticks

        before = cpu_s()
        time.sleep(2)
        assert cpu_s() - before < 0.1


def test_reading_events_does_not_hold_up_the_end(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        connection = UnixConnection(runtime.control_socket, 20)
        connection.request("GET", "/events")
        assert json.loads(connection.getresponse().readline())["sequence"] == 1
        assert runtime.stop() == 0
        connection.close()
