"""What a plan comes to: the counts of its last lines.

One place counts, so that text, JSON, Markdown, stream and metrics never disagree. Pure. Steps that will not
be done (vetoed, or blocked by more than a missing approval) are held back and not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.values import Action, Impact, Plan, Standing, Step
from reconciler.report.quantities import render_eth

_ADDS = frozenset({Action.CREATE, Action.REPLACE, Action.RECREATE})
_CHANGES = frozenset({Action.UPDATE, Action.RESTART})
_DESTROYS = frozenset({Action.DELETE, Action.REPLACE, Action.RECREATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts over the steps that will be done; a replacement counts as one addition and one destruction."""

    add: int
    change: int
    destroy: int
    restarts: int
    interrupts: int
    transactions: int
    cost_wei: int
    irreversible: tuple[str, ...]
    needs_approval: int
    held: int

    @property
    def reversible(self) -> bool:
        return not self.irreversible


def is_held(step: Step) -> bool:
    """Whether this step will not be done as things stand; one that waits for approval counts as planned."""
    if step.standing is Standing.VETOED:
        return True
    return step.standing is Standing.BLOCKED and not step.operation.needs_approval


def summarize(plan: Plan) -> Summary:
    operations = [step.operation for step in plan.steps if not is_held(step)]
    costs = [operation.cost for operation in operations if operation.cost is not None]
    return Summary(
        add=sum(operation.action in _ADDS for operation in operations),
        change=sum(operation.action in _CHANGES for operation in operations),
        destroy=sum(operation.action in _DESTROYS for operation in operations),
        restarts=sum(
            operation.action is Action.RESTART or operation.impact is Impact.RESTART
            for operation in operations
        ),
        interrupts=sum(operation.interrupts for operation in operations),
        transactions=len(costs),
        cost_wei=sum(cost.estimate_wei for cost in costs),
        irreversible=tuple(
            dict.fromkeys(
                str(operation.target).rpartition(".")[2]
                for operation in operations
                if not operation.reversible
            )
        ),
        needs_approval=sum(operation.needs_approval for operation in operations),
        held=len(plan.steps) - len(operations),
    )


def render_counts(summary: Summary) -> str:
    """The line that scripts match on; its shape is a contract."""
    return f"Plan: {summary.add} to add, {summary.change} to change, {summary.destroy} to destroy."


def render_consequences(summary: Summary) -> str:
    cost = f" (≈ {render_eth(summary.cost_wei)})" if summary.transactions else ""
    reversible = f"no ({', '.join(summary.irreversible)})" if summary.irreversible else "yes"
    return (
        f"Restarts: {summary.restarts}. Jobs interrupted: {summary.interrupts}. "
        f"Transactions: {summary.transactions}{cost}. Reversible: {reversible}."
    )
