"""The registry: which kinds a declaration comes to, and what a process without actors has."""

import os
import subprocess
import sys

import pytest

from reconciler.core.clock import SystemClock
from reconciler.facts import Facts, is_ours, read_facts
from reconciler.layout import Layout
from reconciler.registry import build_node
from reconciler.resources.runtime import program
from reconciler.serving.capacity import GpusUnknown, Machine
from reconciler.serving.machine import read_machine
from reconciler.spec.load import load
from tests.unit.resources.resources_builders import GIB, PROGRAM

SERVING = """
apiVersion: livepeer.orchestrator/v1
name: laptop
service: {uri: "https://127.0.0.1:8935"}
"""


class NoLook:
    def look(self):
        return GpusUnknown("not in this test")


def _node(tmp_path, text, *, acting=False):
    path = tmp_path / "orchestrator.yaml"
    path.write_text(text)
    facts = Facts(
        machine=Machine(cpu="test", cores=2, memory_bytes=8 * GIB),
        program=PROGRAM,
        libraries="av 18",
        clock=SystemClock(),
        environment={},
        gpus=NoLook(),
    )
    layout = Layout(data=tmp_path / "data", weights=tmp_path)
    return build_node(load([path]), layout, acting=acting, facts=facts)


def _names(node):
    return [kind.name for kind in sorted(node.kinds, key=lambda kind: kind.phase)]


def test_a_serving_node_has_every_kind_and_nothing_before_what_it_stands_on(tmp_path):
    names = _names(_node(tmp_path, SERVING + "gpus: auto\n"))
    wanted = ["data_directory", "edge.certificate", "gpus", "presets", "settings", "runtime", "edge"]
    assert [name for name in names if name in wanted] == wanted


def test_without_gpus_nobody_looks_at_them(tmp_path):
    assert "gpus" not in _names(_node(tmp_path, SERVING + "gpus: none\n"))


def test_a_process_that_may_not_act_has_no_actor_at_all(tmp_path):
    assert _node(tmp_path, SERVING).actors == {}


def test_whoever_acts_has_an_actor_for_all_that_can_be_acted_on(tmp_path):
    node = _node(tmp_path, SERVING + "gpus: auto\n", acting=True)
    assert set(node.observers) - set(node.actors) == {"gpus"}


def test_every_kind_is_observed(tmp_path):
    node = _node(tmp_path, SERVING)
    assert {kind.name for kind in node.kinds} == set(node.observers)


def test_everything_stands_on_directories_that_can_be_trusted(tmp_path):
    needs = {kind.name: kind.needs for kind in _node(tmp_path, SERVING).kinds}
    assert all("data_directory" in needs[name] for name in ("runtime", "edge", "edge.certificate", "presets"))


@pytest.mark.parametrize(("mode", "reported"), [("heal", False), ("report", True)])
def test_drift_is_healed_or_reported_as_declared(tmp_path, mode, reported):
    node = _node(tmp_path, SERVING + f"automation: {{drift: {{runtime: {mode}}}}}\n")
    assert ("runtime" in node.policy.report_drift) is reported


# ---- facts


def test_this_machine_and_installation_can_be_read(tmp_path):
    facts = read_facts(Layout(data=tmp_path, weights=tmp_path))
    assert facts.machine.cores >= 1
    assert facts.machine.memory_bytes > GIB // 4
    assert facts.machine.cpu
    assert facts.program.version
    assert "av " in facts.libraries


def test_the_same_code_is_the_same_program_and_other_code_is_not(monkeypatch, tmp_path):
    assert program.read_program() == program.read_program()
    before = program.read_program().digest
    (tmp_path / "extra_package").mkdir()
    (tmp_path / "extra_package" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(program, "PACKAGES", (*program.PACKAGES, "extra_package"))
    empty = program.read_program().digest
    (tmp_path / "extra_package" / "__init__.py").write_text("changed = True")
    assert len({before, empty, program.read_program().digest}) == 3


def test_a_container_limit_bounds_the_machine(monkeypatch, tmp_path):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    monkeypatch.setattr("reconciler.serving.machine._CGROUP", tmp_path)
    machine = read_machine()
    assert (machine.cores, machine.memory_bytes) == (1, GIB)


def test_a_strangers_process_is_not_ours(tmp_path):
    assert not is_ours(Layout(data=tmp_path, weights=tmp_path), os.getpid())


def test_the_registry_needs_no_heavy_library():
    heavy = {"av", "web3", "httpx", "cryptography", "uvicorn", "pynvml", "docker"}
    code = f"import sys, reconciler.registry; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
