"""Promise 1: no change drops a job. Streams run through the public port while the node is changed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Node, Streams, Tally, truth

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("node"))
    node.declare()
    node.run()
    yield node
    node.stop()


@pytest.fixture(autouse=True)
def _as_declared_at_first(node: Node) -> Iterator[None]:
    yield
    node.declare()
    node.await_empty_plan()


def assert_unharmed(node: Node, tally: Tally) -> None:
    assert tally.trouble == []
    assert tally.uris == {node.uri}


def spec_of(node: Node) -> dict:
    return node.runtime_status()["spec"]


def test_prices_change_under_running_streams(node: Node) -> None:
    with Streams(node).running() as tally:
        gateways = "{daydream: {address: '0x1111111111111111111111111111111111111111', video: 800 wei}}"
        node.declare(pricing="{video: 1400 wei}", gateways=gateways)
        node.await_empty_plan()
        assert spec_of(node)["pricing"]["video"] == "1400"
        assert spec_of(node)["gateways"]["daydream"]["video"] == "800"
    assert_unharmed(node, tally)


def test_session_limit_goes_down_and_up_under_running_streams(node: Node) -> None:
    with Streams(node).running() as tally:
        for sessions in (2, 16):
            node.declare(video=f"{{preset: ultrafast, sessions: {sessions}, workers: 2}}")
            node.await_empty_plan()
            assert node.runtime_status()["sessions"]["limit"] == sessions
    assert_unharmed(node, tally)


def test_preset_and_workers_change_under_running_streams(node: Node) -> None:
    with Streams(node).running() as tally:
        node.declare(video="{preset: superfast, sessions: 8, workers: 1}")
        node.await_empty_plan()
        assert spec_of(node)["video"]["preset"] == "superfast"
        node.await_workers(1)
        node.declare()
        node.await_empty_plan()
        node.await_workers(2)
    assert_unharmed(node, tally)


def test_new_certificate_under_running_streams(node: Node, tmp_path: Path) -> None:
    from certificates import make_certificate, served_serial  # noqa: PLC0415

    serial = make_certificate(node.folder / "own.pem", node.folder / "own.key")
    with Streams(node).running() as tally:
        service = "\n".join(
            [
                "",
                f'  uri: "{node.uri}"',
                f'  listen: {{public: "127.0.0.1:{node.port}", cli: "127.0.0.1:{node.cli_port}"}}',
                '  tls: {certificate: own.pem, key: "${file:own.key}"}',
            ]
        )
        node.declare(service=service)
        node.await_empty_plan()
        assert served_serial("127.0.0.1", node.port) == serial
    assert_unharmed(node, tally)


def test_runtime_restarted_on_request_under_running_streams(node: Node) -> None:
    before = node.runtime_status()["pid"]
    with Streams(node).running() as tally:
        answer = node.call("restart", "runtime")
        assert answer.returncode == 0, answer.stderr
        node.await_empty_plan()
        assert node.runtime_status()["pid"] != before
        assert len(node.children("runtime")) == 1
    assert_unharmed(node, tally)


def test_edge_restarted_on_request_under_running_streams(node: Node) -> None:
    before = node.children("edge")[0]["pid"]
    with Streams(node).running() as tally:
        answer = node.call("restart", "edge")
        assert answer.returncode == 0, answer.stderr
        node.await_empty_plan()
        assert max(node.children("edge"), key=lambda child: child["generation"])["pid"] != before
    assert_unharmed(node, tally)


def test_worker_killed_under_running_streams(node: Node) -> None:
    with Streams(node).running() as tally:
        for _ in range(3):
            workers = node.runtime_status()["workers"]
            pid = next(iter(workers.values()))["pid"]
            os.kill(pid, signal.SIGKILL)
            time.sleep(1.5)
        assert all(
            worker["state"] in ("ready", "busy") for worker in node.runtime_status()["workers"].values()
        )
    assert_unharmed(node, tally)


def test_operator_killed_and_restarted_under_running_streams(node: Node) -> None:
    before = {role: node.children(role)[0]["pid"] for role in ("edge", "runtime")}
    with Streams(node).running() as tally:
        node.kill_operator()
        time.sleep(2)
        node.run()
        node.await_empty_plan()
        assert {role: node.children(role)[0]["pid"] for role in before} == before
    assert_unharmed(node, tally)


def test_edge_reconfigured_under_running_streams(node: Node) -> None:
    with Streams(node).running() as tally:
        service = "\n".join(
            [
                "",
                f'  uri: "{node.uri}"',
                f'  listen: {{public: "127.0.0.1:{node.port}", cli: "127.0.0.1:{node.cli_port}"}}',
                "  limits: {connections: 777}",
            ]
        )
        node.declare(service=service)
        node.await_empty_plan()
    assert_unharmed(node, tally)


def test_runtime_killed_loses_at_most_what_was_in_flight(node: Node) -> None:
    streams = Streams(node)
    with streams.running() as tally:
        killed_at = time.time()
        os.kill(node.children("runtime")[0]["pid"], signal.SIGKILL)
        node.await_status(lambda status: truth(status, "Ready") == "True", "it is ready again")
        assert node.children("runtime")[0]["started_at"] - killed_at < 2
    assert len(tally.trouble) <= 3  # one a stream
    assert tally.uris == {node.uri}
