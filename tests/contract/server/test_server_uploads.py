"""Renditions in the store that a segment names: put there by its policy, or told as a failure."""

from __future__ import annotations

import shutil
from http.server import BaseHTTPRequestHandler

import pytest
from runtime_process import CLIP, make_order, make_spec, result_of, running, serving, still_serves

from livepeer.wire import lp_rpc_pb2 as pb


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    with running(make_spec(tmp_path_factory.mktemp("uploads"), sessions=1000)) as process:
        yield process


class Store(BaseHTTPRequestHandler):
    """An object store that takes forms. Its answer is the server's `reply`."""

    def do_POST(self):
        if self.server.breaks:
            self.server.breaks -= 1
            self.close_connection = True
            self.connection.close()
            return
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
        server.forms, server.reply, server.breaks = [], (204, b""), 0
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


def test_an_upload_whose_connection_breaks_is_sent_again(runtime, store):
    store.breaks = 2
    order = with_storage(make_order(runtime.token(), CLIP), store)
    assert result_of(runtime.segment(order, CLIP)).error == ""
    assert len(store.forms) == 1


def test_an_upload_whose_connection_always_breaks_is_a_failure(runtime, store):
    store.breaks = 100
    order = with_storage(make_order(runtime.token(), CLIP), store)
    assert "object store" in result_of(runtime.segment(order, CLIP)).error
    assert store.breaks == 97


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


def test_no_place_to_work_is_a_counted_refusal_and_serving_goes_on(tmp_path):
    with running(make_spec(tmp_path)) as runtime:
        token, work = runtime.token(), tmp_path / "renditions" / "work"
        shutil.rmtree(work)
        work.write_text("in the way, as a full disk would be")
        answer = runtime.segment(make_order(token, CLIP), CLIP)
        assert (answer.status, answer.text.strip()) == (500, "Internal Server Error")
        assert {refusal["reason"]: refusal["count"] for refusal in runtime.status()["refusals"]} == {
            "storage": 1
        }
        work.unlink()
        assert result_of(runtime.segment(make_order(token, CLIP, sequence=1), CLIP)).error == ""
