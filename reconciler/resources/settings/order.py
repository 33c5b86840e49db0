"""The order of settings: every document on the way from accepted to declared is one the runtime can take.

No document reserves more sessions than there are, or names one gateway's address twice. Pure; called by the
planner. Dependencies lead from what grows or comes to what shrinks or goes, with the limit between the two,
so they make no cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.core.values import Action, Json, Operation, OperationId, TargetId

SESSIONS = TargetId("runtime.sessions")
GATEWAYS = "runtime.gateways."


def in_safe_order(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The same operations, each with what must be done before it."""
    limit = next((operation for operation in operations if operation.target == SESSIONS), None)
    ordered = []
    for operation in operations:
        names = _freeing(operation, operations) | _making_room(operation, operations)
        if limit is not None:
            names |= _around_limit(operation, limit, operations)
        depends_on = tuple(sorted(names))
        ordered.append(replace(operation, depends_on=depends_on) if depends_on else operation)
    return tuple(ordered)


def _freeing(operation: Operation, operations: Sequence[Operation]) -> set[OperationId]:
    """Removals that free the address this operation brings in."""
    if not operation.target.startswith(GATEWAYS) or operation.action is not Action.CREATE:
        return set()
    address = part(operation.change.after, "address")
    return {
        other.id
        for other in operations
        if other.target.startswith(GATEWAYS)
        and other.action is Action.DELETE
        and (part(other.change.before, "address") == address or other.target == operation.target)
    }


def _making_room(operation: Operation, operations: Sequence[Operation]) -> set[OperationId]:
    """Reservations that shrink before this one grows."""
    return {other.id for other in operations if _grown(other) < 0} if _grown(operation) > 0 else set()


def _around_limit(
    operation: Operation, limit: Operation, operations: Sequence[Operation]
) -> set[OperationId]:
    """A rising limit comes before growing reservations, a falling one after shrinking ones."""
    rising = _number(limit.change.after) > _number(limit.change.before)
    if operation.id == limit.id:
        return set() if rising else {other.id for other in operations if _grown(other) < 0}
    return {limit.id} if rising and _grown(operation) > 0 else set()


def _grown(operation: Operation) -> int:
    """By how many sessions a gateway's reservation grows."""
    if not operation.target.startswith(GATEWAYS):
        return 0
    before, after = operation.change.before, operation.change.after
    return _number(part(after, "reserve")) - _number(part(before, "reserve"))


def part(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0
