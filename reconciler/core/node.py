"""A declared node, ready to be worked on: its kinds, and the capabilities to look and to act.

The registry builds it from the declared state. Verbs that must not change anything get one without actors, so
there is nothing in their process that could. The pure parts (planner, conditions) are handed `Desired` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.kind import Actor, Kind, Observer
from reconciler.core.values import Diagnostic, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be done without asking.

    `protect` holds actions as `<kind>.<verb>` (`stake.decrease`); it never blocks creating. `report_drift`
    names kinds whose drift is shown and not healed. `veto_after` failures of one difference veto it: with
    the pauses between them they span about a minute, so that a short outage costs no veto. A vetoed one is
    tried again every `veto_s`, so that a long outage needs nobody.
    """

    protect: frozenset[str] = frozenset()
    report_drift: frozenset[str] = frozenset()
    veto_after: int = 7
    veto_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What is wanted, without any capability. `text` is the declared state as kept (masked) once applied."""

    name: str
    revision: Revision
    kinds: tuple[Kind[Any], ...]
    policy: Policy = field(default_factory=Policy)
    diagnostics: tuple[Diagnostic, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`observers` and `actors` are by kind name; every kind has an observer."""

    name: str
    revision: Revision
    kinds: tuple[Kind[Any], ...]
    observers: Mapping[str, Observer]
    actors: Mapping[str, Actor] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    diagnostics: tuple[Diagnostic, ...] = ()
    text: str = ""

    @property
    def desired(self) -> Desired:
        return Desired(
            name=self.name,
            revision=self.revision,
            kinds=self.kinds,
            policy=self.policy,
            diagnostics=self.diagnostics,
            text=self.text,
        )
