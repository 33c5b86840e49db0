"""Conditions are made of the plan and of what the kinds say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.bookkeeping import applied_after
from reconciler.core.conditions import conditions_of
from reconciler.core.memory import Memory, Suspension
from reconciler.core.planner import make_plan
from reconciler.core.values import Condition, Known, Truth, Unknown
from tests.simulation.synthetic import Wanted, World, synthetic_kind, synthetic_node


def says(name, status, *, reason="R", message="m"):
    def conditions(_desired, _observation, view):
        return (
            Condition(
                type=name,
                status=status,
                reason=reason,
                message=message,
                observed_generation="whatever",
                last_transition_at=view.now,
            ),
        )

    return conditions


def look(
    *,
    values=None,
    there=None,
    kind_conditions=(),
    memory=None,
    now=10.0,
    rejection="",
    blind=False,
    advisory=(),
):
    kinds = [
        replace(synthetic_kind(f"k{i}", Wanted(values or {})), conditions=says, advisory=frozenset(advisory))
        for i, says in enumerate(kind_conditions)
    ] or [synthetic_kind("k0", Wanted(values or {}))]
    desired = synthetic_node(World(), *kinds, now=lambda: now).desired
    seen = {kind.name: Unknown("dark", now) if blind else Known(there or {}, now) for kind in kinds}
    memory = memory or Memory()
    plan = make_plan(desired, seen, memory, now=now)
    found = conditions_of(desired, seen, memory, plan, rejection=rejection)
    assert len({condition.type for condition in found}) == len(found)
    return {condition.type: condition for condition in found}


def test_a_converged_sound_node_is_ready_and_nothing_else():
    found = look()
    assert {name: c.status for name, c in found.items()} == {"Ready": Truth.TRUE, "Healthy": Truth.TRUE}


def test_something_to_do_is_reconciling_and_not_ready():
    found = look(values={"x": 1})
    assert found["Ready"].reason == "Progressing"
    assert found["Reconciling"].status is Truth.TRUE
    assert found["Reconciling"].message == "k0.x"
    assert found["Ready"].observed_generation == found["Healthy"].observed_generation


def test_an_unseen_kind_makes_readiness_unknown_and_says_which():
    found = look(blind=True)
    assert found["Ready"].status is Truth.UNKNOWN
    assert found["Ready"].message == "could not observe k0: dark"


@pytest.mark.parametrize(
    ("one", "other", "healthy"),
    [
        (Truth.TRUE, Truth.FALSE, Truth.FALSE),
        (Truth.UNKNOWN, Truth.TRUE, Truth.UNKNOWN),
        (Truth.UNKNOWN, Truth.FALSE, Truth.FALSE),
        (Truth.TRUE, Truth.TRUE, Truth.TRUE),
    ],
)
def test_the_worst_of_the_kinds_decides_health_and_readiness(one, other, healthy):
    found = look(kind_conditions=[says("DiskSpace", one), says("ClockSynchronised", other)])
    assert found["Healthy"].status is healthy
    assert found["Ready"].status is healthy


def test_advice_and_what_nobody_can_measure_do_not_count_against_health():
    says_both = [
        says("PresetMeasured", Truth.FALSE),
        says("ClockInSync", Truth.UNKNOWN, reason="NotMeasurable"),
    ]
    found = look(kind_conditions=says_both, advisory=["PresetMeasured"])
    assert found["Healthy"].status is Truth.TRUE
    assert found["Ready"].status is Truth.TRUE
    assert found["PresetMeasured"].status is Truth.FALSE


def test_of_two_kinds_that_speak_of_one_type_the_worse_counts():
    found = look(kind_conditions=[says("Serving", Truth.FALSE, message="down"), says("Serving", Truth.TRUE)])
    assert found["Serving"].status is Truth.FALSE
    assert found["Serving"].message == "down"
    assert found["Serving"].observed_generation == found["Ready"].observed_generation


def test_a_moved_world_is_drifted_until_it_is_healed():
    kept = look(values={"x": 1}, there={"x": 1})
    assert "Drifted" not in kept
    desired = synthetic_node(World(), synthetic_kind("k0", Wanted({"x": 1})), now=lambda: 0.0).desired
    seen = {"k0": Known({"x": 1}, 0.0)}
    plan = make_plan(desired, seen, Memory(), now=0.0)
    applied = applied_after(desired, seen, Memory(), plan)["k0"]
    found = look(values={"x": 1}, there={"x": 2}, memory=Memory(applied=applied))
    assert found["Drifted"].message == "k0.x: the world moved"


def test_a_suspended_node_says_so_and_is_not_called_stuck():
    memory = Memory(suspension=Suspension(reason="moving", by="ann", since=0.0, until=20.0))
    found = look(values={"x": 1}, memory=memory)
    assert found["Ready"].reason == "Suspended"
    assert found["Suspended"].message == "by ann: moving"
    assert "Stalled" not in found
    assert "Suspended" not in look(values={"x": 1}, memory=memory, now=21.0)


def test_a_refused_file_is_not_ready_though_the_node_is_healthy():
    found = look(rejection="orchestrator.yaml:3: unknown key")
    assert found["Ready"].reason == "DeclarationRejected"
    assert found["Healthy"].status is Truth.TRUE
    assert "the last good declared state stays in force" in found["DeclarationRejected"].message


def test_a_transition_time_moves_with_the_status_only():
    first = look(now=10.0)
    kept = look(now=20.0, memory=Memory(conditions=tuple(first.values())))
    moved = look(now=30.0, values={"x": 1}, memory=Memory(conditions=tuple(kept.values())))
    assert [c["Ready"].last_transition_at for c in (first, kept, moved)] == [10.0, 10.0, 30.0]
    assert moved["Healthy"].last_transition_at == 10.0


def test_a_long_list_is_cut_with_a_count():
    found = look(values={f"x{i}": i for i in range(10)})
    assert found["Reconciling"].message == "k0.x0; k0.x1; k0.x2; and 7 more"
