"""What the operator's doors take and answer, over real sockets."""

from __future__ import annotations

import asyncio
import json
import stat
import urllib.error
import urllib.request
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator
from operator_rig import Rig, running

from reconciler.layout import Layout
from reconciler.operator.client import OperatorRefused, operator_client
from reconciler.operator.doors import AgreedPlan
from reconciler.operator.stopping import Stopping

VALUES = {"a": 1, "b": 2}


@pytest.fixture
async def rig(tmp_path):
    async with running(tmp_path, dict(VALUES)) as rig:
        await rig.until(lambda: rig.world.there.get("thing") == VALUES, "the node is converged")
        yield rig


def schema_of(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(files("schemas").joinpath(f"{name}.schema.json").read_text()))


def lines_of(rig: Rig, path: str, body: dict) -> list[dict]:
    return list(rig.client.post_lines(path, body))


def fetch(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own port
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_where_nobody_serves_there_is_no_client(tmp_path):
    layout = Layout(data=tmp_path, weights=tmp_path)
    assert operator_client(layout) is None
    layout.run.mkdir()
    layout.operator_socket.touch()
    assert operator_client(layout) is None


async def test_the_socket_is_for_its_owner_only(rig):
    mode = rig.operator.layout.operator_socket.stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_status_and_plan_are_valid_documents(rig):
    status = await rig.ask(rig.client.get, "/status")
    schema_of("status").validate(status)
    assert status["operator"]["pid"] == rig.operator.process.pid
    plan = await rig.ask(rig.client.get, "/plan")
    schema_of("plan").validate(plan)
    assert plan["summary"]["add"] == 0


async def test_status_and_plan_come_as_text_too(rig):
    text = await rig.ask(rig.client.get_text, "/status", format="text", colour="0")
    assert text.startswith("sim-1  revision ")
    assert "\x1b[" in await rig.ask(rig.client.get_text, "/status", format="text", colour="1")
    plan = await rig.ask(rig.client.get_text, "/plan", format="text")
    assert plan.endswith("Nothing was changed.\n")


async def test_events_come_from_where_one_left_off(rig):
    whole = await rig.ask(rig.client.get_text, "/events")
    events = [json.loads(line) for line in whole.splitlines()]
    for event in events:
        schema_of("event").validate(event)
    assert "operation.applied" in {event["name"] for event in events}
    after = str(events[-1]["sequence"])
    assert await rig.ask(rig.client.get_text, "/events", after=after) == ""


async def test_followed_events_arrive_while_they_happen(rig):
    reader, writer = await asyncio.open_unix_connection(rig.operator.layout.operator_socket)
    writer.write(b"GET /events?follow=1&format=text HTTP/1.1\r\nHost: o\r\n\r\n")
    rig.operator.suspend(reason="a test", by="me", until=None)
    seen = b""
    async with asyncio.timeout(20):
        while b"automation.suspended" not in seen:
            seen += await reader.read(4096)
    writer.close()
    await writer.wait_closed()


async def test_a_wish_to_converge_is_told_to_its_end(rig):
    rig.world.there["thing"].clear()
    lines = await rig.ask(lines_of, rig, "/reconcile", {"force": False})
    kinds = [line["type"] for line in lines]
    assert kinds[0] == "version"
    assert kinds[-1] == "result"
    assert lines[-1]["exit_code"] == 0
    assert {"planned_change", "plan_text", "apply_start", "apply_complete"} <= set(kinds)
    assert rig.world.there["thing"] == VALUES


async def test_a_failure_is_told_with_its_exit_code(rig):
    rig.world.there["thing"].clear()
    rig.world.faults["thing.a"] = ["never", "never"]
    lines = await rig.ask(lines_of, rig, "/reconcile", {})
    assert lines[-1]["exit_code"] != 0
    assert any(line["type"] == "apply_errored" for line in lines)


async def test_while_suspended_a_wish_is_answered_with_4_and_the_reason(rig):
    await rig.ask(rig.client.post, "/suspend", {"reason": "moving racks", "by": "me", "until": None})
    rig.world.there["thing"].clear()
    lines = await rig.ask(lines_of, rig, "/reconcile", {})
    assert lines[-1]["exit_code"] == 4
    assert "moving racks" in lines[-1]["@message"]
    assert rig.world.there["thing"] == {}
    await rig.ask(rig.client.post, "/resume", {"by": "me"})
    await rig.until(lambda: rig.world.there["thing"] == VALUES, "the resumed operator acted")


async def test_an_agreed_plan_that_moved_is_stale(rig):
    rig.world.there["thing"].clear()
    agreed = AgreedPlan("0000000-00000000", {"thing.a": "another"})
    body = {"expected": {"plan_id": agreed.plan_id, "fingerprints": dict(agreed.fingerprints)}}
    lines = await rig.ask(lines_of, rig, "/reconcile", body)
    assert lines[-1]["exit_code"] == 7
    assert "thing.a" in lines[-1]["@message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/suspend", {}),
        ("/suspend", {"reason": " ", "by": "me"}),
        ("/suspend", {"reason": "x" * 3000, "by": "me"}),
        ("/suspend", {"reason": "x", "by": "me", "until": "tomorrow"}),
        ("/resume", {}),
        ("/restart", {"what": "universe", "by": "me"}),
        ("/reconcile", {"expected": 7}),
        ("/stop", {"drain_s": -1}),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(rig, path, body):
    with pytest.raises(OperatorRefused) as refused:
        await rig.ask(rig.client.post, path, body)
    assert refused.value.exit_code in {4, 64}


async def test_whoever_names_other_files_than_the_operators_is_told_so(rig):
    rig.world.there["thing"].clear()
    ours = str(rig.operator.engine.node.revision)
    lines = await rig.ask(
        lines_of, rig, "/reconcile", {"revision": "f" * 64, "restart": "runtime", "by": "me"}
    )
    assert lines[-1]["exit_code"] == 64
    assert "other files" in lines[-1]["@message"]
    assert ours[:7] in lines[-1]["@message"]
    assert not rig.operator.engine.journal.memory().requests
    assert (await rig.ask(lines_of, rig, "/reconcile", {"revision": ours}))[-1]["exit_code"] == 0


async def test_what_cannot_be_restarted_is_said(rig):
    lines = await rig.ask(lines_of, rig, "/reconcile", {"restart": "universe", "by": "me"})
    assert lines[-1]["exit_code"] == 4
    assert "one of: runtime" in lines[-1]["next_step"]


async def test_the_local_port_only_shows(rig):
    status, body = await rig.ask(fetch, rig.port, "/status")
    assert (status, json.loads(body)["node"]) == (200, "sim-1")
    assert (await rig.ask(fetch, rig.port, "/healthz"))[0] == 200
    for path in ("/reconcile", "/stop", "/suspend", "/resume", "/restart", "/plan", "/events"):
        assert (await rig.ask(fetch, rig.port, path, "POST"))[0] == 404
    assert (await rig.ask(fetch, rig.port, "/status", "DELETE"))[0] == 405


async def test_metrics_show_what_the_loop_did(rig):
    await rig.until(lambda: rig.operator.loop.latest is not None, "the first run ended")
    status, text = await rig.ask(fetch, rig.port, "/metrics")
    assert status == 200
    assert 'orchestrator_operator_actuation_total{kind="thing",result="done"} 2.0' in text
    assert 'orchestrator_operator_condition{status="True",type="Ready"} 1.0' in text


async def test_stop_ends_the_loop_and_says_so(rig):
    lines = await rig.ask(lines_of, rig, "/stop", {"drain_s": 0})
    assert lines[-1]["exit_code"] == 0
    assert rig.operator.ended.is_set()


async def test_a_stop_that_breaks_says_so_too(rig, monkeypatch):
    async def broken(_stopping):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Stopping, "run", broken)
    lines = await rig.ask(lines_of, rig, "/stop", {"drain_s": 0})
    assert lines[-1]["exit_code"] == 1
    assert "No space left" in lines[-1]["@message"]
