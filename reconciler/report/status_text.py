"""The status as people read it: is it well, is it stuck, what serves, what waits, and what to do next.

Pure: equal values give equal text. Called by `status`, here or through the operator's socket, and by
`refusals` and `history` for their parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reconciler.core.memory import Run
from reconciler.core.status import Accord
from reconciler.core.values import Condition, Truth
from reconciler.report.palette import PLAIN, Palette
from reconciler.report.quantities import render_clock, render_count, render_duration
from reconciler.report.status import NodeStatus, Refusal

_REVISION_LENGTH = 7
_BAD_WHEN_TRUE = frozenset({"Stalled", "Drifted", "Suspended", "DeclarationRejected"})
_NEUTRAL = frozenset({"Reconciling"})
_HISTORY_SHOWN = 5


def render_status(status: NodeStatus, *, palette: Palette = PLAIN) -> str:
    """Blocks with a heading each; empty ones are left out. Ends in a newline."""
    core = status.core
    now = core.at
    blocks = [
        _render_header(status, palette),
        _render_suspension(status, palette),
        _titled("Conditions", [_render_condition(each, now, palette) for each in core.conditions], palette),
        _titled("Children", _render_children(status), palette),
        _titled("Resources", _render_inventory(status, palette), palette),
        _titled(
            "Could not observe", [f"  ? {each.kind}  {each.reason}" for each in core.unobserved], palette
        ),
        _titled("Given up", _render_vetoes(status, palette), palette),
        _titled("Outcome unknown", _render_unresolved(status), palette),
        _titled("Tried again later", _render_retries(status), palette),
        _titled("Refused work", render_refusals(status.refusals, now), palette),
        _titled("History", render_runs(core.history[:_HISTORY_SHOWN]), palette),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _titled(title: str, lines: list[str], palette: Palette) -> list[str]:
    return [palette.paint("heading", title), *lines] if lines else []


def _render_header(status: NodeStatus, palette: Palette) -> list[str]:
    core = status.core
    lines = [f"{palette.paint('heading', core.node)}  {_render_revision(status)}"]
    indent = " " * (len(core.node) + 2)
    if status.operator is None:
        lines.append(f"{indent}operator: {palette.paint('caution', _unsupervised(status))}")
    else:
        since = render_duration(core.at - status.operator.started_at)
        lines.append(f"{indent}operator: pid {status.operator.pid}, up {since}")
    if core.running:
        lines.append(f"{indent}running: {core.running}")
    if status.next_resync_at is not None and status.next_resync_at > core.at:
        lines.append(f"{indent}next look in {render_duration(status.next_resync_at - core.at)}")
    return lines


def _unsupervised(status: NodeStatus) -> str:
    if any(child.state == "running" for child in status.children):
        return "none runs; the children serve on unsupervised (`reconcile run` supervises them)"
    return "none runs (`reconcile run` starts it)"


def _render_revision(status: NodeStatus) -> str:
    declared = f"revision {status.core.observed_generation[:_REVISION_LENGTH]}"
    applied = status.core.last_applied_revision
    if applied is None:
        return f"{declared}, never applied in full"
    if applied == status.core.observed_generation:
        return f"{declared}, applied"
    return f"{declared}, last applied {applied[:_REVISION_LENGTH]}"


def _render_suspension(status: NodeStatus, palette: Palette) -> list[str]:
    held = status.core.suspended
    if held is None:
        return []
    until = f"until {render_clock(held.until)}" if held.until is not None else "until `reconcile resume`"
    text = f"Suspended by {held.by} since {render_clock(held.since)}, {until}: {held.reason}"
    return [palette.paint("caution", text)]


def condition_role(condition: Condition) -> str:
    """How a condition is drawn: abnormal ones are bad when true, the others when not."""
    if condition.status is Truth.UNKNOWN:
        return "caution"
    if condition.type in _NEUTRAL:
        return "target"
    wanted = Truth.FALSE if condition.type in _BAD_WHEN_TRUE else Truth.TRUE
    return "good" if condition.status is wanted else "bad"


def _render_condition(condition: Condition, now: float, palette: Palette) -> str:
    truth = palette.paint(condition_role(condition), f"{condition.status.value:<8}")
    age = render_duration(now - condition.last_transition_at)
    return f"  {condition.type:<20}{truth}{condition.reason}: {condition.message}  (for {age})"


def _render_children(status: NodeStatus) -> list[str]:
    return [
        f"  {child.role}-{child.generation}  pid {child.pid}  {child.state}"
        + (f"  up {render_duration(status.core.at - child.started_at)}" if child.state == "running" else "")
        for child in status.children
    ]


def _render_inventory(status: NodeStatus, palette: Palette) -> list[str]:
    """Those that differ by name, the rest as a count."""
    counts = Counter(item.accord for item in status.core.inventory)
    lines = [
        f"  {item.target}  {palette.paint('caution', item.accord.value)}"
        for item in status.core.inventory
        if item.accord is not Accord.SYNCED
    ]
    if counts[Accord.SYNCED]:
        lines.append(f"  {render_count(counts[Accord.SYNCED], 'target')} as declared.")
    return lines


def _render_vetoes(status: NodeStatus, palette: Palette) -> list[str]:
    return [f"  {palette.paint('bad', veto.target)}  {veto.reason}" for veto in status.core.vetoes]


def _render_unresolved(status: NodeStatus) -> list[str]:
    return [
        f"  {intent.target}  begun {render_clock(intent.began_at)}, no outcome written"
        for intent in status.core.unresolved
    ]


def _render_retries(status: NodeStatus) -> list[str]:
    return [
        f"  {step.operation.target}  in {render_duration(step.until - status.core.at)}: {step.reason}"
        for step in status.retries
        if step.until is not None
    ]


def render_refusals(refusals: Sequence[Refusal], now: float) -> list[str]:
    return [
        f"  {refusal.count:>6}  {refusal.reason}  from {refusal.gateway or 'nobody named'}"
        f"  (last {render_duration(now - refusal.last_at)} ago)"
        for refusal in refusals
    ]


def render_runs(runs: Sequence[Run]) -> list[str]:
    return [
        f"  {run.revision[:_REVISION_LENGTH]}  {run.result:<12}"
        f"{render_clock(run.last_at)}  took {render_duration(run.duration_s)}"
        + (f"  ({run.count} times since {render_clock(run.first_at)})" if run.count > 1 else "")
        for run in runs
    ]
