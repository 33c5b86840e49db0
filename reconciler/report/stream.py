"""An apply as JSON lines: one object per line, told as it happens, readable by who knows OpenTofu's stream.

Pure: values in, dictionaries out. The first line is the version; readers print `@message` for types that they
do not know. Called by `apply --json` and `reconcile --json`.
"""

from __future__ import annotations

from reconciler.core.values import Diagnostic, Json, Operation, Origin, Outcome, Plan, Result, Severity
from reconciler.report.diagnostics import diagnostic_json
from reconciler.report.plan_json import operation_json, summary_json
from reconciler.report.plan_text import render_change
from reconciler.report.quantities import render_duration, render_moment
from reconciler.report.summary import render_counts, summarize

UI_VERSION = "1.0"
_MODULE = "reconcile"

_RESULT_TYPES = {
    Result.DONE: ("apply_complete", "info"),
    Result.FAILED: ("apply_errored", "error"),
    Result.UNKNOWN: ("apply_errored", "error"),
    Result.STALE: ("apply_skipped", "warn"),
    Result.SKIPPED: ("apply_skipped", "warn"),
    Result.WAITING: ("apply_waiting", "info"),
}


def version_line(version: str, at: float) -> dict[str, Json]:
    return _line("version", f"reconcile {version}", at, fields={"reconcile": version, "ui": UI_VERSION})


def planned_lines(plan: Plan) -> list[dict[str, Json]]:
    """Drift, planned changes, findings, and the counts."""
    at = plan.created_at
    lines = []
    for step in plan.steps:
        operation = step.operation
        drifted = operation.origin is Origin.DRIFT
        message = (
            f"{operation.action.symbol} {operation.target}: {render_change(operation) or operation.verb}"
        )
        change = operation_json(operation) | {"standing": step.standing.value, "reason": step.reason}
        if drifted:
            lines.append(
                _line(
                    "resource_drift", f"{operation.target}: {operation.cause}", at, fields={"change": change}
                )
            )
        lines.append(_line("planned_change", message, at, fields={"change": change}))
    lines += [diagnostic_line(finding, at) for finding in plan.diagnostics]
    lines.append(change_summary_line(plan, "plan", at))
    return lines


def change_summary_line(plan: Plan, operation: str, at: float) -> dict[str, Json]:
    """`operation` is `plan` or `apply`."""
    summary = summarize(plan)
    return _line(
        "change_summary",
        render_counts(summary),
        at,
        fields={"changes": summary_json(summary) | {"operation": operation}},
    )


def start_line(operation: Operation, at: float) -> dict[str, Json]:
    return _line(
        "apply_start", f"{operation.target}: {operation.verb}", at, fields={"hook": _hook(operation)}
    )


def progress_line(operation: Operation, text: str, *, elapsed_s: float, at: float) -> dict[str, Json]:
    hook = _hook(operation) | {"elapsed_seconds": round(elapsed_s, 3), "progress": text}
    return _line("apply_progress", f"{operation.target}: {text}", at, fields={"hook": hook})


def outcome_line(outcome: Outcome) -> dict[str, Json]:
    kind, level = _RESULT_TYPES[outcome.result]
    elapsed_s = outcome.ended_at - outcome.started_at
    hook = _hook(outcome.operation) | {
        "result": outcome.result.value,
        "detail": outcome.detail,
        "elapsed_seconds": round(elapsed_s, 3),
        "retry_at": None if outcome.retry_at is None else render_moment(outcome.retry_at),
    }
    return _line(kind, _told(outcome, elapsed_s), outcome.ended_at, level=level, fields={"hook": hook})


def _told(outcome: Outcome, elapsed_s: float) -> str:
    """`edge.process: serves on 127.0.0.1:8935 (0.2 s)`, or what went wrong and after how long."""
    target, detail = outcome.operation.target, outcome.detail
    if outcome.result is Result.DONE:
        return f"{target}: {detail or 'done'} ({render_duration(elapsed_s)})"
    after = f"{outcome.result.value} after {render_duration(elapsed_s)}"
    return f"{target}: {after}: {detail}" if detail else f"{target}: {after}"


def diagnostic_line(finding: Diagnostic, at: float) -> dict[str, Json]:
    level = "error" if finding.severity is Severity.ERROR else "warn"
    fields: dict[str, Json] = {"diagnostic": diagnostic_json(finding)}
    return _line("diagnostic", finding.summary, at, level=level, fields=fields)


def plan_text_line(text: str, at: float) -> dict[str, Json]:
    """The plan as people read it, for a reader that shows it to them."""
    return _line("plan_text", text, at, fields={})


def progress_text_line(text: str, at: float) -> dict[str, Json]:
    """Something that is waited for and is no operation of a plan."""
    return _line("progress", text, at, fields={})


def result_line(message: str, exit_code: int, *, at: float, next_step: str = "") -> dict[str, Json]:
    """Always the last one."""
    level = "error" if exit_code else "info"
    fields: dict[str, Json] = {"exit_code": exit_code, "next_step": next_step}
    return _line("result", message, at, level=level, fields=fields)


def _hook(operation: Operation) -> dict[str, Json]:
    return {
        "id": operation.id,
        "address": operation.target,
        "type": operation.kind,
        "action": operation.action.value,
        "verb": operation.verb,
    }


def _line(
    kind: str, message: str, at: float, *, fields: dict[str, Json], level: str = "info"
) -> dict[str, Json]:
    return {
        "@level": level,
        "@message": message,
        "@module": _MODULE,
        "@timestamp": render_moment(at),
        "type": kind,
    } | fields
