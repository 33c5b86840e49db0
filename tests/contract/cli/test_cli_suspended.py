"""While a node is suspended every verb that would act says so and exits 4, before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.main import main

DECLARED = """\
service: {uri: "https://127.0.0.1:18935"}
paths: {data: data}
gpus: none
video: {preset: ultrafast, sessions: 2, workers: 1}
"""


@pytest.fixture
def suspended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orchestrator.yaml").write_text(DECLARED)
    assert main(["suspend", "--reason", "moving racks", "--for", "1h"]) == 0
    return tmp_path


@pytest.mark.parametrize("verb", ["", "--force", "apply", "apply --yes", "restart runtime"])
def test_what_would_act_exits_4_with_the_reason(
    verb: str, suspended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(verb.split()) == 4
    told = capsys.readouterr()
    assert "moving racks" in told.err
    assert "`reconcile resume` frees it" in told.err
    assert not (suspended / "data" / "children").exists()


def test_a_suspension_without_a_reason_is_refused(
    suspended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suspend", "--reason", " "]) == 64
    assert "--reason is empty" in capsys.readouterr().err
