"""The command line's frame: verbs, help, usage errors, exit codes, and what is not imported for `--help`."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import reconciler
from reconciler.cli.main import VERBS, main, split_verb
from reconciler.core import errors
from reconciler.core.values import Diagnostic, Severity, Source

COMMAND = [sys.executable, "-m", "reconciler.cli.main"]
PACKAGE = Path(reconciler.__file__).parent
HEAVY = ("av", "web3", "coincurve", "httpx", "grpclib", "docker", "jsonschema", "prometheus_client", "yaml")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ("", [])),
        (["--dry-run"], ("", ["--dry-run"])),
        (["-f", "plan", "--dry-run"], ("", ["-f", "plan", "--dry-run"])),
        (["plan", "--json"], ("plan", ["--json"])),
        (["-f", "a.yaml", "plan", "-f", "b.yaml"], ("plan", ["-f", "a.yaml", "-f", "b.yaml"])),
        (["--file=a.yaml", "status"], ("status", ["--file=a.yaml"])),
        (["restart", "runtime"], ("restart", ["runtime"])),
    ],
)
def test_the_verb_is_found_among_options(words, expected):
    assert split_verb(words) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["plna"],
        ["--nope"],
        ["plan", "--nope"],
        ["suspend"],
        ["restart"],
        ["restart", "universe"],
        ["completion", "tcsh"],
        ["plan", "-f"],
        ["suspend", "--reason", "x", "--for", "soon"],
        ["suspend", "--reason", "x", "--until", "2026-12-01T08:00:00"],
        ["suspend", "--reason", "x", "--until", "2001-12-01T08:00:00Z"],
        ["suspend", "--reason", "x", "--until", "2099-12-01T08:00:00Z", "--for", "1h"],
        ["stop", "--drain", "soon"],
        ["apply", "no-such-plan.json"],
        ["plan"],
    ],
)
def test_a_usage_error_is_64_and_says_what_next(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 64
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")


def test_a_typo_gets_the_nearest_verb(capsys):
    assert main(["statsu"]) == 64
    assert "`reconcile status`" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_verb_explains_itself(verb, capsys):
    assert main([*verb.split(), "--help"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "examples:" in told.out
    assert f"reconcile {verb}".strip() in told.out


def test_the_bare_help_lists_every_verb(capsys):
    main(["--help"])
    told = capsys.readouterr().out
    assert all(f"\n  {name} " in told for name in VERBS)


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("reconcile ")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from reconciler.cli.main import main; main(['--help'])\n"
        "print('|'.join(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stderr.strip().split("|")}
    assert loaded.isdisjoint(HEAVY)
    assert "asyncio" not in loaded


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OperatorError("x"), 1),
        (errors.ApplyError("x"), 1),
        (errors.Blocked("x"), 4),
        (errors.OutcomeUnknown("x"), 6),
        (errors.StalePlan("x"), 7),
        (errors.UsageError("x"), 64),
        (errors.Unreachable("x"), 69),
        (errors.LockHeld("x"), 75),
        (errors.Refused("x"), 77),
        (errors.ConfigError(()), 78),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("a fault"), 1),
    ],
)
def test_what_ends_a_verb_becomes_an_exit_code(error, code, monkeypatch):
    def fail(_arguments):
        raise error

    monkeypatch.setattr("reconciler.cli.history.run", fail)
    assert main(["history"]) == code


def test_every_finding_of_a_bad_declaration_is_told(monkeypatch, capsys):
    def fail(_arguments):
        raise errors.ConfigError(
            (
                Diagnostic(Severity.ERROR, "12 wie is not a price", "write `12 wei`", Source("o.yaml", 3, 7)),
                Diagnostic(Severity.ERROR, "unknown key servce", "", Source("o.yaml", 9, 1)),
            )
        )

    monkeypatch.setattr("reconciler.cli.history.run", fail)
    assert main(["history"]) == 78
    told = capsys.readouterr().err
    assert "o.yaml:3:7: error: 12 wie is not a price\n    write `12 wei`\n" in told
    assert "o.yaml:9:1: error: unknown key servce\n" in told


def test_only_the_command_line_prints_or_exits():
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "cli" or path.name == "launch.py":  # the launcher is a program of its own
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in {"print", "sys.exit", "exit", "quit"}:
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {name}")
    assert found == []


def test_a_reader_that_leaves_is_not_complained_about():
    script = f"{sys.executable} -m reconciler.cli.main completion fish | head -n 1 >/dev/null"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_verb_with_its_code(number, code, tmp_path):
    (tmp_path / "orchestrator.yaml").write_text(
        "apiVersion: livepeer.orchestrator/v1\nname: a\nchain: {network: offchain}\n"
    )
    process = subprocess.Popen(
        [*COMMAND, "events", "--follow"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )
    time.sleep(1.0)  # until it follows; sooner, the signal meets the interpreter's own start
    process.send_signal(number)
    _out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert b"Traceback" not in err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_verbs_and_options(shell, capsys):
    assert main(["completion", shell]) == 0
    told = capsys.readouterr().out
    assert "support-bundle" in told
    assert "detailed-exitcode" in told


def test_the_bash_completion_completes():
    script = (
        f"source <({sys.executable} -m reconciler.cli.main completion bash); "
        "COMP_WORDS=(reconcile plan --det); COMP_CWORD=2; _reconcile; echo ${COMPREPLY[0]}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "--detailed-exitcode"
