"""The status of a node as one frozen value, from which text, JSON and metrics are drawn.

The core says how the node stands to what is declared; added is what only the outside knows: which processes
there are, what the runtime says, which work was refused. Built by the operator, or by `status` where none
runs. Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.status import Status
from reconciler.core.values import Json, Standing, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorProcess:
    pid: int
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedChild:
    """A process that the operator started. `state` is a word: `running`, or how it ended."""

    role: str
    generation: int
    pid: int
    state: str
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Refused work, counted by reason and gateway. The gateway is empty where none was named."""

    reason: str
    gateway: str
    count: int
    last_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """`operator` is None where none runs; `runtime` is the serving runtime's own account, or None."""

    core: Status
    version: str
    operator: OperatorProcess | None
    children: tuple[ManagedChild, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    runtime: Mapping[str, Json] | None = None
    next_resync_at: float | None = None

    @property
    def retries(self) -> tuple[Step, ...]:
        """What waits for a moment that is known."""
        return tuple(
            step for step in self.core.pending if step.standing is Standing.WAITING and step.until is not None
        )
