"""The doctor's findings as people and machines read them.

Pure. One line per check, with cause and remedy under those that are not well; a closing sentence that says
what a gateway would do. The JSON validates against `schemas/doctor.schema.json`; minor versions only add.
Called by `doctor`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from livepeer.gateway.doctor.finding import Finding, Verdict
from reconciler.core.values import Json
from reconciler.report.palette import PLAIN, Palette
from reconciler.report.quantities import render_clock, render_count, render_moment

FORMAT_VERSION = "1.0"

_NAME_WIDTH = 22
_ROLES = {Verdict.PASS: "good", Verdict.WARN: "caution", Verdict.FAIL: "bad", Verdict.SKIP: "quiet"}
_INDENT = " " * 8


def render_opening(uri: str, at: float, *, palette: Palette = PLAIN) -> str:
    return f"{palette.paint('heading', uri)}  asked as a gateway asks  {render_clock(at)}\n"


def render_finding(finding: Finding, *, palette: Palette = PLAIN) -> str:
    outcome = finding.outcome
    verdict = palette.paint(_ROLES[finding.verdict], f"{finding.verdict:<4}")
    lines = [f"  {verdict}  {finding.name:<{_NAME_WIDTH}}  {outcome.detail}".rstrip()]
    if outcome.cause:
        lines.append(f"{_INDENT}why      {outcome.cause}")
    if outcome.remedy:
        lines.append(f"{_INDENT}remedy   {outcome.remedy}")
    return "\n".join(lines)


def render_conclusion(findings: Sequence[Finding], *, palette: Palette = PLAIN) -> str:
    counts = Counter(finding.verdict for finding in findings)
    told = [
        f"{counts[Verdict.PASS]} pass",
        render_count(counts[Verdict.WARN], "warning"),
        f"{counts[Verdict.FAIL]} failed",
        f"{counts[Verdict.SKIP]} skipped",
    ]
    role, sentence = ("good", "A gateway can use this node.")
    if counts[Verdict.FAIL]:
        first = next(finding.name for finding in findings if finding.verdict is Verdict.FAIL)
        role, sentence = "bad", f"A gateway cannot rely on this node: start with {first}."
    return f"\n{render_count(len(findings), 'check')}: {', '.join(told)}.\n{palette.paint(role, sentence)}"


def is_healthy(findings: Sequence[Finding]) -> bool:
    return all(finding.verdict is not Verdict.FAIL for finding in findings)


def doctor_json(findings: Sequence[Finding], *, uri: str, at: float) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "uri": uri,
        "timestamp": render_moment(at),
        "healthy": is_healthy(findings),
        "checks": [_finding_json(finding) for finding in findings],
    }


def _finding_json(finding: Finding) -> dict[str, Json]:
    return {
        "name": finding.name,
        "verdict": finding.verdict.value,
        "detail": finding.outcome.detail,
        "cause": finding.outcome.cause,
        "remedy": finding.outcome.remedy,
        "duration_s": round(finding.duration_s, 3),
    }
