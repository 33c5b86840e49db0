"""What strangers may send to a real runtime, and what it costs: one refused request, nothing else."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from runtime_process import CLIP, make_order, make_spec, result_of, running
from test_server_sessions import HEAVY, wait_for

from livepeer.wire import lp_rpc_pb2 as pb
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


def still_serves(runtime):
    return result_of(runtime.segment(make_order(runtime.token(), CLIP), CLIP)).error == ""


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


@contextlib.contextmanager
def serving(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_dead_worker_costs_no_segment(tmp_path):
    with running(make_spec(tmp_path, workers=2)) as runtime, ThreadPoolExecutor(1) as threads:
        token = runtime.token()
        answer = threads.submit(runtime.segment, make_order(token, CLIP, profiles=HEAVY), CLIP)
        wait_for(lambda: runtime.status()["jobs"]["running"] == 1)
        busy = next(w for w in runtime.status()["workers"].values() if w["state"] == "busy")
        os.kill(busy["pid"], 9)
        assert result_of(answer.result()).error == ""
        wait_for(lambda: sum(w["restarts"] for w in runtime.status()["workers"].values()) == 1)


class Store(BaseHTTPRequestHandler):
    """An object store that takes forms. Its answer is the server's `reply`."""

    def do_POST(self):
        self.server.forms.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
        status, body = self.server.reply
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        return


@pytest.fixture
def store():
    with serving(Store) as server:
        server.forms, server.reply = [], (204, b"")
        yield server


def with_storage(order, store, kind=pb.OSInfo.S3):
    info = order.storage.add(storageType=kind).s3info
    info.host = f"http://127.0.0.1:{store.server_port}/bucket"
    info.key, info.policy, info.signature = "prefix/session", "POLICY", "SIGNATURE"
    info.credential, info.xAmzDate = "KEY/20260101/r/s3/aws4_request", "20260101T000000Z"
    return order


def test_renditions_go_to_the_gateways_store_by_its_policy(runtime, store):
    order = with_storage(make_order(runtime.token(), CLIP, sequence=7), store)
    result = result_of(runtime.segment(order, CLIP))
    assert result.error == ""
    host = f"http://127.0.0.1:{store.server_port}/bucket"
    assert [s.url for s in result.data.segments] == [f"{host}/prefix/session/small/7.ts"]
    assert [s.pixels for s in result.data.segments] == [432_000]
    headers, body = store.forms[0]
    boundary = headers["content-type"].partition("boundary=")[2].encode()
    parts = [part.strip(b"\r\n").partition(b"\r\n\r\n") for part in body.split(b"--" + boundary)[1:-1]]
    fields = [(head.partition(b'name="')[2].partition(b'"')[0].decode(), value) for head, _, value in parts]
    assert [name for name, _ in fields] == [
        *("acl", "Content-Type", "key", "policy", "x-amz-algorithm", "x-amz-credential"),
        *("x-amz-date", "x-amz-signature", "file"),
    ]
    values = dict(fields)
    assert values["key"] == b"prefix/session/small/${filename}"
    assert values["Content-Type"] == b"video/mp2t"
    assert values["acl"] == b"public-read"
    assert b'filename="7.ts"' in parts[-1][0]
    assert len(values["file"]) % 188 == 0


def test_google_gets_its_own_fields(runtime, store):
    order = with_storage(make_order(runtime.token(), CLIP), store, pb.OSInfo.GOOGLE)
    assert result_of(runtime.segment(order, CLIP)).error == ""
    body = store.forms[0][1]
    assert b'name="GoogleAccessId"' in body
    assert b'name="signature"' in body
    assert b"x-amz" not in body


@pytest.mark.parametrize("reply", [(200, b"<Error>AccessDenied</Error>"), (403, b""), (302, b"")])
def test_a_failed_upload_is_a_failure_that_costs_nothing(runtime, store, reply):
    store.reply = reply
    order = with_storage(make_order(runtime.token(), CLIP), store)
    result = result_of(runtime.segment(order, CLIP))
    assert result.error
    assert not result.data.segments
    assert still_serves(runtime)


def test_a_store_that_is_not_there_is_a_failure(runtime, store):
    order = with_storage(make_order(runtime.token(), CLIP), store)
    order.storage[0].s3info.host = "http://127.0.0.1:1/bucket"
    assert "object store" in result_of(runtime.segment(order, CLIP)).error


def test_storage_of_our_own_kind_means_our_store(runtime):
    order = make_order(runtime.token(), CLIP)
    order.storage.add(storageType=pb.OSInfo.DIRECT)
    assert "/stream/" in result_of(runtime.segment(order, CLIP)).data.segments[0].url


def test_a_full_store_is_reported_and_serving_goes_on(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        token = runtime.token()
        assert result_of(runtime.segment(make_order(token, CLIP), CLIP)).error == ""
        directory = tmp_path / "renditions" / "sessions" / token.session_id / "dsmall"
        for file in directory.iterdir():
            file.unlink()
        directory.rmdir()
        directory.write_text("in the way, as a full disk would be")
        result = result_of(runtime.segment(make_order(token, CLIP, sequence=1), CLIP))
        assert result.error.startswith("cannot keep small/1.ts")
        assert not result.data.segments
        directory.unlink()
        assert result_of(runtime.segment(make_order(token, CLIP, sequence=2), CLIP)).error == ""


def test_hashes_are_of_the_bytes_and_not_of_the_uri(runtime):
    """Guards the harness: an order's hash is what a gateway computes."""
    assert make_order(runtime.token(), CLIP).hash == keccak256(CLIP)
