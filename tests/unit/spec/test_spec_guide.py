"""The guide and the root's files say what is true: every example validates, every key is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_spec_vocabulary import keys_of

from reconciler.cli.main import main
from reconciler.core.values import Severity
from reconciler.spec.load import check, examine_models_alone, load
from reconciler.spec.support import gaps_of
from reconciler.spec.vocabulary import ORCHESTRATOR

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guide" / "declared-state.md"
PAGE = GUIDE.read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*) ?(\S*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def blocks(language):
    return [(note, text) for found, note, text in BLOCKS if found == language]


def test_every_example_of_the_guide_is_valid(tmp_path):
    examples = [(note, text) for note, text in blocks("yaml") if note != "wrong"]
    assert len(examples) >= 5
    for index, (note, text) in enumerate(examples):
        path = tmp_path / (note or f"example-{index}.yaml")
        path.write_text(text, "utf-8")
        declaration, found = check([path])
        assert [one for one in found if one.severity is Severity.ERROR] == [], text
        assert declaration is not None


def test_the_guides_models_are_valid_without_a_warning(tmp_path):
    ((_, text),) = blocks("json")
    path = tmp_path / "aiModels.json"
    path.write_text(text, "utf-8")
    assert examine_models_alone(path).diagnostics == ()


def test_the_guide_shows_what_validate_really_says(tmp_path, capsys, monkeypatch):
    (wrong,) = [text for note, text in blocks("yaml") if note == "wrong"]
    ((_, answer),) = blocks("text")
    (tmp_path / "orchestrator.yaml").write_text(wrong, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["validate"]) == 78
    assert capsys.readouterr().out == answer


@pytest.mark.parametrize("key", [path.replace(".*.", ".NAME.") for path, _ in keys_of(ORCHESTRATOR)])
def test_every_key_is_in_the_guide(key):
    key = re.sub(r"^chain\.keys\.(\w+)\.\w+$", r"chain.keys.\1", key)
    key = key.replace("workers.list.NAME", "workers.list.ITEM")
    assert f"`{key}`" in PAGE or f"`{key}." in PAGE, key


def test_the_defaults_in_the_guide_are_the_published_ones():
    for path, schema in keys_of(ORCHESTRATOR):
        row = re.search(rf"^\| `{re.escape(path)}` \|.*\| `?([^`|]+)`? \|$", PAGE, re.MULTILINE)
        if row and isinstance(schema.get("default"), str | int) and not isinstance(schema["default"], bool):
            assert row[1].strip() == str(schema["default"]), path


def test_the_roots_files_are_valid_and_supported(monkeypatch):
    monkeypatch.chdir(ROOT)
    declared = load([Path("orchestrator.yaml")])
    assert declared.warnings == ()
    assert gaps_of(declared) == ()
    assert declared.service is not None
    assert declared.service.uri == "https://127.0.0.1:8935"
    assert declared.paths.data == ROOT / ".orchestrator"
    assert (ROOT / "aiModels.json").read_text() == "[]\n"


def test_what_the_roots_file_teaches_in_comments_is_valid(tmp_path):
    text = (ROOT / "orchestrator.yaml").read_text()
    taught = re.sub(r"^( *)# ( *)(admission|tls):", r"\1\2\3:", text, flags=re.MULTILINE)
    taught = re.sub(r"^# (gateways:.*|  .*)$", r"\1", taught, flags=re.MULTILINE)
    taught = re.sub(r"^gpus: none", "gpus:", taught, flags=re.MULTILINE)
    taught = re.sub(r"^#  a:", "  a:", taught, flags=re.MULTILINE)
    (tmp_path / "orchestrator.yaml").write_text(taught)
    (tmp_path / "aiModels.json").write_text("[]")
    declared = load([tmp_path / "orchestrator.yaml"])
    assert [gateway.name for gateway in declared.gateways] == ["friend"]
    assert declared.service.admission == "drain"
    assert declared.service.tls is not None
    assert [gpu.name for gpu in declared.gpus.devices] == ["a"]
