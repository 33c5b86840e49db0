"""What holds for every plan of every declared state and every world."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_wishes import (
    KINDS,
    NAMES,
    QUICK,
    blindness,
    desired_of,
    observed,
    shuffled,
    text_of,
    wishes,
    worlds,
)
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.errors import PlanError
from reconciler.core.memory import Failure, Memory, Suspension
from reconciler.core.node import Policy
from reconciler.core.planner import make_plan, select
from reconciler.core.values import (
    Revision,
    Standing,
)
from tests.simulation.synthetic import Wanted


@QUICK
@given(wishes(), worlds, blindness, st.randoms(use_true_random=False))
def test_equal_inputs_give_equal_bytes_in_whatever_order_they_are_declared(wanted, there, blind, random):
    plan = make_plan(desired_of(wanted), observed(there, blind), Memory(), now=1.0)
    mixed = {
        kind: Wanted(shuffled(wish.values, random), wish.after, wish.sharp)
        for kind, wish in shuffled(wanted, random).items()
    }
    moved = shuffled({kind: shuffled(things, random) for kind, things in there.items()}, random)
    again = make_plan(desired_of(mixed), observed(moved, blind), Memory(), now=1.0)
    assert text_of(again) == text_of(plan)


@QUICK
@given(wishes(), worlds, blindness)
def test_every_step_stands_after_those_it_depends_on_and_waits_where_they_do(wanted, there, blind):
    plan = make_plan(desired_of(wanted), observed(there, blind), Memory(), now=1.0)
    seen = {}
    planned = {operation.id for operation in plan.operations}
    for step in plan.steps:
        for name in step.operation.depends_on:
            assert name in seen or name not in planned
            if step.standing is Standing.READY:
                assert seen.get(name, Standing.READY) is Standing.READY
        seen[step.operation.id] = step.standing


@QUICK
@given(wishes(), worlds, blindness)
def test_what_cannot_be_seen_is_neither_touched_nor_leant_on(wanted, there, blind):
    plan = make_plan(desired_of(wanted), observed(there, blind), Memory(), now=1.0)
    assert {item.kind for item in plan.unobserved} == blind
    assert not [operation for operation in plan.operations if operation.kind in blind]
    for step in plan.steps:
        if step.standing is Standing.READY:
            assert not [name for name in step.operation.depends_on if name.split(".")[0] in blind]


@QUICK
@given(wishes(), worlds, st.sets(st.sampled_from(KINDS), min_size=1))
def test_a_selection_runs_nothing_outside_and_nothing_whose_dependency_is_outside(wanted, there, only):
    whole = make_plan(desired_of(wanted), observed(there), Memory(), now=1.0)
    part = select(whole, frozenset(only))
    planned = {operation.id for operation in whole.operations}
    ready = {step.operation.id for step in part.steps if step.standing is Standing.READY}
    for step in part.steps:
        assert step.operation.kind in only
        if step.standing is Standing.READY:
            assert all(name in ready or name not in planned for name in step.operation.depends_on)


@QUICK
@given(wishes(), worlds, st.sets(st.sampled_from([f"{k}.{v}" for k in KINDS for v in ("update", "delete")])))
def test_what_is_protected_is_never_ready(wanted, there, protect):
    policy = Policy(protect=frozenset(protect))
    plan = make_plan(desired_of(wanted, policy), observed(there), Memory(), now=1.0)
    for step in plan.steps:
        if f"{step.operation.kind}.{step.operation.verb}" in protect:
            assert step.standing in {Standing.BLOCKED, Standing.WAITING}


@QUICK
@given(wishes(), worlds, st.floats(0, 100), st.one_of(st.none(), st.floats(0, 100)))
def test_suspended_nothing_is_ready_until_the_suspension_ends(wanted, there, now, until):
    memory = Memory(suspension=Suspension(reason="r", by="b", since=0.0, until=until))
    plan = make_plan(desired_of(wanted), observed(there), memory, now=now)
    if until is None or now < until:
        assert not [step for step in plan.steps if step.standing is Standing.READY]
    else:
        free = make_plan(desired_of(wanted), observed(there), Memory(), now=now)
        assert plan.steps == free.steps


@QUICK
@given(wishes(), worlds, st.integers(1, 9), st.tuples(st.booleans(), st.booleans()), st.floats(10, 2000))
def test_a_veto_holds_this_difference_under_this_declared_state_for_its_time(
    wanted, there, count, final_same, now
):
    final, same = final_same
    desired = desired_of(wanted)
    plan = make_plan(desired, observed(there), Memory(), now=10.0)
    failures = {
        operation.fingerprint: Failure(
            fingerprint=operation.fingerprint,
            operation_id=operation.id,
            target=operation.target,
            revision=desired.revision if same else Revision("another"),
            count=count,
            in_a_row=count,
            first_at=1.0,
            last_at=2.0,
            not_before=3.0,
            detail="no",
            final=final,
        )
        for operation in plan.operations[:1]
    }
    again = make_plan(desired, observed(there), Memory(failures=failures), now=now)
    given_up = same and (final or count >= Policy().veto_after) and now < 2.0 + Policy().veto_s
    for step in again.steps:
        if step.operation.fingerprint in failures and given_up:
            assert step.standing is Standing.VETOED
            assert step.until == 2.0 + Policy().veto_s
        else:
            assert step.standing is Standing.READY or step.reason.startswith("waits for")


@QUICK
@given(st.permutations([f"a.{name}" for name in NAMES]))
def test_a_cycle_is_an_error_that_names_its_members(order):
    ring = {
        name.split(".")[1]: (follower,) for name, follower in zip(order, order[1:] + order[:1], strict=True)
    }
    wanted = {"a": Wanted(dict.fromkeys(NAMES, 1), ring)}
    with pytest.raises(PlanError) as failed:
        make_plan(desired_of(wanted), observed({"a": {}}), Memory(), now=0.0)
    assert all(name in str(failed.value) for name in order)


def test_an_id_used_twice_is_an_error():
    desired = desired_of({"a": Wanted({"x": 1})})
    twin = replace(desired.kinds[0], name="b")  # plans the operations of `a` under another name
    twins = replace(desired, kinds=(desired.kinds[0], twin))
    with pytest.raises(PlanError, match=r"a\.x"):
        make_plan(twins, observed({"a": {}, "b": {}}), Memory(), now=0.0)
