"""Events as JSON lines and as text. An event is something worth telling once; its name is a constant.

Pure; the JSON validates against `schemas/event.schema.json`. Called by `events`, the operator's socket
and its log.
"""

from __future__ import annotations

from reconciler.core.values import Event, Json
from reconciler.report.palette import PLAIN, Palette
from reconciler.report.quantities import render_clock, render_moment, render_value

_SHOWN = ("target", "cause", "reason", "detail", "failures", "duration_s")
"""What people need of an operation's fields; `--json` has them all."""

_BAD = ("failed", "vetoed", "rejected", "crashed", "exited", "stale", "unknown", "error")
_GOOD = ("applied", "resumed", "converged", "started", "adopted", "ready")


def event_json(event: Event) -> dict[str, Json]:
    return {
        "sequence": event.sequence,
        "at": render_moment(event.at),
        "name": event.name,
        "fields": dict(event.fields),
    }


def render_event(event: Event, *, palette: Palette = PLAIN) -> str:
    """`2026-11-21 01:40:00 UTC  operation.applied  target=edge.process duration_s=0.4`."""
    shown = _SHOWN if event.name.startswith("operation.") else tuple(event.fields)
    fields = " ".join(
        f"{name}={_render_field(event.fields[name])}" for name in shown if event.fields.get(name) is not None
    )
    name = palette.paint(event_role(event.name), f"{event.name:<20}")
    return f"{palette.paint('quiet', render_clock(event.at))}  {name}  {fields}".rstrip()


def event_role(name: str) -> str:
    last = name.rpartition(".")[2]
    if last in _BAD:
        return "bad"
    return "good" if last in _GOOD else "target"


def _render_field(value: Json) -> str:
    text = render_value(value)
    return f'"{text}"' if not text or any(character in text for character in ' "=') else text
