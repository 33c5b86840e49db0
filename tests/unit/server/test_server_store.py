"""The rendition store, the room for unfinished work, and which hosts strangers may name."""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import ExitStack

import pytest

from livepeer.wire.segments import StorageS3
from runtime.server.refusals import Refusal
from runtime.server.sessions import SessionFacts
from runtime.video.arrivals import Arrivals, TooManyArrivals
from runtime.video.staging import Staging
from runtime.video.storage import OwnStorage, OwnStore, StorageError, UnsafeDirectory, escaped
from runtime.video.targets import ForbiddenTarget, Reach, Targets
from runtime.video.uploads import form_fields

FACTS = SessionFacts(id="abc", sender=b"\x01" * 20, stream=b"\xff\x00", token_expires_at=7)


@pytest.fixture
def store(tmp_path):
    return OwnStore(tmp_path / "r", clock=time.time)


def put(store, tmp_path, name, content=b"x", session="abc"):
    path = tmp_path / "new"
    path.write_bytes(content)
    store.put(session, name, path)


def test_a_rendition_is_found_under_its_name(store, tmp_path):
    store.begin(FACTS)
    put(store, tmp_path, "720p/3.ts", b"media")
    assert store.find("abc", "720p/3.ts").read_bytes() == b"media"
    assert not store.find("abc", "720p/4.ts").exists()


def test_a_directory_keeps_its_newest_twelve(store, tmp_path):
    store.begin(FACTS)
    for n in range(20):
        put(store, tmp_path, f"a/{n}.ts")
    put(store, tmp_path, "b/0.ts")
    assert [n for n in range(20) if store.find("abc", f"a/{n}.ts").exists()] == list(range(8, 20))
    assert store.find("abc", "b/0.ts").exists()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "%2e%2e",
        "\0",
        "~",
        "x" * 300,
        "é" * 100,
        "con.",
        " ",
        "-",
        "d",
        "~" * 64,
    ],
)
def test_an_escaped_name_is_one_harmless_component(name):
    text = escaped(name)
    assert len(text) <= 200
    assert "/" not in text
    assert "\0" not in text
    assert text not in ("", ".", "..")


def test_different_names_stay_different():
    names = ["", "%", "a/b", "a%2Fb", "a", "A", ".", "%2E", "..", ".%2E", "x" * 300, "x" * 301, "é", "e"]
    assert len({escaped(name) for name in names}) == len(names)


def test_a_successor_recalls_a_session_while_it_is_alive(store, tmp_path):
    store.begin(FACTS)
    successor = OwnStore(tmp_path / "r", clock=time.time)
    assert successor.recall("abc", idle_s=70) == FACTS
    assert list(successor.recall_all(idle_s=70)) == [FACTS]
    later = OwnStore(tmp_path / "r", clock=lambda: time.time() + 71)
    assert later.recall("abc", idle_s=70) is None
    assert later.recall("nobody", idle_s=70) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sender": 1}', '{"sender": "zz"}'])
def test_a_spoilt_record_is_no_session(store, tmp_path, content):
    store.begin(FACTS)
    (tmp_path / "r" / "sessions" / "abc" / "session.json").write_text(content)
    assert store.recall("abc", idle_s=70) is None


def test_an_ended_session_is_deleted(store, tmp_path):
    store.begin(FACTS)
    put(store, tmp_path, "a/1.ts")
    store.drop("abc")
    store.drop("abc")
    assert os.listdir(tmp_path / "r" / "sessions") == []


def test_a_session_that_another_process_serves_is_not_deleted(store, tmp_path):
    store.begin(FACTS)
    time.sleep(0.01)
    successor = OwnStore(tmp_path / "r", clock=time.time)
    successor.begin(FACTS)
    put(successor, tmp_path, "a/1.ts")
    store.drop("abc")
    assert successor.find("abc", "a/1.ts").exists()


def test_a_sweep_takes_what_is_old_and_not_alive(store, tmp_path):
    store.begin(FACTS)
    os.makedirs(tmp_path / "r" / "sessions" / "old")
    os.makedirs(tmp_path / "r" / "sessions" / "live")
    for name in ("old", "live"):
        os.utime(tmp_path / "r" / "sessions" / name, (1, 1))
    assert store.sweep(keep=frozenset({"live"}), older_than_s=100) == 1
    assert sorted(os.listdir(tmp_path / "r" / "sessions")) == ["abc", "live"]


def test_the_root_is_private_and_a_link_is_refused(tmp_path):
    OwnStore(tmp_path / "r", clock=time.time)
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "r")
    with pytest.raises(UnsafeDirectory):
        OwnStore(tmp_path / "link", clock=time.time)


async def test_the_url_is_the_service_uri_and_the_name_as_it_is(store, tmp_path):
    store.begin(FACTS)
    path = tmp_path / "new"
    path.write_bytes(b"x")
    storage = OwnStorage(store, session_id="abc", service_uri=lambda: "https://h:1")
    assert await storage.put("my name/7.ts", path) == "https://h:1/stream/abc/my name/7.ts"
    with pytest.raises(StorageError, match=r"cannot keep my name/8\.ts"):
        await storage.put("my name/8.ts", tmp_path / "gone")


def test_room_for_a_job_is_gone_with_it(tmp_path):
    staging = Staging(tmp_path)
    with staging.job() as directory:
        (directory / "source").write_bytes(b"x")
    assert not directory.exists()
    with pytest.raises(ValueError, match="stop"), staging.job() as directory:
        raise ValueError("stop")
    assert not directory.exists()
    staging.close()
    assert os.listdir(tmp_path / "work") == []


def test_what_a_dead_process_left_is_deleted_and_a_living_ones_is_not(tmp_path):
    living = Staging(tmp_path)
    with living.job() as directory:
        dead = tmp_path / "work" / "dead"
        (dead / "1").mkdir(parents=True)
        (dead / "lock").touch()
        another = Staging(tmp_path)
        assert directory.exists()
        assert not dead.exists()
        another.close()
    living.close()


def test_uploads_under_way_are_bounded_per_session_and_in_all():
    arrivals, limits = Arrivals(), {"queue": 1, "sessions": 2}
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(arrivals.one("a", is_new=False, **limits))
        with pytest.raises(TooManyArrivals) as busy:
            stack.enter_context(arrivals.one("a", is_new=False, **limits))
        stack.enter_context(arrivals.one("new-1", is_new=True, **limits))
        stack.enter_context(arrivals.one("new-2", is_new=True, **limits))
        stack.enter_context(arrivals.one("new-2", is_new=True, **limits))
        with pytest.raises(TooManyArrivals) as capped:
            stack.enter_context(arrivals.one("new-3", is_new=True, **limits))
        stack.enter_context(arrivals.one("b", is_new=False, **limits))
    assert (busy.value.reason, capped.value.reason) == (Refusal.BUSY, Refusal.CAPPED)
    with arrivals.one("new-3", is_new=True, **limits):
        pass


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://127.0.0.1:9/x", False),
        ("http://10.1.2.3/x", False),
        ("http://192.168.0.1/x", False),
        ("http://169.254.169.254/x", True),
        ("http://[fe80::1]/x", True),
        ("http://224.0.0.1/x", True),
        ("http://0.0.0.0/x", True),
        ("http://[::ffff:10.0.0.1]/x", False),
        ("http://100.64.0.1/x", True),
        ("http://127.0.0.1:9/x", True),
        ("http://2130706433/x", True),
        ("http://0177.0.0.1/x", True),
        ("http://[::1]/x", True),
        ("http://[::ffff:127.0.0.1]/x", True),
        ("http://[::127.0.0.1]/x", True),
        ("http://[64:ff9b::7f00:1]/x", True),
        ("http://[64:ff9b::a9fe:a9fe]/x", True),
        ("http://[2002:7f00:1::]/x", True),
        ("http://[fec0::1]/x", True),
        ("http://a\0b/x", True),
        ("http://@1.1.1.1/x", True),
        ("gopher://1.1.1.1/x", True),
        ("http://1.1.1.1:99999/x", True),
        ("http://u:p@1.1.1.1/x", True),
        ("//1.1.1.1/x", True),
        ("http://no such host/", True),
    ],
)
async def test_targets_inside_are_forbidden(url, private):
    targets = Targets(service_uri=lambda: "https://8.8.8.8:8935")
    with pytest.raises(ForbiddenTarget):
        await targets.judge(url, allow=Reach.PRIVATE if private else Reach.PUBLIC)


async def test_public_targets_and_ones_own_are_allowed():
    targets = Targets(service_uri=lambda: "https://127.0.0.1:8935")
    target = await targets.judge("https://1.1.1.1/a%20b?q=1#f")
    assert (target.url, target.host_header) == ("https://1.1.1.1:443/a%20b?q=1", "1.1.1.1")
    own = await targets.judge("https://127.0.0.1:8935/stream/x")
    assert (own.url, own.host_header) == ("https://127.0.0.1:8935/stream/x", "127.0.0.1:8935")
    with pytest.raises(ForbiddenTarget):
        await targets.judge("http://127.0.0.1:8935/")
    assert (await targets.judge("http://10.0.0.1/", allow=Reach.PRIVATE)).address == "10.0.0.1"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://127.0.0.1:1", Reach.LOOPBACK),
        ("https://192.168.1.2:1", Reach.PRIVATE),
        ("https://localhost:1", Reach.LOOPBACK),
        ("https://8.8.8.8:1", Reach.PUBLIC),
        ("https://node.example.com:1", Reach.PUBLIC),
    ],
)
def test_peers_may_be_as_near_as_the_nodes_own_address(uri, expected):
    assert Targets(service_uri=lambda: uri).reach is expected


def test_the_form_has_the_fields_of_its_store_in_order():
    storage = StorageS3(
        host="https://h/b", key="k", policy="P", signature="S", credential="C", date="D", is_google=False
    )
    fields = form_fields(storage, "720p/1.mp4")
    assert list(fields) == [
        *("acl", "Content-Type", "key", "policy"),
        *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"),
    ]
    assert (fields["key"], fields["Content-Type"]) == ("k/720p/${filename}", "video/mp4")
    google = form_fields(StorageS3("h", "k", "P", "S", "C", "D", is_google=True), "720p/1.ts")
    assert list(google)[4:] == ["GoogleAccessId", "signature"]


def test_deleted_directories_come_back_with_the_next_session(store, tmp_path):
    shutil.rmtree(tmp_path / "r" / "sessions")
    store.begin(FACTS)
    put(store, tmp_path, "720p/3.ts", b"media")
    assert store.find("abc", "720p/3.ts").read_bytes() == b"media"


def test_a_deleted_work_directory_comes_back_with_the_next_job(tmp_path):
    staging = Staging(tmp_path)
    shutil.rmtree(tmp_path / "work")
    with staging.job() as directory:
        assert directory.is_dir()
    staging.close()
