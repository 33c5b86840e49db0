"""A plan as a pull request comment: the summary first, one table, the details folded.

Pure. Text from outside is escaped, so that a name in a declared state cannot break out of its cell.
"""

from __future__ import annotations

from reconciler.core.values import Plan, Standing, Step
from reconciler.report.plan_text import (
    render_after,
    render_change,
    render_plan,
    render_reversible,
    with_open_dependencies,
)
from reconciler.report.summary import render_consequences, render_counts, summarize

_MARKER = "<!-- reconcile-plan -->"
"""The first line: a commenter finds its own comment by it and edits it in place."""


def render_plan_markdown(plan: Plan) -> str:
    plan = with_open_dependencies(plan)
    summary = summarize(plan)
    lines = [
        _MARKER,
        f"### {_escape(plan.node)}: {render_counts(summary)}",
        "",
        render_consequences(summary),
        "",
    ]
    if plan.steps:
        lines += [
            "| | Target | Change | Why | Impact | Jobs interrupted | Reversible |",
            "|---|---|---|---|---|--:|---|",
        ]
        lines += [_render_row(step) for step in plan.steps]
        lines.append("")
    for each in plan.unobserved:
        lines.append(f"- could not observe **{_escape(each.kind)}**: {_escape(each.reason)}")
    for finding in plan.diagnostics:
        place = f"`{finding.source}` " if finding.source else ""
        lines.append(f"- {finding.severity.value}: {place}{_escape(finding.summary)}")
    if plan.unobserved or plan.diagnostics:
        lines.append("")
    lines += ["<details><summary>Plan in full</summary>", "", "```text"]
    lines += render_plan(plan).replace("```", "'''").splitlines()
    lines += ["```", "", "</details>"]
    return "\n".join(lines) + "\n"


def _render_row(step: Step) -> str:
    operation = step.operation
    change = _escape(render_change(operation))
    if step.standing is not Standing.READY:
        change += f" (**{step.standing.value}**: {_escape(step.reason)})"
    why = _escape(str(operation.cause))
    after = render_after(operation)
    if after:
        why += f"; after {_escape(after)}"
    impact = operation.impact.value + (f": {operation.impact_note}" if operation.impact_note else "")
    cells = [
        f"`{operation.action.symbol}`",
        f"`{operation.target}`",
        change,
        why,
        _escape(impact),
        str(operation.interrupts),
        _escape(render_reversible(operation)),
    ]
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    table = {"|": r"\|", "<": "&lt;", ">": "&gt;", "\n": " ", "@": "@\u200b"}
    return "".join(table.get(character, character) for character in text)
