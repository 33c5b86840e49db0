"""`reconcile validate`: files alone or laid over each other, exit codes, JSON, no secret, in no time."""

from __future__ import annotations

import json
import time

import pytest
from spec_samples import MODELS, SMALLEST, write, write_everything

from reconciler.cli.main import main
from reconciler.spec.documents import Library
from reconciler.spec.excerpts import masked_text
from reconciler.spec.yaml_reader import read_yaml


@pytest.fixture(autouse=True)
def _no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")


def validate(capsys, *words):
    code = main(["validate", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_valid_files_exit_0(tmp_path, capsys):
    assert validate(capsys, write_everything(tmp_path)) == (0, "Valid.\n", "")


def test_the_file_of_the_directory_is_the_default(tmp_path, capsys, monkeypatch):
    write(tmp_path, orchestrator_yaml=SMALLEST)
    monkeypatch.chdir(tmp_path)
    assert validate(capsys)[0] == 0


def test_errors_exit_78_and_show_place_rule_remedy_and_line(tmp_path, capsys, monkeypatch):
    write(tmp_path, node_yaml=SMALLEST + "video:\n  presset: fast\n")
    monkeypatch.chdir(tmp_path)
    code, out, _ = validate(capsys, "node.yaml")
    assert code == 78
    assert out == (
        "node.yaml:4:3: error: unknown key 'presset' under video\n"
        "    rule: the keys under video are preset, sessions, workers, memory, fallback\n"
        "    write instead: preset\n"
        "      presset: fast\n".replace("fast", "(sensitive)")
        + "      ^\n"
        "\n"
        "Invalid: 1 error.\n"
    )


def test_warnings_do_not_fail(tmp_path, capsys):
    code, out, _ = validate(capsys, write(tmp_path, node_yaml=SMALLEST + "video:\n"))
    assert code == 0
    assert out.endswith("Valid: 1 warning.\n")


def test_files_are_checked_alone_and_merged_with_f(tmp_path, capsys):
    base = write(tmp_path, base_yaml="service: {admission: drain}\n", over_yaml=SMALLEST)
    over = tmp_path / "over.yaml"
    assert validate(capsys, base, over)[0] == 78
    assert validate(capsys, "-f", base, "-f", over)[0] == 0


def test_named_both_ways_is_a_usage_error(tmp_path, capsys):
    path = write(tmp_path, node_yaml=SMALLEST)
    code, _, err = validate(capsys, path, "-f", path)
    assert code == 64
    assert "with and without -f" in err


def test_models_are_checked_alone(tmp_path, capsys):
    path = write(tmp_path, aiModels_json=MODELS)
    assert validate(capsys, path)[0] == 0
    path.write_text('[{"pipeline": "llm"}]')
    code, out, _ = validate(capsys, path)
    assert code == 78
    assert "'model_id' is missing" in out


def test_a_base_of_several_files_is_complained_about_once(tmp_path, capsys):
    write(
        tmp_path,
        base_yaml="nmae: x\n",
        a_yaml="extends: base.yaml\n" + SMALLEST,
        b_yaml="extends: base.yaml\n" + SMALLEST,
    )
    out = validate(capsys, tmp_path / "a.yaml", tmp_path / "b.yaml")[1]
    assert out.count("unknown key 'nmae'") == 1
    assert "Invalid (2 declarations): 1 error." in out


def test_json_counts_and_places_findings(tmp_path, capsys):
    code, out, _ = validate(capsys, "--json", write(tmp_path, node_yaml="nmae: x\nvideo:\n" + SMALLEST))
    answer = json.loads(out)
    assert code == 78
    assert (answer["valid"], answer["error_count"], answer["warning_count"]) == (False, 1, 1)
    assert set(answer["diagnostics"][0]) == {"severity", "summary", "detail", "range"}
    assert answer["diagnostics"][0]["range"] == {"file": str(tmp_path / "node.yaml"), "line": 1, "column": 1}


CANARY = "cAnArY-9b1f"
PLACES = [
    "service: {uri: 'https://a:1', tls: {certificate: 5, key: CANARY}}",
    "service: {uri: 5, tls: {certificate: c, kye: CANARY}}",
    "notify: {to: [CANARY], heartbeat: 'https://x.example/CANARY'}",
    "notify: {to: CANARY}",
    "chain: {network: x, rpc: CANARY, keys: {node: {password: CANARY}}}",
    "chain: {network: x, rpc: ['https://rpc.example/CANARY', CANARY]}",
    "workers: {secrets: [CANARY, 'CANARY'], unlisted: x}",
    "joins: {orchestrator: x, secret: CANARY}",
    "runner: {images: x, env: {HF_TOKEN: CANARY, A: [CANARY]}}",
    "pasword: CANARY",
    "log: x\npassword: |\n  CANARY\n  CANARY\nnmae: y",
    "source: {git: {url: 'https://me:CANARY@git.example.com/x', brnch: x}}",
    "notify: {to: [CANARY",
    "notify: {to: !!str CANARY}",
    "notify: {to: [&CANARY x, *CANARYY]}",
]


@pytest.mark.parametrize("text", PLACES)
def test_no_secret_gets_into_any_output(tmp_path, capsys, text):
    path = write(tmp_path, node_yaml=text.replace("CANARY", CANARY) + "\n")
    for words in (("--json", path), (path,), ("-f", path)):
        code, out, err = validate(capsys, *words)
        if "*" not in text:  # an anchor's name is a key, not a value
            assert CANARY not in out + err
        assert code in {0, 78}


def test_five_thousand_lines_take_less_than_a_second(tmp_path, capsys):
    gateways = "".join(
        f"  g{n}:\n    address: 0x{n:040x}\n    video: {n + 1} wei\n    reserve: {{video: 0}}\n"
        for n in range(1250)
    )
    path = write(tmp_path, node_yaml=f"{SMALLEST}gateways:\n{gateways}")
    validate(capsys, path)
    started = time.process_time()
    code, _, _ = validate(capsys, path)
    assert code == 0
    assert time.process_time() - started < 1


def test_a_file_of_errors_only_is_answered_as_well(tmp_path, capsys):
    path = write(tmp_path, node_yaml="".join(f"wrong{n}: {{x: [1, 2]}}\n" for n in range(2000)))
    code, out, _ = validate(capsys, path)
    assert code == 78
    assert "Invalid: 2000 errors" in out


def test_a_declaration_leaves_the_machine_without_its_secrets(tmp_path):
    path = write(
        tmp_path,
        node_yaml=f"""\
service: {{uri: 'https://a:1', tls: {{certificate: c, key: {CANARY}}}}}  # {CANARY}
# {CANARY}
pasword: {CANARY}
unknown: {{{CANARY}: {CANARY}, x: [{CANARY} {CANARY}, "{CANARY}: a, {CANARY}"]}}
log: info
log: {CANARY}
notify:
  to:
    - {CANARY}
    - |
      {CANARY} {CANARY}
      more {CANARY}
  heartbeat: >-
    {CANARY}
video: {{preset: fast, preset: {CANARY}, sessions: 4}}
""",
    )
    library = Library()
    library.read(path, read_yaml)
    text = masked_text(str(path), library)
    assert CANARY not in text
    assert "service: {uri: 'https://a:1', tls: {certificate: c, key: (sensitive)}}" in text
    assert "video: {preset: fast, (sensitive): (sensitive), sessions: 4}" in text


@pytest.mark.parametrize(
    ("line", "caret_under"),
    [
        ("notify: {to: ['${env:H}'], heartbeet: x}", "heartbeet"),
        ("joins: {secret: hunter2hunter2, orchestrator: pool}", "pool"),
        ("\tx", ""),
    ],
)
def test_the_caret_stands_under_the_finding_although_values_are_masked(tmp_path, capsys, line, caret_under):
    out = validate(capsys, write(tmp_path, node_yaml=line + "\n"))[1].splitlines()
    carets = [index for index, text in enumerate(out) if text.strip() == "^"]
    assert bool(carets) is bool(caret_under)
    if caret_under:
        assert any(out[index - 1][out[index].index("^") :].startswith(caret_under) for index in carets)
