"""The verbs against the real stack: what they print, what they exit with, what they leave behind."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from harness import RECONCILE, Node, free_ports, truth
from jsonschema import Draft202012Validator

from reconciler.layout import Layout

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def valid(name: str, text: str) -> dict:
    document = json.loads(text)
    Draft202012Validator(json.loads(files("schemas").joinpath(f"{name}.schema.json").read_text())).validate(
        document
    )
    return document


def at_a_terminal(node: Node, words: list[str], *, answer: str) -> tuple[int, str]:
    """Runs a verb with a terminal on every stream, and types `answer` once it is asked."""
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [RECONCILE, *words], cwd=node.folder, stdin=child, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    shown = b""
    try:
        while b"is yes" not in shown:
            shown += os.read(parent, 65_536)
        os.write(parent, answer.encode())
        while True:
            shown += os.read(parent, 65_536)
    except OSError:  # how a terminal says that nobody is there any more
        pass
    finally:
        os.close(parent)
    return process.wait(20), shown.decode()


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("supervised"))
    node.declare()
    try:
        node.run()
        yield node
    finally:
        node.stop()


def test_one_shot_from_nothing_to_nothing(tmp_path: Path) -> None:
    """Plan, converge, plan nothing, see drift, heal it, stop: without an operator."""
    node = Node(tmp_path)
    node.declare()
    try:
        dry = node.call("--dry-run", "--detailed-exitcode")
        assert dry.returncode == 2
        assert dry.stdout.endswith("Reversible: yes.\nNothing was changed.\n")
        assert not node.data.exists()
        valid("plan", node.call("plan", "--json").stdout)

        assert node.call("apply").returncode == 64  # nobody can be asked
        code, shown = at_a_terminal(node, ["apply"], answer="no\n")
        assert code == 0
        assert "\x1b[" in shown  # colour
        assert "Nothing was changed." in shown
        assert not node.data.exists()

        saved = node.call("plan", "-o", "plan.json")
        assert saved.returncode == 0
        done = node.call("apply", "plan.json")
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("Nothing is left to do.\n")
        assert "unsupervised" in done.stderr
        assert node.call("apply", "plan.json").returncode == 7

        assert node.call("plan", "--detailed-exitcode").returncode == 0
        assert node.call("drift").returncode == 0
        assert node.call("diff").stdout == ""
        status = valid("status", node.call("status", "--json").stdout)
        assert status["operator"] is None

        os.kill(node.children("runtime")[0]["pid"], signal.SIGKILL)
        drift = node.call("drift")
        assert drift.returncode == 3, drift.stdout
        assert "runtime.process" in drift.stdout
        assert node.call("drift").returncode == 3  # it changed nothing
        healed = node.call("--json")
        lines = [json.loads(line) for line in healed.stdout.splitlines()]
        assert (lines[0]["type"], lines[-1]["type"], lines[-1]["exit_code"]) == ("version", "result", 0)
        assert "ok" in node.call("history").stdout
    finally:
        node.stop()
    assert not list(node.run_folder().glob("*.sock"))


@pytest.mark.parametrize("supervised_once", [False, True])
def test_a_stopped_node_is_started_again_although_drift_is_only_reported(
    tmp_path: Path, supervised_once: bool
) -> None:
    node = Node(tmp_path)
    node.declare(automation="{drift: {runtime: report}}")
    try:
        if supervised_once:
            node.run()
        else:
            assert node.call().returncode == 0
        os.kill(node.children("runtime")[0]["pid"], signal.SIGKILL)
        assert node.call().returncode == 4  # that is drift
        node.stop()
        node.operator = None
        assert node.call("drift").returncode == 0
        stopped_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        again = node.call()
        assert again.returncode == 0, f"{again.stdout}{again.stderr}"
        assert node.children("runtime")
        since = {each["last_transition_time"] for each in node.status()["conditions"]}
        assert min(since) >= stopped_at, "no condition outlives its node"
    finally:
        node.stop()


def test_a_second_operator_names_the_first_and_exits_75(supervised: Node) -> None:
    second = supervised.call("run")
    assert second.returncode == 75
    assert supervised.operator is not None
    assert f"pid {supervised.operator.pid}" in second.stderr


def test_verbs_go_through_the_running_operator(supervised: Node) -> None:
    assert supervised.call().returncode == 0
    assert supervised.call("apply").returncode == 0  # nothing to ask about
    text = supervised.call("status").stdout
    assert f"operator: pid {supervised.operator.pid}" in text
    before = supervised.children("runtime")[0]["generation"]
    restarted = supervised.call("restart", "runtime")
    assert restarted.returncode == 0, restarted.stderr
    assert [child["generation"] for child in supervised.children("runtime")] == [before + 1]
    assert supervised.call("refusals").returncode == 0
    events = supervised.call("events", "--json").stdout.splitlines()
    names = {valid("event", line)["name"] for line in events}
    assert {"operation.applied", "target.requested", "child.ended"} <= names


def test_suspended_it_acts_on_nothing_until_resumed(supervised: Node) -> None:
    assert supervised.call("suspend", "--reason", "a test", "--for", "1h").returncode == 0
    supervised.declare(pricing="{video: 1300 wei}")
    refused = supervised.call()
    assert refused.returncode == 4
    assert "a test" in refused.stderr
    supervised.await_status(lambda status: truth(status, "Suspended") == "True", "it is suspended")
    assert supervised.call("plan", "--detailed-exitcode").returncode == 4
    assert supervised.call("resume").returncode == 0
    supervised.await_empty_plan()
    supervised.declare()
    supervised.await_empty_plan()


def test_a_bad_edit_keeps_the_last_good_state_and_names_the_place(supervised: Node) -> None:
    good = supervised.status()["last_applied_revision"]
    supervised.declare(pricing="{video: 13 wie}")
    status = supervised.await_status(
        lambda status: truth(status, "DeclarationRejected") == "True", "the edit is refused"
    )
    rejected = next(each for each in status["conditions"] if each["type"] == "DeclarationRejected")
    assert "orchestrator.yaml:" in rejected["message"]
    assert status["last_applied_revision"] == good
    assert supervised.call("plan").returncode == 78
    assert supervised.call("events").returncode == 0
    supervised.declare()
    supervised.await_status(lambda status: truth(status, "DeclarationRejected") is None, "it is taken")


def test_a_saved_file_is_in_force_within_two_seconds(supervised: Node) -> None:
    began = time.monotonic()
    supervised.declare(pricing="{video: 1500 wei}")
    while supervised.runtime_status()["spec"]["pricing"]["video"] != "1500":
        assert time.monotonic() - began < 30, supervised.log()
        time.sleep(0.05)
    supervised.declare()
    supervised.await_empty_plan()


def test_a_file_saved_a_moment_ago_is_what_the_operator_converges_to(supervised: Node) -> None:
    for price in ("1501", "1502", "1200"):
        supervised.declare(pricing=f"{{video: {price} wei}}")
        answer = supervised.call()
        assert answer.returncode == 0, answer.stderr
        assert supervised.runtime_status()["spec"]["pricing"]["video"] == price


def test_a_running_operator_does_nothing_for_files_that_are_not_its_own(supervised: Node) -> None:
    overlay = supervised.folder / "overlay.yaml"
    overlay.write_text("service: {admission: drain}\n")
    answer = supervised.call("-f", "orchestrator.yaml", "-f", "overlay.yaml")
    assert answer.returncode == 64
    assert "was started with other files" in answer.stderr
    assert supervised.runtime_status()["spec"]["service"]["admission"] == "open"


def test_a_killed_child_is_started_again(supervised: Node) -> None:
    for role in ("runtime", "edge"):
        former = supervised.children(role)[0]["pid"]
        os.kill(former, signal.SIGKILL)
        supervised.await_status(
            lambda status, role=role, former=former: any(
                child["role"] == role and child["pid"] != former and child["state"] == "running"
                for child in status["children"]
            ),
            f"another {role} runs",
        )
        supervised.await_status(lambda status: truth(status, "Ready") == "True", "the node is ready")


def test_the_local_port_shows_both_processes_metrics(supervised: Node) -> None:
    base = f"http://127.0.0.1:{supervised.cli_port}"
    text = urllib.request.urlopen(f"{base}/metrics", timeout=10).read().decode()  # noqa: S310 - our own port
    assert "orchestrator_operator_reconcile_total" in text
    assert "livepeer_runtime_" in text
    body = urllib.request.urlopen(f"{base}/status", timeout=10).read().decode()  # noqa: S310 - our own port
    valid("status", body)


def test_the_local_port_moves_when_it_is_declared_elsewhere(supervised: Node) -> None:
    former, supervised.cli_port = supervised.cli_port, free_ports(1)[0]
    service = (
        f'{{uri: "{supervised.uri}", listen: {{public: "127.0.0.1:{supervised.port}", '
        f'cli: "127.0.0.1:{supervised.cli_port}"}}}}'
    )
    supervised.declare(service=service)
    deadline = time.monotonic() + 30
    while not _answers(supervised.cli_port) or _answers(former):
        assert time.monotonic() < deadline, supervised.log()
        time.sleep(0.05)
    supervised.declare()
    supervised.await_empty_plan()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def test_an_operator_without_its_data_directory_ends(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.declare(service="null")
    node.run()
    assert node.operator is not None
    renditions = Layout(data=node.data, weights=node.folder).renditions
    shutil.rmtree(node.data)
    assert node.operator.wait(30) == 1
    shutil.rmtree(renditions)
    assert "operator.lost" in node.log()


def test_sigterm_ends_the_operator_only_and_the_next_one_adopts(supervised: Node) -> None:
    children = {role: supervised.children(role) for role in ("edge", "runtime")}
    assert supervised.operator is not None
    supervised.operator.terminate()
    assert supervised.operator.wait(20) == 143
    assert {role: supervised.children(role) for role in children} == children
    supervised.run()
    assert {role: supervised.children(role) for role in children} == children
