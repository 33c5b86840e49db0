"""The status as people read it: is it well, is it stuck, what serves, what waits, and what to do next.

Pure: equal values give equal text. Called by `status`, here or through the operator's socket.
"""

from __future__ import annotations

from reconciler.core.values import Condition, Truth
from reconciler.report.palette import PLAIN, Palette
from reconciler.report.quantities import render_clock, render_count, render_duration
from reconciler.report.status import NodeStatus

_REVISION_LENGTH = 7
_BAD_WHEN_TRUE = frozenset({"Stalled", "Drifted", "Suspended"})
_NEUTRAL = frozenset({"Reconciling"})
_HISTORY_SHOWN = 5


def render_status(status: NodeStatus, *, palette: Palette = PLAIN) -> str:
    """Blocks with a heading each; empty ones are left out. Ends in a newline."""
    blocks = [
        _render_header(status, palette),
        _render_suspension(status, palette),
        _titled(
            "Conditions", [_render_condition(each, status.at, palette) for each in status.conditions], palette
        ),
        _titled("Children", _render_children(status), palette),
        _titled("Resources", _render_inventory(status), palette),
        _titled("Not tried again", _render_vetoes(status, palette), palette),
        _titled("Tried again later", _render_retries(status), palette),
        _titled("Refused work", _render_refusals(status), palette),
        _titled("History", _render_history(status), palette),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _titled(title: str, lines: list[str], palette: Palette) -> list[str]:
    return [palette.paint("heading", title), *lines] if lines else []


def _render_header(status: NodeStatus, palette: Palette) -> list[str]:
    lines = [f"{palette.paint('heading', status.node)}  {_render_revision(status)}"]
    indent = " " * (len(status.node) + 2)
    if status.operator is None:
        lines.append(
            f"{indent}operator: {palette.paint('caution', 'not running')}; "
            "children run unsupervised (supervise them with `reconcile run`)"
        )
    else:
        since = render_duration(status.at - status.operator.started_at)
        lines.append(f"{indent}operator: pid {status.operator.pid}, up {since}")
    if status.running:
        lines.append(f"{indent}running: {status.running}")
    if status.next_resync_at is not None and status.next_resync_at > status.at:
        lines.append(f"{indent}next look in {render_duration(status.next_resync_at - status.at)}")
    return lines


def _render_revision(status: NodeStatus) -> str:
    declared = f"revision {status.observed_generation[:_REVISION_LENGTH]}"
    applied = status.last_applied_revision
    if applied is None:
        return f"{declared}, never applied in full"
    if applied == status.observed_generation:
        return f"{declared}, applied"
    return f"{declared}, last applied {applied[:_REVISION_LENGTH]}"


def _render_suspension(status: NodeStatus, palette: Palette) -> list[str]:
    held = status.suspended
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
    return f"  {condition.type:<18}{truth}{condition.reason}: {condition.message}  (for {age})"


def _render_children(status: NodeStatus) -> list[str]:
    return [
        f"  {child.role}-{child.generation}  pid {child.pid}  {child.state}  "
        f"up {render_duration(status.at - child.started_at)}"
        for child in status.children
    ]


def _render_inventory(status: NodeStatus) -> list[str]:
    return [
        f"  {item.target:<28}{item.state}" + "".join(f"  {label} {value}" for label, value in item.facts)
        for item in status.inventory
    ]


def _render_vetoes(status: NodeStatus, palette: Palette) -> list[str]:
    lines = []
    for veto in status.vetoes:
        failures = render_count(veto.failures, "failure")
        lines.append(f"  {veto.target}  {palette.paint('bad', f'after {failures}')}: {veto.reason}")
        lines.append(f"      freed by: {veto.frees}")
    return lines


def _render_retries(status: NodeStatus) -> list[str]:
    return [
        f"  {retry.target}  in {render_duration(retry.next_try_at - status.at)}"
        f" (failed {render_count(retry.failures, 'time')}): {retry.reason}"
        for retry in status.retries
    ]


def _render_refusals(status: NodeStatus) -> list[str]:
    return [
        f"  {refusal.count:>6}  {refusal.reason}  from {refusal.gateway or 'unknown'}"
        f"  (last {render_duration(status.at - refusal.last_at)} ago)"
        for refusal in status.refusals
    ]


def _render_history(status: NodeStatus) -> list[str]:
    return [
        f"  {entry.revision[:_REVISION_LENGTH]}  {entry.status:<12}"
        f"{render_clock(entry.last_at)}  took {render_duration(entry.duration_s)}"
        + (f"  ({entry.count} times)" if entry.count > 1 else "")
        for entry in status.history[:_HISTORY_SHOWN]
    ]
