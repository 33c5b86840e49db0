"""Who only looks is given nothing to act with; who acts is told what the files declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.errors import ConfigError, UsageError
from reconciler.layout import Layout
from reconciler.operator.assembly import build_acting, build_observing, load_declaration, open_survey
from reconciler.operator.declared import DeclaredNode
from reconciler.operator.service import RESTARTABLE
from reconciler.resources.edge.plan import PROCESS as EDGE_PROCESS
from reconciler.resources.runtime.state import PROCESS as RUNTIME_PROCESS

DECLARED = """\
apiVersion: livepeer.orchestrator/v1
name: a
service: {uri: "https://127.0.0.1:18935"}
paths: {data: DATA}
gpus: none
chain: {network: offchain}
"""


def declare(folder: Path, text: str = DECLARED, data: str = "data") -> Path:
    file = folder / "orchestrator.yaml"
    file.write_text(text.replace("DATA", data))
    return file


def test_a_process_that_only_looks_holds_no_actor(tmp_path):
    declaration = load_declaration([declare(tmp_path)])
    layout = Layout(data=tmp_path / "data", weights=tmp_path / "w")
    looking, acting = build_observing(declaration, layout), build_acting(declaration, layout)
    assert looking.actors == {}
    assert set(acting.actors) >= {"runtime", "edge", "settings", "data_directory"}
    with open_survey(declaration, layout) as surveyor:
        assert not hasattr(surveyor, "converge")
    assert not layout.data.exists()


def test_what_is_declared_but_not_supported_yet_is_refused_with_78(tmp_path):
    file = declare(tmp_path, DECLARED + "rollout: {wave: canary}\n")
    with pytest.raises(ConfigError) as refused:
        load_declaration([file])
    assert refused.value.exit_code == 78
    assert "not supported yet" in refused.value.diagnostics[0].summary


def test_a_bad_edit_leaves_what_was_loaded(tmp_path):
    file = declare(tmp_path)
    declared = DeclaredNode((file,))
    revision = declared.load().revision
    file.write_text("name: [")
    with pytest.raises(ConfigError):
        declared.load()
    assert declared.declaration.revision == revision
    assert file in declared.files


def test_paths_cannot_change_under_a_running_operator(tmp_path):
    file = declare(tmp_path)
    declared = DeclaredNode((file,))
    declared.load()
    declare(tmp_path, data="elsewhere")
    with pytest.raises(UsageError, match="paths cannot change"):
        declared.load()


def test_what_can_be_restarted_is_a_target_of_its_kind():
    assert RESTARTABLE == {"runtime": RUNTIME_PROCESS, "edge": EDGE_PROCESS}
