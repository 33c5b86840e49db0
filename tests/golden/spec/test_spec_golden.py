"""What `reconcile validate` says about wrong files, word by word. `UPDATE_GOLDEN=1` stores it anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconciler.cli.main import main

HERE = Path(__file__).parent
CASES = ["slips.yaml", "contradictions.yaml", "overlay.yaml", "broken.yaml", "models.json"]


def golden(name, actual):
    path = HERE / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(actual, "utf-8")
    assert path.read_text("utf-8") == actual


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(HERE)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize("name", CASES)
def test_findings_are_told_as_recorded(name, capsys):
    assert main(["validate", name]) == 78
    out = capsys.readouterr().out
    assert "canary" not in out
    golden(f"{name}.txt", out)


@pytest.mark.parametrize("name", ["slips.yaml", "models.json"])
def test_findings_in_json_are_as_recorded(name, capsys):
    assert main(["validate", "--json", name]) == 78
    out = capsys.readouterr().out
    assert "canary" not in out
    assert json.loads(out)["error_count"] > 0
    golden(f"{name}.findings.json", out)
