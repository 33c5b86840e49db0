"""What is wrong, or odd, with the declared state is told by every verb as `validate` tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import main

BROKEN = """\
service: {uri: "https://127.0.0.1:8935"}
gpus: nonee
pricing: {video: 1200}
"""
UNSUPPORTED = """\
service: {uri: "https://127.0.0.1:8935"}
gpus: none
notify: {to: ["${env:HOOK}"]}
"""
ODD = """\
service: {uri: "https://127.0.0.1:8935"}
gpus: none
video: {preset: ultrafast, sessions: 2, workers: 1}
pricing: {video: 5000000000000000 wei}
models: aiModels.json
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def declare(folder: Path, text: str) -> None:
    (folder / "orchestrator.yaml").write_text(text)
    (folder / "aiModels.json").write_text("[]")


@pytest.mark.parametrize(
    "verb", ["", "--dry-run", "plan", "apply", "diff", "drift", "run", "restart runtime"]
)
def test_every_verb_tells_all_errors_as_validate_does(
    verb: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(folder, BROKEN)
    assert main(["validate"]) == 78
    findings, _, summary = capsys.readouterr().out.rpartition("\n\n")
    assert summary == "Invalid: 2 errors.\n"
    assert "orchestrator.yaml:2:7: error:" in findings
    assert "      gpus: nonee\n            ^" in findings

    assert main(verb.split()) == 78
    told = capsys.readouterr()
    assert told.err.startswith(findings)
    assert told.err.endswith(
        "error: 2 errors in the declared state\n"
        "  next: nothing was changed; mend the places named above and run it again\n"
    )
    assert told.out == ""


def test_what_is_not_supported_yet_is_shown_where_it_stands(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(folder, UNSUPPORTED)
    assert main(["--dry-run"]) == 78
    told = capsys.readouterr().err
    assert "orchestrator.yaml:3:1: error: notify: declared but not supported yet\n" in told
    assert "      notify: {to: [(sensitive)]}\n      ^\n" in told


def test_a_warning_about_the_declaration_is_in_the_plan(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(folder, ODD)
    assert main(["--dry-run"]) == 0
    plan = capsys.readouterr().out
    _, _, warnings = plan.partition("\nWarnings\n")
    assert "  orchestrator.yaml:4 pricing.video: 5·10^15 wei per pixel = 18,662,400 ETH" in warnings
    assert "write instead: 1200 wei" in warnings

    assert main(["plan", "--json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert finding["severity"] == "warning"
    assert finding["range"] == {"file": "orchestrator.yaml", "line": 4, "column": 18}
    assert not (folder / ".orchestrator").exists()


def test_a_file_that_cannot_be_read_at_all_is_no_reason_to_look_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(folder, "paths: {data: elsewhere}\nbad: [")
    (folder / "elsewhere").mkdir()
    assert main(["stop"]) == 78
    assert "orchestrator.yaml:" in capsys.readouterr().err
