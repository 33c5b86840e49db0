"""One contract for every journal: the one in memory and the one on disk, reopened or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.core.journal import DECLARATIONS_KEPT, FAILURES_KEPT, RUNS_KEPT, Journal
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.journal_sqlite import SqliteJournal
from reconciler.core.memory import Failure, Memory, Repair, Run, Suspension
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Condition,
    Operation,
    OperationId,
    Origin,
    Outcome,
    PlanId,
    Result,
    Revision,
    TargetId,
    Truth,
)

Reopen = Callable[[Journal], Journal]


@pytest.fixture(params=["memory", "sqlite", "sqlite reopened after every write"])
def journal(request, tmp_path):
    """Every suite below goes through `again`, which is what the next operator sees."""
    if request.param == "memory":
        opened = MemoryJournal()
        yield opened, lambda: opened
        return
    path = tmp_path / "operator.db"
    current = [SqliteJournal.open(path)]

    def again():
        if "reopened" in request.param:
            current[0].close()
            current[0] = SqliteJournal.open(path)
        return current[0]

    yield current[0], again
    current[0].close()


def operation(name="a.x", *, reversible=True):
    return Operation(
        id=OperationId(name),
        kind="a",
        verb="update",
        target=TargetId(name),
        action=Action.UPDATE,
        origin=Origin.DECLARED,
        cause=Cause("because"),
        change=Change(before=1, after=2),
        lane="a",
        reversible=reversible,
    )


def outcome(op, result):
    return Outcome(operation=op, result=result, started_at=1.0, ended_at=2.0, detail="so it went")


def failure(name="f1", target="a.x", count=1, last_at=2.0):
    return Failure(
        fingerprint=name,
        operation_id=OperationId(target),
        target=TargetId(target),
        revision=Revision("r1"),
        count=count,
        in_a_row=count + 1,
        first_at=1.0,
        last_at=last_at,
        not_before=3.0,
        detail="no",
        final=count > 2,
    )


def run(revision="r1", result="ok", at=10.0):
    return Run(
        revision=Revision(revision), result=result, first_at=at, last_at=at + 1, duration_s=1.0, count=1
    )


def test_an_empty_journal_remembers_nothing(journal):
    opened, again = journal
    assert opened.memory() == Memory()
    assert again().events() == ()
    assert again().runs() == ()
    assert again().declaration(Revision("r1")) is None


def test_an_intent_stays_open_until_its_outcome_is_written(journal):
    opened, again = journal
    number = opened.begin(operation(reversible=False), PlanId("p"), 5.0)
    intent = again().memory().open_intents[0]
    assert (intent.number, intent.operation_id, intent.kind, intent.target) == (number, "a.x", "a", "a.x")
    assert (intent.plan_id, intent.reversible, intent.began_at) == ("p", False, 5.0)
    assert intent.fingerprint == operation(reversible=False).fingerprint
    again().finish(number, outcome(operation(), Result.DONE))
    assert again().memory().open_intents == ()


def test_an_unknown_outcome_leaves_the_intent_open_until_it_is_settled(journal):
    _, again = journal
    number = again().begin(operation(), PlanId("p"), 5.0)
    again().finish(number, outcome(operation(), Result.UNKNOWN))
    assert [intent.number for intent in again().memory().open_intents] == [number]
    again().settle([number], 9.0, "looked")
    assert again().memory().open_intents == ()


def test_numbers_only_grow(journal):
    _, again = journal
    numbers = []
    for _ in range(4):
        numbers.append(again().begin(operation(), PlanId("p"), 5.0))
        again().finish(numbers[-1], outcome(operation(), Result.DONE))
    assert numbers == sorted(set(numbers))


def test_failures_are_replaced_by_fingerprint_and_forgotten_by_target(journal):
    _, again = journal
    again().remember_failure(failure())
    again().remember_failure(failure(count=3))
    again().remember_failure(failure("f2", "a.y"))
    assert again().memory().failures == {"f1": failure(count=3), "f2": failure("f2", "a.y")}
    again().forget_failures([TargetId("a.x")])
    assert set(again().memory().failures) == {"f2"}


def test_of_a_targets_failures_only_the_newest_are_kept(journal):
    _, again = journal
    again().remember_failure(failure("other", "a.y", last_at=0.0))
    for number in range(FAILURES_KEPT + 3):
        again().remember_failure(failure(f"f{number}", last_at=float(number)))
    kept = set(again().memory().failures)
    assert kept == {"other"} | {f"f{number}" for number in range(3, FAILURES_KEPT + 3)}


def test_forgetting_everything_takes_repairs_along(journal):
    _, again = journal
    repair = Repair(target=TargetId("a.x"), revision=Revision("r"), count=2, last_at=1.0, not_before=2.0)
    again().remember_repair(repair)
    again().remember_failure(failure())
    assert again().memory().repairs == {"a.x": repair}
    again().forget_failures()
    assert again().memory() == Memory()


def test_applied_digests_are_merged_with_their_kind(journal):
    _, again = journal
    again().remember_applied("a", {TargetId("a.x"): "d1", TargetId("a.y"): "d2"})
    again().remember_applied("b", {TargetId("b.z"): "d3"})
    again().remember_applied("a", {TargetId("a.x"): "d4"})
    memory = again().memory()
    assert memory.applied == {"a.x": "d4", "a.y": "d2", "b.z": "d3"}
    assert memory.owners == {"a.x": "a", "a.y": "a", "b.z": "b"}


def test_what_was_applied_is_forgotten_on_purpose_only(journal):
    _, again = journal
    again().remember_applied("a", {TargetId("a.x"): "d1"})
    again().remember_success(Revision("r2"), "text of r2", 7.0)
    again().forget_applied()
    memory = again().memory()
    assert (memory.applied, memory.owners, memory.applied_revision) == ({}, {}, "r2")


def test_revisions_are_remembered_apart(journal):
    _, again = journal
    again().remember_attempt(Revision("r3"))
    again().remember_success(Revision("r2"), "text of r2", 7.0)
    again().remember_healthy(Revision("r1"))
    memory = again().memory()
    assert (memory.attempted_revision, memory.applied_revision, memory.healthy_revision) == ("r3", "r2", "r1")
    assert again().declaration(Revision("r2")) == "text of r2"


def test_only_the_newest_declarations_are_kept(journal):
    _, again = journal
    for number in range(DECLARATIONS_KEPT + 2):
        again().remember_success(Revision(f"r{number}"), f"text {number}", float(number))
    again().remember_success(Revision("r2"), "text 2", 99.0)
    again().remember_success(Revision("new"), "new", 100.0)
    assert again().declaration(Revision("r0")) is None
    assert again().declaration(Revision("r2")) == "text 2", "applying it again keeps it"
    assert again().declaration(Revision("r3")) is None


def test_conditions_come_back_as_they_were(journal):
    _, again = journal
    conditions = (
        Condition(
            type="Ready",
            status=Truth.UNKNOWN,
            reason="Unobserved",
            message="ä",
            observed_generation="r1",
            last_transition_at=1.5,
        ),
    )
    again().remember_conditions(conditions)
    assert again().memory().conditions == conditions


def test_equal_runs_fold_and_others_start_a_new_entry(journal):
    _, again = journal
    for entry in (run(at=10), run(at=20), run(result="error", at=30), run(at=40)):
        again().remember_run(entry)
    newest, failed, oldest = again().runs()
    assert (oldest.count, oldest.first_at, oldest.last_at) == (2, 10.0, 21.0)
    assert (failed.result, failed.count) == ("error", 1)
    assert (newest.first_at, newest.count) == (40.0, 1)
    assert again().memory().handled_at == 41.0


def test_history_is_bounded(journal):
    _, again = journal
    for number in range(RUNS_KEPT + 5):
        again().remember_run(run(revision=f"r{number}"))
    runs = again().runs()
    assert len(runs) == RUNS_KEPT
    assert runs[0].revision == f"r{RUNS_KEPT + 4}"


def test_suspension_comes_back_with_reason_author_and_end(journal):
    _, again = journal
    suspension = Suspension(reason="moving", by="ann", since=1.0, until=9.0)
    again().suspend(suspension)
    assert again().memory().suspension == suspension
    again().resume()
    assert again().memory().suspension is None


def test_the_newest_request_of_a_target_counts(journal):
    _, again = journal
    again().request("runtime.process", "t1")
    again().request("runtime.process", "t2")
    assert again().memory().requests == {"runtime.process": "t2"}


def test_events_are_read_from_where_a_reader_left_off(journal):
    _, again = journal
    first = again().append_event(1.0, "plan.created", {"n": 1, "text": "ä"})
    second = again().append_event(2.0, "operation.applied", {"targets": ["a"]})
    assert second.sequence > first.sequence
    assert again().events() == (first, second)
    assert again().events(after=first.sequence) == (second,)
    assert again().events(limit=1) == (first,)
