"""What is known of the measured preset. Values only; what is wanted of it is the runtime's wish."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.values import TargetId
from reconciler.serving.wish import RuntimeWish, Surroundings

KIND = "presets"
PRESET = TargetId("presets.measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetsDesired:
    wish: RuntimeWish
    measure_limit_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetsObserved:
    """`may_measure`: nothing serves and nothing is about to serve again, so the machine is ours to load.

    `serving_preset` is what the runtime that serves now was told, where there is one.
    """

    surroundings: Surroundings
    may_measure: bool
    serving_preset: str | None = None
