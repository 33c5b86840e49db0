"""Which exit code an ending gets: the one mapping, a published contract (`docs/guide`). Pure.

Where several apply, the order is 6 > 5 > 4 > 7 > 1 > 2 > 3. Codes 2 and 3 (there is a difference) appear only
where asked for, so plain scripts under `set -e` keep working. The CLI calls it and exits; nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from reconciler.core.errors import OperatorError
from reconciler.core.values import Origin, Outcome, Plan, Result, Standing


class Exit(IntEnum):
    OK = 0
    ERROR = 1
    CHANGES = 2
    DRIFT = 3
    BLOCKED = 4
    PARTLY = 5
    UNKNOWN = 6
    STALE = 7
    USAGE = 64
    UNREACHABLE = 69
    TRY_LATER = 75
    REFUSED = 77
    CONFIG = 78
    INTERRUPTED = 130
    TERMINATED = 143


_PRECEDENCE = (
    Exit.UNKNOWN,
    Exit.PARTLY,
    Exit.BLOCKED,
    Exit.STALE,
    Exit.ERROR,
    Exit.CHANGES,
    Exit.DRIFT,
    Exit.UNREACHABLE,
    Exit.TRY_LATER,
)
_HELD_BY_PEOPLE = frozenset({Standing.BLOCKED, Standing.VETOED})
_NOT_DONE = frozenset({Result.FAILED, Result.STALE, Result.SKIPPED})


def strongest(codes: Iterable[Exit]) -> Exit:
    """The one that wins where several apply; OK where none does."""
    present = set(codes)
    return next((code for code in _PRECEDENCE if code in present), Exit.OK)


def of_plan(plan: Plan, *, detailed: bool = False) -> Exit:
    """For the verbs that only show a plan."""
    codes = set()
    if any(step.standing in _HELD_BY_PEOPLE for step in plan.steps):
        codes.add(Exit.BLOCKED)
    if detailed:
        codes |= _differences(plan)
    return strongest(codes)


def of_drift(plan: Plan) -> Exit:
    """For `drift`, which asks one question by its nature."""
    codes = _differences(plan)
    return strongest(codes & {Exit.DRIFT, Exit.UNREACHABLE})


def of_converge(outcomes: Iterable[Outcome], remaining: Plan) -> Exit:
    """For the verbs that act: from what came of it, and what is still to do."""
    done = list(outcomes)
    results = {outcome.result for outcome in done}
    codes = set()
    if Result.UNKNOWN in results:
        codes.add(Exit.UNKNOWN)
    if Result.DONE in results and results & _NOT_DONE:
        codes.add(Exit.PARTLY)
    if Result.STALE in results:
        codes.add(Exit.STALE)
    if Result.FAILED in results:
        codes.add(Exit.ERROR)
    if any(step.standing in _HELD_BY_PEOPLE for step in remaining.steps):
        codes.add(Exit.BLOCKED)
    if remaining.unobserved:
        codes.add(Exit.UNREACHABLE)
    if any(step.standing is Standing.WAITING for step in remaining.steps):
        codes.add(Exit.TRY_LATER)
    return strongest(codes)


def of_error(error: BaseException) -> int:
    """For whatever ends a verb early."""
    match error:
        case OperatorError():
            return error.exit_code
        case KeyboardInterrupt():
            return Exit.INTERRUPTED
        case TimeoutError():
            return Exit.TRY_LATER
        case PermissionError():
            return Exit.REFUSED
        case ConnectionError():
            return Exit.UNREACHABLE
        case _:
            return Exit.ERROR


def _differences(plan: Plan) -> set[Exit]:
    origins = {step.operation.origin for step in plan.steps}
    codes = set()
    if origins - {Origin.DRIFT}:
        codes.add(Exit.CHANGES)
    if Origin.DRIFT in origins:
        codes.add(Exit.DRIFT)
    if plan.unobserved:
        codes.add(Exit.UNREACHABLE)
    return codes
