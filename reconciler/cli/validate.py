"""`reconcile validate`: checks declared state offline and reports every finding at once.

Reads the named files and what they extend, nothing else: no network, no environment, no secret files. Exit 0
or 78; warnings do not fail. JSON follows `findings_json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.arguments import DEFAULT_FILE, add_files, add_json
from reconciler.cli.terminal import palette_for
from reconciler.core.errors import ConfigError, UsageError
from reconciler.core.values import Diagnostic, Severity
from reconciler.report.diagnostics import findings_json, render_at

if TYPE_CHECKING:
    from reconciler.spec.load import Examination

DESCRIPTION = "Check declared state offline and report every error at once, with place, rule and remedy."
EXAMPLES = """examples:
  reconcile validate                          orchestrator.yaml of this directory
  reconcile validate nodes/*.yaml             each file alone; aiModels.json files too
  reconcile validate -f base.yaml -f fra.yaml the files laid over each other
  reconcile validate --json FILE              for programs

exit codes: 0 valid (there may be warnings), 78 invalid"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alone", nargs="*", metavar="FILE", help="a file to check by itself")
    add_files(parser)
    add_json(parser, "the findings")


def run(arguments: argparse.Namespace) -> int:
    examinations = _examine(arguments)
    findings = _distinct(examinations)
    if arguments.json:
        print(json.dumps(findings_json(findings), indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            print(_rendered(finding, examinations), end="\n\n")
        print(_summary(findings, len(examinations)))
    errors = any(finding.severity is Severity.ERROR for finding in findings)
    return ConfigError.exit_code if errors else 0


def _examine(arguments: argparse.Namespace) -> list[Examination]:
    from reconciler.spec.load import examine, examine_models_alone  # noqa: PLC0415 - `--help` needs none of it

    if arguments.alone and arguments.files:
        raise UsageError(
            "files are named with and without -f",
            next_step="name files alone to check each by itself, or with -f to lay them over each other",
        )
    if not arguments.alone:
        return [examine([Path(name) for name in arguments.files or [DEFAULT_FILE]])]
    paths = [Path(name) for name in arguments.alone]
    return [examine_models_alone(path) if path.suffix == ".json" else examine([path]) for path in paths]


def _distinct(examinations: list[Examination]) -> list[Diagnostic]:
    """What several files find in one base is told once."""
    return list(dict.fromkeys(finding for examined in examinations for finding in examined.diagnostics))


def _rendered(finding: Diagnostic, examinations: list[Examination]) -> str:
    lines = next((each.excerpts for each in examinations if finding.source in each.excerpts), {})
    return render_at(finding, lines, palette_for())


def _summary(findings: list[Diagnostic], files: int) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    counted = [
        _counted(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number
    ]
    verdict = "Invalid" if errors else "Valid"
    what = "" if files == 1 else f" ({files} declarations)"
    return f"{verdict}{what}: {', '.join(counted)}." if counted else f"{verdict}{what}."


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number > 1 else ''}"
