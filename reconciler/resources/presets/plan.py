"""When to measure, and what to say while it is not the time. PURE.

Measuring loads the machine, so it happens only while nothing serves; a runtime that serves, or has to be back
at once after a crash, keeps the preset it has. Called by the core's planner through the registry.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Condition,
    Diagnostic,
    Json,
    Known,
    Observation,
    Operation,
    OperationId,
    Severity,
    TargetId,
    Truth,
)
from reconciler.resources.presets.state import KIND, PRESET, PresetsDesired, PresetsObserved
from reconciler.serving.presets import Choice

LANE = "runtime"
"""The runtime's own lane: nothing of the runtime happens meanwhile, and the runtime starts after it."""


CONDITION = "PresetMeasured"
ADVISORY = frozenset({CONDITION})
"""A node that serves with an unmeasured preset serves."""


def plan_presets(desired: PresetsDesired, observed: Observation, view: View) -> KindPlan:
    seen = _seen(observed)
    if seen is None or not desired.wish.wants_measurement(seen.surroundings):
        return KindPlan()
    choice = desired.wish.choice(seen.surroundings)
    if choice and (choice.surely_slowest or not seen.may_measure):
        return KindPlan(unchanged=1)
    if not seen.may_measure:
        return KindPlan(diagnostics=(_kept(desired, seen),))
    return KindPlan(operations=(_measure(desired, seen, view),))


def applied_presets(desired: PresetsDesired, observed: Observation) -> Mapping[TargetId, Json]:
    seen = _seen(observed)
    if seen is None or not desired.wish.wants_measurement(seen.surroundings):
        return {}
    return {PRESET: desired.wish.measurement_key}


def conditions_presets(desired: PresetsDesired, observed: Observation, view: View) -> tuple[Condition, ...]:
    seen = _seen(observed)
    if seen is None or not desired.wish.wants_measurement(seen.surroundings):
        return ()
    found, choice = desired.wish.measured(seen.surroundings), desired.wish.choice(seen.surroundings)
    if found and choice:
        status, reason = (Truth.TRUE, "Measured") if choice.holds else (Truth.FALSE, "TooSlow")
        message = f"{_choice_words(desired, seen, choice)}; measured: {found.summary}"
        return (view.condition(CONDITION, status, reason, message),)
    present = seen.serving_preset
    kept = f"{present} is kept; " if present else ""
    message = f"{kept}no preset was measured on this machine with this version"
    return (view.condition(CONDITION, Truth.FALSE, "NotMeasured", message),)


def _choice_words(desired: PresetsDesired, seen: PresetsObserved, choice: Choice) -> str:
    text = f"{choice.preset} holds {choice.up_to} of {_sessions(desired, seen)} wanted"
    if not choice.surely_slowest:
        text += "; a slower one may do, which a cold start will measure"
    return text


def _measure(desired: PresetsDesired, seen: PresetsObserved, view: View) -> Operation:
    key = desired.wish.measurement_key
    size = desired.wish.size(seen.surroundings)
    sessions = size.sessions or 0
    former = bool(seen.surroundings.cache)
    return Operation(
        id=OperationId("presets.measure"),
        kind=KIND,
        verb="measure",
        target=PRESET,
        action=Action.CREATE,
        origin=view.origin(PRESET, key),
        cause=Cause(
            "video.preset is auto, and this machine, this version or so few sessions were not measured yet"
            if former
            else "video.preset is auto, and nothing was measured yet",
            desired.wish.sources.get("runtime.preset"),
        ),
        change=Change(
            after=key, shown=f"the slowest preset that holds {_sessions(desired, seen)} in real time"
        ),
        lane=LANE,
        impact_note="nothing serves yet; the machine is fully loaded for a while",
        precondition={"serving": False},
        arguments={"key": key, "sessions": sessions, "limit_s": desired.measure_limit_s},
        timeout_s=desired.measure_limit_s + 10.0,
    )


def _kept(desired: PresetsDesired, seen: PresetsObserved) -> Diagnostic:
    preset = seen.serving_preset
    return Diagnostic(
        Severity.WARNING,
        f"preset {preset} is kept: none was measured on this machine with this version"
        if preset
        else "no preset was measured on this machine with this version",
        "Measuring loads the machine and never happens while it serves. To measure: `reconcile stop`, "
        "then `reconcile`; or declare video.preset.",
        desired.wish.sources.get("runtime.preset"),
    )


def _sessions(desired: PresetsDesired, seen: PresetsObserved) -> str:
    count = desired.wish.size(seen.surroundings).sessions or 0
    return f"{count} session" if count == 1 else f"{count} sessions"


def _seen(observed: Observation) -> PresetsObserved | None:
    if isinstance(observed, Known) and isinstance(observed.value, PresetsObserved):
        return observed.value
    return None
