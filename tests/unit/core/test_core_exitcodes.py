"""The exit codes are a contract: every meaning and their precedence."""

from __future__ import annotations

import itertools

import pytest

from reconciler.core import errors
from reconciler.core.exitcodes import Exit, of_converge, of_drift, of_error, of_plan, strongest
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Operation,
    OperationId,
    Origin,
    Outcome,
    Plan,
    PlanId,
    Result,
    Revision,
    Standing,
    Step,
    TargetId,
    Unobserved,
)


def operation(origin=Origin.DECLARED):
    return Operation(
        id=OperationId("a.x"),
        kind="a",
        verb="update",
        target=TargetId("a.x"),
        action=Action.UPDATE,
        origin=origin,
        cause=Cause("because"),
        change=Change(),
        lane="a",
    )


def plan(*steps: Step, unobserved=()):
    return Plan(
        plan_id=PlanId("p"),
        node="n",
        revision=Revision("r"),
        previous_revision=None,
        created_at=0.0,
        steps=steps,
        unchanged=0,
        unobserved=tuple(Unobserved(kind, "blind") for kind in unobserved),
    )


def outcomes(*results: Result):
    return [Outcome(operation=operation(), result=r, started_at=0.0, ended_at=0.0) for r in results]


CHANGE, DRIFT = Step(operation()), Step(operation(Origin.DRIFT))
HELD = Step(operation(), Standing.BLOCKED, "approval")
VETOED = Step(operation(Origin.DRIFT), Standing.VETOED, "failed")
WAITING = Step(operation(), Standing.WAITING, "backoff", 5.0)


def test_the_numbers_are_the_published_ones():
    assert [int(code) for code in Exit] == [0, 1, 2, 3, 4, 5, 6, 7, 64, 69, 75, 77, 78, 130, 143]


def test_of_several_the_graver_one_wins():
    order = [6, 5, 4, 7, 1, 2, 3]
    for graver, lighter in itertools.combinations(order, 2):
        assert strongest([Exit(lighter), Exit(graver)]) == graver
    assert strongest([]) == 0


@pytest.mark.parametrize(
    ("steps", "plain", "detailed"),
    [
        ([], 0, 0),
        ([CHANGE], 0, 2),
        ([DRIFT], 0, 3),
        ([CHANGE, DRIFT], 0, 2),
        ([HELD], 4, 4),
        ([VETOED, CHANGE], 4, 4),
        ([WAITING], 0, 2),
    ],
)
def test_a_shown_plan_tells_differences_only_where_asked(steps, plain, detailed):
    assert of_plan(plan(*steps)) == plain
    assert of_plan(plan(*steps), detailed=True) == detailed


def test_a_plan_with_blind_spots_is_not_called_empty_where_detail_was_asked():
    assert of_plan(plan(unobserved=["a"]), detailed=True) == 69
    assert of_plan(plan(CHANGE, unobserved=["a"]), detailed=True) == 2


@pytest.mark.parametrize(
    ("steps", "unobserved", "code"),
    [([], [], 0), ([CHANGE], [], 0), ([DRIFT, CHANGE], [], 3), ([VETOED], ["b"], 3), ([], ["b"], 69)],
)
def test_drift_asks_about_drift_only(steps, unobserved, code):
    assert of_drift(plan(*steps, unobserved=unobserved)) == code


@pytest.mark.parametrize(
    ("results", "remaining", "code"),
    [
        ([], plan(), 0),
        ([Result.DONE], plan(), 0),
        ([Result.DONE, Result.FAILED], plan(WAITING), 5),
        ([Result.DONE, Result.SKIPPED], plan(WAITING), 5),
        ([Result.FAILED, Result.SKIPPED], plan(WAITING), 1),
        ([Result.FAILED], plan(VETOED), 4),
        ([Result.STALE], plan(CHANGE), 7),
        ([Result.STALE, Result.DONE], plan(CHANGE), 5),
        ([Result.UNKNOWN, Result.DONE, Result.FAILED], plan(HELD), 6),
        ([Result.WAITING], plan(HELD), 4),
        ([Result.WAITING], plan(WAITING), 75),
        ([], plan(unobserved=["a"]), 69),
    ],
)
def test_acting_is_judged_by_what_came_of_it_and_what_is_left(results, remaining, code):
    assert of_converge(outcomes(*results), remaining) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError(()), 78),
        (errors.UsageError("?"), 64),
        (errors.Unreachable("?"), 69),
        (errors.LockHeld("?"), 75),
        (errors.Refused("?"), 77),
        (errors.Blocked("?"), 4),
        (errors.StalePlan("?"), 7),
        (errors.OutcomeUnknown("?"), 6),
        (errors.PlanError("?"), 1),
        (errors.JournalError("?"), 1),
        (KeyboardInterrupt(), 130),
        (TimeoutError(), 75),
        (ConnectionRefusedError(), 69),
        (PermissionError(), 77),
        (ZeroDivisionError(), 1),
    ],
)
def test_every_error_has_its_code(error, code):
    assert of_error(error) == code
