"""Findings as text and as JSON: what, where, why, what to do next.

Pure. Called for a plan's warnings, for every error of the declared state, and by whatever tells an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.core.errors import Excerpt
from reconciler.core.values import Diagnostic, Json, Severity, Source
from reconciler.report.palette import PLAIN, Palette

_ROLES = {Severity.ERROR: "bad", Severity.WARNING: "caution"}


def render_diagnostic(
    finding: Diagnostic, *, palette: Palette = PLAIN, line: str = "", column: int = 1
) -> str:
    """`file:line:column: error: summary`, then the detail, indented, then the line with a caret.

    `line` is the source line where it may be shown, and `column` (from 1) the place in it.
    """
    place = ""
    if finding.source:
        place = f"{finding.source.file}:{finding.source.line}:{finding.source.column}: "
    label = palette.paint(_ROLES[finding.severity], finding.severity.value)
    lines = [f"{place}{label}: {finding.summary}"]
    lines += [f"    {text}" for text in finding.detail.splitlines()]
    if line.strip():
        lead = line[: column - 1]
        indent = len(line) - len(line.lstrip())
        under = "".join(character if character == "\t" else " " for character in lead[indent:])
        lines += [f"      {line.strip()}", f"      {under}{palette.paint(_ROLES[finding.severity], '^')}"]
    return "\n".join(lines)


def render_at(finding: Diagnostic, excerpts: Mapping[Source, Excerpt], palette: Palette = PLAIN) -> str:
    """The same, with the finding's line where there is one to show."""
    excerpt = excerpts.get(finding.source) if finding.source else None
    if excerpt is None:
        return render_diagnostic(finding, palette=palette)
    return render_diagnostic(finding, palette=palette, line=excerpt.text, column=excerpt.column)


def render_remark(finding: Diagnostic) -> list[str]:
    """A finding as lines of a plan's `Warnings` section."""
    place = f"{finding.source} " if finding.source else ""
    return [f"  {place}{finding.summary}", *(f"     {line}" for line in finding.detail.splitlines())]


def source_json(source: Source | None) -> Json:
    return None if source is None else {"file": source.file, "line": source.line, "column": source.column}


def diagnostic_json(finding: Diagnostic) -> dict[str, Json]:
    return {
        "severity": finding.severity.value,
        "summary": finding.summary,
        "detail": finding.detail,
        "range": source_json(finding.source),
    }


def findings_json(findings: Sequence[Diagnostic]) -> dict[str, Json]:
    """The answer of `validate --json`."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    return {
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(findings) - errors,
        "diagnostics": [diagnostic_json(finding) for finding in findings],
    }
