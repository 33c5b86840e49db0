"""What gateways make the node fetch and upload: odd URLs and stores that answer too much are one failure."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from runtime_process import CLIP, make_order, make_spec, result_of, running

from livepeer.wire import lp_rpc_pb2 as pb

URI = "application/vnd+livepeer.uri"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    with running(make_spec(tmp_path_factory.mktemp("stores"), sessions=1000)) as process:
        yield process


class Endless(BaseHTTPRequestHandler):
    """Answers every upload with more than anybody wants to read."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while self.server.written < 1_000_000_000:
                self.wfile.write(b"\x1b[2Jno " * 100_000)
                self.server.written += 700_000

    def log_message(self, *_):
        pass


@pytest.fixture
def endless():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.written = 0
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def to_store(order, host):
    info = order.storage.add(storageType=pb.OSInfo.S3).s3info
    info.host, info.key, info.policy = host, "key", "POLICY"
    return order


def serves(runtime):
    return result_of(runtime.segment(make_order(runtime.token(), CLIP), CLIP)).error == ""


def test_no_more_of_a_stores_answer_is_read_than_is_shown(runtime, endless):
    order = to_store(make_order(runtime.token(), CLIP), f"http://127.0.0.1:{endless.server_port}/b")
    began = time.monotonic()
    error = result_of(runtime.segment(order, CLIP)).error
    assert error.startswith("\x1b[2Jno")
    assert len(error) <= 300
    assert time.monotonic() - began < 5
    assert endless.written < 50_000_000
    assert serves(runtime)


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:1/\x01", "http://127.0.0.1:1/" + "a" * 40_000, "http://a\0b/"]
)
def test_a_store_at_an_odd_address_is_one_failure(runtime, host):
    result = result_of(runtime.segment(to_store(make_order(runtime.token(), CLIP), host), CLIP))
    assert result.error.startswith("the object store")
    assert serves(runtime)


@pytest.mark.parametrize(
    "uri", ["https://127.0.0.1:8935/\x7f", "http://a\0b/", "http://[::1", "http://x:0x/", "é"]
)
def test_a_segment_at_an_odd_address_is_refused(runtime, uri):
    answer = runtime.segment(make_order(runtime.token(), CLIP), uri.encode(), content_type=URI)
    assert (answer.status, answer.text) == (400, "BadRequest\n")
    assert serves(runtime)
