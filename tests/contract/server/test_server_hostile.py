"""What strangers may send to a real runtime, and what it costs: one refused request, nothing else."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from runtime_process import CLIP, make_order, make_spec, result_of, running, serving, still_serves
from test_server_sessions import HEAVY, wait_for

from livepeer.wire.signing import keccak256

URI = "application/vnd+livepeer.uri"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    spec = make_spec(
        tmp_path_factory.mktemp("hostile"), sessions=1000, bodyBytes=2_000_000, bodyIdleSeconds=0.5
    )
    with running(spec) as process:
        yield process


def refusals(runtime):
    return {r["reason"]: r["count"] for r in runtime.status()["refusals"]}


def raw(runtime, order, rest, *headers):
    """The answer to a hand-written /segment request."""
    value = base64.b64encode(order.SerializeToString()).decode()
    head = "\r\n".join(("POST /segment HTTP/1.1", "host: x", f"livepeer-segment: {value}", *headers))
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(runtime.public))
    connection.sendall(f"{head}\r\n\r\n".encode() + rest)
    return connection


def test_random_bytes_are_answered_in_the_result(runtime):
    data = random.Random(1).randbytes(20_000)
    result = result_of(runtime.segment(make_order(runtime.token(), data), data))
    assert result.error == "TranscoderInvalidVideo"
    assert not result.data.segments
    assert result.info.transcoder == "https://127.0.0.1:8935"
    assert still_serves(runtime)


def test_a_truncated_segment_is_transcoded_as_far_as_it_goes(runtime):
    data = CLIP[: 40 * 188]
    result = result_of(runtime.segment(make_order(runtime.token(), data), data))
    assert result.error == ""
    assert 0 < result.data.segments[0].pixels < 432_000


def test_a_body_that_stalls_is_refused(runtime):
    before = refusals(runtime).get("body_stalled", 0)
    with raw(runtime, make_order(runtime.token(), CLIP), CLIP[:1000], "content-length: 30000") as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 500")
    assert refusals(runtime)["body_stalled"] == before + 1
    assert still_serves(runtime)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_refused(runtime, announced):
    before = refusals(runtime).get("body_too_large", 0)
    data = os.urandom(2_000_001)
    order = make_order(runtime.token(), data)
    if announced:
        with raw(runtime, order, b"", f"content-length: {len(data)}") as connection:
            assert connection.recv(4096).startswith(b"HTTP/1.1 500"), "before a byte of it was sent"
    else:
        chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        with raw(runtime, order, b"", "transfer-encoding: chunked") as connection:
            threading.Thread(target=_send_quietly, args=(connection, chunk)).start()
            assert connection.recv(4096).startswith(b"HTTP/1.1 500")
    assert refusals(runtime)["body_too_large"] == before + 1
    assert still_serves(runtime)


def _send_quietly(connection, data):
    try:
        connection.sendall(data)
    except OSError:
        return


def test_a_body_that_is_not_what_its_hash_says_is_refused(runtime):
    answer = runtime.segment(make_order(runtime.token(), b"other"), CLIP)
    assert (answer.status, answer.text) == (403, "Forbidden\n")
    assert refusals(runtime)["hash_mismatch"] >= 1


def test_uploads_that_are_given_up_leave_nothing_behind(runtime, tmp_path):
    for _ in range(5):
        raw(runtime, make_order(runtime.token(), CLIP), CLIP[:5000], "content-length: 30000").close()
    wait_for(lambda: not list((_renditions(runtime) / "work").glob("*/[0-9]*")))
    assert still_serves(runtime)


def _renditions(runtime):
    return Path(runtime.spec["paths"]["renditions"])


@pytest.mark.parametrize("seed", range(20))
def test_spoilt_credentials_are_refused_and_never_crash(runtime, seed):
    rng = random.Random(seed)
    order = bytearray(make_order(runtime.token(), CLIP).SerializeToString())
    for _ in range(rng.randint(1, 6)):
        order[rng.randrange(len(order))] = rng.randrange(256)
    headers = {
        "Livepeer-Segment": base64.b64encode(bytes(order)).decode(),
        "Livepeer-Payment": base64.b64encode(rng.randbytes(rng.choice([0, 8, 30]))).decode(),
    }
    answer = runtime.get("/segment", "POST", headers, CLIP)
    assert answer.status in (200, 400, 402, 403)


@pytest.mark.parametrize("seed", range(10))
def test_spoilt_discovery_is_answered(runtime, seed):
    rng = random.Random(seed)
    answer = runtime.grpc("GetOrchestrator", rng.randbytes(rng.randint(1, 200)))
    assert answer.status == 200
    assert answer.grpc[0] in (0, 2, 13)


@pytest.mark.parametrize("blob", [b"\0" * 200, b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_what_is_no_http_is_closed(runtime, blob):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(runtime.public))
        connection.sendall(blob + b"\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert still_serves(runtime)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9/x.ts",
        "http://[::1]/x.ts",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x.ts",
        "http://[::ffff:127.0.0.1]/x",
        "http://localhost/x.ts",
        "http://0.0.0.0/",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "http://user@127.0.0.1/",
        "http://",
        "\0",
        "",
        "x" * 20_000,
    ],
)
def test_a_uri_that_leads_inside_is_refused(runtime, uri):
    answer = runtime.segment(make_order(runtime.token(), CLIP), uri.encode(), content_type=URI)
    assert (answer.status, answer.text) in {(400, "BadRequest\n"), (500, "Internal Server Error\n")}


class Origin(BaseHTTPRequestHandler):
    """Serves the clip, and what a source may do wrong."""

    def do_GET(self):
        status, body = {"/clip.ts": (200, CLIP), "/big": (200, bytes(2_000_001))}.get(self.path, (404, b""))
        self.send_response(302 if self.path == "/moved" else status)
        self.send_header("location", "/clip.ts")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        return


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/clip.ts", 200), ("/moved", 400), ("/none", 400), ("/big", 500)],
)
def test_a_segment_may_be_fetched_from_the_node_itself(tmp_path, path, expected):
    with serving(Origin) as origin:
        spec = make_spec(tmp_path, bodyBytes=2_000_000)
        spec["service"]["uri"] = f"http://127.0.0.1:{origin.server_port}"
        with running(spec) as runtime:
            uri = f"{spec['service']['uri']}{path}".encode()
            answer = runtime.segment(make_order(runtime.token(), CLIP), uri, content_type=URI)
            assert answer.status == expected
            if expected == 200:
                assert [s.pixels for s in result_of(answer).data.segments] == [432_000]


def test_a_dead_worker_costs_no_segment(tmp_path):
    with running(make_spec(tmp_path, workers=2)) as runtime, ThreadPoolExecutor(1) as threads:
        token = runtime.token()
        answer = threads.submit(runtime.segment, make_order(token, CLIP, profiles=HEAVY), CLIP)
        wait_for(lambda: runtime.status()["jobs"]["running"] == 1)
        busy = next(w for w in runtime.status()["workers"].values() if w["state"] == "busy")
        os.kill(busy["pid"], 9)
        assert result_of(answer.result()).error == ""
        wait_for(lambda: sum(w["restarts"] for w in runtime.status()["workers"].values()) == 1)


def test_hashes_are_of_the_bytes_and_not_of_the_uri(runtime):
    """Guards the harness: an order's hash is what a gateway computes."""
    assert make_order(runtime.token(), CLIP).hash == keccak256(CLIP)
