"""A whole node of real parts, driven by the engine: from nothing to an empty plan, and back after harm."""

import asyncio
import json
import os
import signal
import socket
import time
from random import Random

import pytest
import pytest_asyncio

from reconciler.core.clock import SystemClock
from reconciler.core.engine import Engine
from reconciler.core.journal_memory import MemoryJournal
from reconciler.layout import Layout
from reconciler.operator.stopping import Stopping
from reconciler.registry import build_node
from reconciler.serving.control import HttpRuntimeControl
from reconciler.serving.instances import look_at_instances
from reconciler.spec.load import load

TEXT = """\
apiVersion: livepeer.orchestrator/v1
name: real
service:
  uri: "https://127.0.0.1:{port}"
  listen: {{public: "127.0.0.1:{port}"}}
paths: {{data: data}}
gpus: none
video: {{preset: ultrafast, sessions: {sessions}, workers: 1}}
pricing: {{video: {price} wei}}
gateways: {{daydream: {{address: "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", video: -10%}}}}
"""


class RealNode:
    """An engine on a folder. `declare` is what an editor and the loop do together."""

    def __init__(self, folder):
        self.file = folder / "orchestrator.yaml"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.journal = MemoryJournal()
        self.layout = Layout(data=folder / "data", weights=folder)
        self.engine = None
        self.declare()

    def declare(self, *, sessions=2, price=1200):
        self.file.write_text(TEXT.format(port=self.port, sessions=sessions, price=price))
        declaration = load([self.file])
        node = build_node(declaration, self.layout, acting=True)
        self.engine = Engine(node, self.journal, clock=SystemClock(), random=Random(7))

    async def converge(self):
        """What was done, by target; nothing may fail, and nothing may be left."""
        report = await self.engine.converge()
        failed = [(each.operation.id, each.detail) for each in report.outcomes if each.result.value != "done"]
        assert failed == []
        assert [step.operation.id for step in report.remaining.steps] == []
        return [each.operation.id for each in report.outcomes]

    def accepted(self):
        return HttpRuntimeControl(self.layout.runtime_control(self.serving()))

    def serving(self):
        return look_at_instances(self.layout).serving

    def runtime(self):
        return next(child for child in look_at_instances(self.layout).alive)


@pytest_asyncio.fixture
async def node(tmp_path):
    made = RealNode(tmp_path)
    yield made
    await Stopping(layout=made.layout, clock=SystemClock(), tell=lambda _text: None, drain_s=0).run()


async def _until_dead(layout, generation):
    deadline = time.monotonic() + 10
    while any(child.generation == generation for child in look_at_instances(layout).alive):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.e2e
async def test_a_node_comes_up_changes_and_heals(node):
    done = await node.converge()
    assert {"runtime.process:start", "runtime.route", "edge.process"} <= set(done)
    assert not any(name.startswith("runtime.sessions") for name in done), "the first document has it all"

    # settings change in the running process
    pid = node.runtime().pid
    node.declare(sessions=3, price=1400)
    assert await node.converge() == ["runtime.gateways.daydream", "runtime.pricing.video", "runtime.sessions"]
    document = await node.accepted().spec()
    assert document["video"]["sessions"] == 3
    assert document["gateways"]["daydream"]["video"] == "1260"
    assert node.runtime().pid == pid

    # somebody changes one behind our back
    await node.accepted().put({**document, "generation": document["generation"] + 1, "log": "debug"})
    plan = await node.engine.plan()
    assert [(step.operation.target, step.operation.origin.value) for step in plan.steps] == [
        ("runtime.log", "drift")
    ]
    assert await node.converge() == ["runtime.log"]

    # a restart is asked for: new beside old, once
    node.journal.request("runtime.process", "T1")
    assert await node.converge() == ["runtime.process:start", "runtime.route", "runtime.process:retire-1"]
    assert node.serving() == 2
    assert (await node.accepted().spec())["video"]["sessions"] == 3
    assert await node.converge() == []

    # the runtime is killed
    os.kill(node.runtime().pid, signal.SIGKILL)
    await _until_dead(node.layout, 2)
    plan = await node.engine.plan()
    assert str(plan.steps[0].operation.cause) == "generation 2 was killed by SIGKILL"
    assert await node.converge() == ["runtime.process:start", "runtime.route"]

    # and again: nothing piles up
    for _ in range(2):
        killed = node.runtime()
        os.kill(killed.pid, signal.SIGKILL)
        await _until_dead(node.layout, killed.generation)
        await node.converge()
    assert len(list(node.layout.specs.iterdir())) <= 2
    assert len(list(node.layout.run.glob("runtime-*"))) <= 4

    # the endpoints file is damaged
    node.layout.edge_routes.write_text("{")
    assert await node.converge() == ["runtime.route"]
    sockets = json.dumps(json.loads(node.layout.edge_routes.read_text()))
    assert str(node.layout.runtime_socket(5)) in sockets


@pytest.mark.e2e
async def test_a_frozen_runtime_is_replaced(node):
    await node.converge()
    frozen = node.runtime()
    os.kill(frozen.pid, signal.SIGSTOP)
    report = await node.engine.converge()
    start = next(step.operation for step in report.plan.steps if step.operation.verb == "start")
    assert "not healthy: no answer to GET /healthz" in str(start.cause)
    assert {each.result.value for each in report.outcomes} == {"done"}
    assert report.remaining.is_empty
    assert node.serving() == 2


@pytest.mark.e2e
async def test_a_runtime_that_cannot_start_says_its_last_words_and_leaves_nothing(node):
    node.layout.data.mkdir(mode=0o700)
    node.layout.money_database.mkdir()  # a directory where the runtime wants its database
    report = await node.engine.converge()
    outcome = next(each for each in report.outcomes if each.operation.id == "runtime.process:start")
    assert outcome.result.value == "failed"
    assert "ended before it served" in outcome.detail
    assert str(node.layout.money_database) in outcome.detail
    assert look_at_instances(node.layout).alive == ()
    (identity,) = node.layout.children.glob("runtime-*.json")
    assert json.loads(identity.read_text())["ending"] == "exited 73", "whoever plans next knows how it ended"
