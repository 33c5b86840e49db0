"""A plan's values only, the way `diff` shows files: what is, what is declared.

Pure. Structured values are compared line by line; sensitive ones show only that they differ.
"""

from __future__ import annotations

import difflib
import json

from reconciler.core.values import Json, Plan, Step
from reconciler.report.palette import PLAIN, Palette

_ROLES = {"-": "delete", "+": "create"}


def render_diff(plan: Plan, *, palette: Palette = PLAIN) -> str:
    """Empty where nothing differs."""
    blocks = [_render_step(step, palette) for step in plan.steps if _differs(step)]
    blocks += [f"? {each.kind} (not observed: {each.reason})\n" for each in plan.unobserved]
    return "\n".join(blocks)


def _differs(step: Step) -> bool:
    change = step.operation.change
    return change.before != change.after


def _render_step(step: Step, palette: Palette) -> str:
    operation = step.operation
    lines = [palette.paint("heading", operation.target)]
    if operation.change.sensitive:
        lines.append("  (sensitive, differs)")
    else:
        lines += _compared(operation.change.before, operation.change.after, palette)
    return "\n".join(lines) + "\n"


def _compared(before: Json, after: Json, palette: Palette) -> list[str]:
    compared = difflib.ndiff(_lines(before), _lines(after))
    return [
        palette.paint(_ROLES.get(line[0], ""), f"{line[0]} {line[2:]}")
        for line in compared
        if not line.startswith("?")
    ]


def _lines(value: Json) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.splitlines()
    # without the separating commas: a line that only gained a successor has not changed
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return [line.removesuffix(",") for line in text.splitlines()]
