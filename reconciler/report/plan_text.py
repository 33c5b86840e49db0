"""A plan as people read it: what moved outside, what is due, what will be done, why, and what it costs.

Pure: equal plans give equal bytes. Called for dry runs, `plan`, `diff`, `drift` and before applying. The
summary's two lines are a contract; the sections above them are for readers. Sensitive values never show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.core.values import (
    Action,
    Impact,
    Operation,
    OperationId,
    Origin,
    Plan,
    Severity,
    Standing,
    Step,
    Unobserved,
)
from reconciler.report.diagnostics import render_remark
from reconciler.report.palette import PLAIN, Palette
from reconciler.report.quantities import render_count, render_duration, render_eth, render_value
from reconciler.report.summary import Summary, is_held, render_consequences, render_counts, summarize

_INDENT = " " * 8
_LABEL_WIDTH = 8
_TARGET_WIDTH = 20
_REVISION_LENGTH = 7
_AFTER_IMPACT = "note"


def render_plan(plan: Plan, *, palette: Palette = PLAIN, dry_run: bool = False) -> str:
    """The whole plan, ending in a newline."""
    plan = with_open_dependencies(plan)
    summary = summarize(plan)
    blocks = [
        _render_header(plan, palette),
        *_render_drift(plan, palette),
        _render_section("Duty", _wanted(plan, Origin.DUTY), plan, palette),
        _render_will_do(plan, palette),
        _render_section("Will not do now", _held_wishes(plan), plan, palette),
        _render_unobserved(plan.unobserved, palette),
        _render_unchanged(plan.unchanged, palette),
        _render_findings(plan, Severity.ERROR, palette),
        _render_findings(plan, Severity.WARNING, palette),
        _render_end(summary, palette, dry_run=dry_run),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def render_drift(plan: Plan, *, palette: Palette = PLAIN) -> str:
    """Only what moved outside, and what could not be seen."""
    blocks = [
        _render_header(plan, palette),
        *_render_drift(plan, palette),
        _render_unobserved(plan.unobserved, palette),
        ["Nothing was changed."],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _render_header(plan: Plan, palette: Palette) -> list[str]:
    revision = plan.revision[:_REVISION_LENGTH]
    if plan.previous_revision is None:
        revision += " (first)"
    elif plan.previous_revision != plan.revision:
        revision += f" (was {plan.previous_revision[:_REVISION_LENGTH]})"
    lines = [f"{palette.paint('heading', plan.node)}  revision {revision}"]
    if plan.running:
        lines.append(f"{' ' * (len(plan.node) + 2)}running: {plan.running}")
    return lines


def _wanted(plan: Plan, *origins: Origin) -> tuple[Step, ...]:
    return tuple(step for step in plan.of(*origins) if not is_held(step))


def _held_wishes(plan: Plan) -> tuple[Step, ...]:
    return tuple(step for step in plan.steps if is_held(step) and step.operation.origin is not Origin.DRIFT)


def _render_drift(plan: Plan, palette: Palette) -> list[list[str]]:
    """What is healed, then what is not, because it is only to be reported or cannot be."""
    left = tuple(step for step in plan.of(Origin.DRIFT) if is_held(step))
    if not plan.of(Origin.DRIFT):
        return [[f"{palette.paint('heading', 'Changed outside')}: nothing."]]
    return [
        _render_section("Changed outside", _wanted(plan, Origin.DRIFT), plan, palette),
        _render_section("Changed outside, and left so", left, plan, palette),
    ]


def _render_will_do(plan: Plan, palette: Palette) -> list[str]:
    steps = _wanted(plan, Origin.DECLARED, Origin.REQUEST)
    if steps or _wanted(plan, Origin.DUTY, Origin.DRIFT):
        return _render_section("Will do", steps, plan, palette)
    return [f"{palette.paint('heading', 'Will do')}: nothing."]


def _render_section(title: str, steps: Sequence[Step], plan: Plan, palette: Palette) -> list[str]:
    if not steps:
        return []
    lines = [palette.paint("heading", title)]
    for index, step in enumerate(steps):
        if index:
            lines.append("")
        lines += _render_step(step, plan.created_at, palette)
    return lines


def _render_step(step: Step, now: float, palette: Palette) -> list[str]:
    operation = step.operation
    symbol = palette.paint(operation.action.value, f"{operation.action.symbol:>3}")
    target = palette.paint("target", operation.target)
    change = render_change(operation)
    padding = " " * max(2, _TARGET_WIDTH + 2 - len(operation.target)) if change else ""
    lines = [f"{symbol} {target}{padding}{change}", _render_why(operation, now)]
    lines += [_labelled(label, text) for label, text in operation.notes if label != _AFTER_IMPACT]
    if operation.cost:
        lines.append(_labelled("gas", f"{operation.cost.gas:,} ≈ {render_eth(operation.cost.estimate_wei)}"))
    lines += _render_window(operation, now)
    lines += _render_impact(operation)
    if step.standing is not Standing.READY:
        lines.append(_render_standing(step, now, palette))
    return lines


def with_open_dependencies(plan: Plan) -> Plan:
    """The plan for readers: no operation comes "after" one that is not to be done."""
    planned = {operation.id for operation in plan.operations}
    return replace(
        plan,
        steps=tuple(
            replace(step, operation=_without_settled(step.operation, planned)) for step in plan.steps
        ),
    )


def _without_settled(operation: Operation, planned: set[OperationId]) -> Operation:
    open_ones = tuple(name for name in operation.depends_on if name in planned)
    return operation if open_ones == operation.depends_on else replace(operation, depends_on=open_ones)


def render_change(operation: Operation) -> str:
    """The reader's text of a change: given by its kind, or made of the values before and after."""
    change = operation.change
    if change.sensitive:
        return "(sensitive)"
    if change.shown:
        return change.shown
    if change.before is None and change.after is None:
        return ""
    if change.before is None:
        return render_value(change.after)
    return f"{render_value(change.before)} -> {render_value(change.after)}"


def render_after(operation: Operation) -> str:
    """What must have happened first, in words."""
    return operation.after_note or ", ".join(operation.depends_on)


def _render_why(operation: Operation, now: float) -> str:
    text = str(operation.cause)
    if operation.deadline is not None:
        text += f"; deadline in {render_duration(operation.deadline - now)}"
    after = render_after(operation)
    return _labelled("why", f"{text}    after: {after}" if after else text)


def _render_window(operation: Operation, now: float) -> list[str]:
    if operation.not_before is None or operation.not_before <= now:
        return []
    return [_labelled("window", f"opens in {render_duration(operation.not_before - now)}")]


def render_interrupts(operation: Operation) -> str:
    return "interrupts " + (render_count(operation.interrupts, "job") if operation.interrupts else "no job")


def _render_impact(operation: Operation) -> list[str]:
    if operation.action is Action.READ:
        return []
    impact = operation.impact.value + (f": {operation.impact_note}" if operation.impact_note else "")
    if operation.impact is not Impact.NONE or operation.interrupts:
        impact += f"    {render_interrupts(operation)}"
    reversible = f"reversible {render_reversible(operation)}"
    if operation.needs_approval:
        reversible += "    NEEDS APPROVAL"
    notes = [_labelled(label, text) for label, text in operation.notes if label == _AFTER_IMPACT]
    if operation.impact_note or notes:
        return [_labelled("impact", impact), *notes, f"{_INDENT}{reversible}"]
    return [_labelled("impact", f"{impact}    {reversible}")]


def render_reversible(operation: Operation) -> str:
    if not operation.reversible:
        return f"no: {operation.reversible_note}" if operation.reversible_note else "no"
    return operation.reversible_note or "yes"


def _render_standing(step: Step, now: float, palette: Palette) -> str:
    text = step.reason
    if step.until is not None and step.standing is not Standing.VETOED:  # its reason says until when
        text += f"{'; ' if text else ''}again in {render_duration(step.until - now)}"
    role = "caution" if step.standing is Standing.WAITING else "bad"
    return _labelled(step.standing.value, palette.paint(role, text))


def _labelled(label: str, text: str) -> str:
    return f"{_INDENT}{label:<{_LABEL_WIDTH}} {text}"


def _render_unobserved(unobserved: Sequence[Unobserved], palette: Palette) -> list[str]:
    if not unobserved:
        return []
    lines = [palette.paint("heading", "Could not observe (nothing is created or deleted on missing data)")]
    return lines + [f"  {palette.paint('caution', '?')} {each.kind}  {each.reason}" for each in unobserved]


def _render_unchanged(count: int, palette: Palette) -> list[str]:
    return [palette.paint("quiet", f"  {render_count(count, 'resource')} unchanged.")] if count else []


def _render_findings(plan: Plan, severity: Severity, palette: Palette) -> list[str]:
    findings = [finding for finding in plan.diagnostics if finding.severity is severity]
    if not findings:
        return []
    title, role = ("Errors", "bad") if severity is Severity.ERROR else ("Warnings", "caution")
    lines = [palette.paint(role, title)]
    for finding in findings:
        lines += render_remark(finding)
    return lines


def _render_end(summary: Summary, palette: Palette, *, dry_run: bool) -> list[str]:
    lines = [palette.paint("heading", render_counts(summary)), render_consequences(summary)]
    if summary.held:
        lines.append(f"Held back: {summary.held}. The reason stands at each.")
    if dry_run:
        lines.append("Nothing was changed.")
    return lines
