"""Secrets stay inside: redaction of text, the operator's log, and the support bundle."""

from __future__ import annotations

import io
import json
import logging
import tarfile
from pathlib import Path

import pytest

from reconciler.cli.main import main
from reconciler.layout import Layout
from reconciler.operator.declared import known_secrets, references_in
from reconciler.operator.logs import start_log
from reconciler.report.redaction import MASK, redact
from reconciler.spec.load import load

CANARY = "canary-0f3a77b1c2"
DECLARED = """\
apiVersion: livepeer.orchestrator/v1
name: a
service:
  uri: https://127.0.0.1:{port}
  tls: {{certificate: tls.pem, key: "${{file:tls.key}}"}}
  listen: {{public: "127.0.0.1:{port}", cli: "127.0.0.1:{cli}"}}
paths: {{data: data}}
gpus: none
chain: {{network: offchain}}
notify: {{to: ["${{env:CANARY_HOOK}}"]}}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"the key is {CANARY}!", f"the key is {MASK}!"),
        ("https://user:pass@rpc.example/v2", f"https://{MASK}@rpc.example/v2"),
        ('{"password": "hunter22"}', f'{{"password": "{MASK}"}}'),
        ("token=abcdef0123 rest", f"token={MASK} rest"),
        ("Authorization: Bearer abc.def", f"Authorization: {MASK}"),
        ("HF hf_abcdefghijklmnopqrstuvwx", f"HF {MASK}"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----", MASK),
        ('secret: "${env:KEY}"', 'secret: "${env:KEY}"'),
        ("tokens per second: 12345", "tokens per second: 12345"),
        ("a short 1", "a short 1"),
    ],
)
def test_what_is_or_looks_secret_is_masked(text, expected):
    assert redact(text, {CANARY, "1"}) == expected


def test_redaction_of_a_longer_secret_wins_over_its_part():
    assert redact("secretsecret-long", {"secret", "secretsecret-long"}) == MASK


def test_the_log_is_json_lines_with_masked_secrets(tmp_path):
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        start_log(
            Layout(data=tmp_path, weights=tmp_path),
            level="info",
            redact=lambda text: redact(text, {CANARY}),
            stream=stream,
        )
        log = logging.getLogger("reconciler.test")
        log.info("operation.applied", extra={"fields": {"target": "edge", "detail": f"with {CANARY}"}})
        log.debug("too.quiet")
        try:
            raise ValueError(CANARY)
        except ValueError:
            log.exception("run.failed")
    finally:
        for handler in root.handlers[:]:
            root.removeHandler(handler)
            handler.close()
        for handler in before:
            root.addHandler(handler)
        root.setLevel(level)
        logging.getLogger("reconciler").setLevel(logging.NOTSET)
    written = (tmp_path / "logs" / "operator.log").read_text()
    assert written == stream.getvalue()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["@message"] for line in lines] == ["operation.applied", "run.failed"]
    assert lines[0]["target"] == "edge"
    assert "ValueError" in lines[1]["exception"]
    assert CANARY not in written


def declare(folder: Path, port: int = 18_935) -> Path:
    file = folder / "orchestrator.yaml"
    file.write_text(DECLARED.format(port=port, cli=port + 1))
    return file


def test_every_reference_is_found_and_resolved_only_for_masking(tmp_path):
    (tmp_path / "tls.key").write_text(f"-----BEGIN-----\n{CANARY}-in-key\n")
    declaration = load([declare(tmp_path)])
    assert {reference.written for reference in references_in(declaration)} == {
        "${file:tls.key}",
        "${env:CANARY_HOOK}",
    }
    secrets = set(known_secrets(declaration, {"CANARY_HOOK": CANARY}))
    assert {CANARY, f"{CANARY}-in-key"} <= secrets


def test_no_secret_is_in_a_support_bundle(tmp_path, monkeypatch, capsys):
    file = declare(tmp_path)
    (tmp_path / "tls.key").write_text(f"{CANARY}-key")
    logs = tmp_path / "data" / "logs"
    logs.mkdir(parents=True, mode=0o700)
    (logs / "runtime.out").write_text(f"GET https://u:{CANARY}@x/ {CANARY}-key\nhook {CANARY} failed\n")
    (tmp_path / "data" / "tls").mkdir()
    (tmp_path / "data" / "tls" / "self-made.key").write_text(f"{CANARY}-self")
    (tmp_path / "data" / "money.db").write_text(f"{CANARY}-db")
    monkeypatch.setenv("CANARY_HOOK", CANARY)
    monkeypatch.chdir(tmp_path)
    file.write_text(file.read_text() + f"unknownKey: {CANARY}-inline\n")  # even in a broken file
    assert main(["support-bundle", "-o", "bundle.tar.gz"]) == 0
    assert Path("bundle.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open("bundle.tar.gz") as archive:
        contents = {entry.name: archive.extractfile(entry).read().decode() for entry in archive.getmembers()}
    names = {name.partition("/")[2] for name in contents}
    assert {"versions.json", "declared/1-orchestrator.yaml", "logs/runtime.out", "missing.txt"} <= names
    assert not [name for name, text in contents.items() if CANARY in text]
    assert CANARY not in "".join(capsys.readouterr())
    assert main(["support-bundle", "-o", "bundle.tar.gz"]) == 64  # nothing is written over
