"""The runtime's process and route: every situation that a look can find, and what is planned for it."""

from dataclasses import replace

import pytest

from reconciler.core.values import Origin, Unknown
from reconciler.resources.runtime.conditions import applied_runtime, conditions_runtime
from reconciler.resources.runtime.plan import plan_runtime
from reconciler.resources.runtime.state import PROCESS, Mark, Program, wanted_process
from reconciler.serving.capacity import GpusUnknown
from reconciler.serving.status import RuntimeStatus, WorkerStatus
from reconciler.serving.wish import Surroundings
from tests.unit.resources.resources_builders import (
    NOW,
    PROGRAM,
    assert_golden,
    dead,
    desired,
    process,
    runtimes,
    video,
    view,
    wish,
)

NEW = Program(digest="beef", version="0.2.0", python="3.11.2")
UPGRADED = {"wish": wish(version="0.9.1-reconciler.0.2.0"), "program": NEW}
APPLIED = {PROCESS: wanted_process(desired()), "runtime.route": "the newest healthy generation"}

CASES = {
    "nothing runs": (desired(), runtimes(), view()),
    "all is well": (desired(), runtimes(process(3), routed=[3]), view()),
    "the runtime crashed": (desired(), runtimes(dead(3), routed=[3]), view(applied=APPLIED)),
    "it was stopped": (
        desired(),
        runtimes(dead(3, ""), routed=[3], stopped=True),
        view(applied=APPLIED),
    ),
    "it was killed": (desired(), runtimes(dead(3, "killed by SIGKILL"), routed=[3]), view(applied=APPLIED)),
    "the program changed": (
        desired(**UPGRADED),
        runtimes(process(3, sessions=12), routed=[3]),
        view(applied=APPLIED),
    ),
    "a field that only a new process takes": (
        desired(wish=wish(node="fra-2", database="/elsewhere/money.db")),
        runtimes(process(3), routed=[3]),
        view(applied=APPLIED),
    ),
    "it does not answer": (
        desired(),
        runtimes(process(3, health="no answer in 3 s"), routed=[3]),
        view(applied=APPLIED),
    ),
    "the operator died after the new one was started": (
        desired(**UPGRADED),
        runtimes(process(3), process(4, program=NEW.digest, of=UPGRADED["wish"]), routed=[3]),
        view(applied=APPLIED),
    ),
    "the operator died after the route was moved": (
        desired(**UPGRADED),
        runtimes(process(3), process(4, program=NEW.digest, of=UPGRADED["wish"]), routed=[4]),
        view(),
    ),
    "two equal ones, one without a route": (
        desired(),
        runtimes(process(3), process(4), routed=[3]),
        view(applied=APPLIED),
    ),
    "two are routed": (desired(), runtimes(process(3), process(4), routed=[3, 4]), view(applied=APPLIED)),
    "the endpoints file is gone": (desired(), runtimes(process(3), routed=[]), view(applied=APPLIED)),
    "a restart is asked for": (
        desired(),
        runtimes(process(3), routed=[3]),
        view(applied=APPLIED, requests={"runtime.process": "T1"}),
    ),
    "a wish that was fulfilled": (
        desired(),
        runtimes(process(4, request="T1"), routed=[4]),
        view(requests={"runtime.process": "T1"}),
    ),
    "the wishes were lost": (desired(), runtimes(process(4, request="T1"), routed=[4]), view()),
    "it still starts": (
        desired(),
        runtimes(process(3, health="workers are starting", started_at=NOW - 5)),
        view(applied=APPLIED),
    ),
    "it starts for too long": (
        desired(),
        runtimes(process(3, health="workers are starting", started_at=NOW - 61)),
        view(),
    ),
    "somebody told it to stop": (
        desired(),
        runtimes(process(3, draining=True), routed=[3]),
        view(applied=APPLIED),
    ),
}


def test_each_look_is_answered_as_recorded():
    plans = {name: plan_runtime(wanted, seen, known) for name, (wanted, seen, known) in CASES.items()}
    assert_golden("runtime", plans)


@pytest.mark.parametrize(("wanted", "seen", "known"), CASES.values(), ids=CASES.keys())
def test_the_route_never_leads_to_a_process_that_is_not_there_or_goes(wanted, seen, known):
    operations = plan_runtime(wanted, seen, known).operations
    coming = {op.arguments["generation"] for op in operations if op.verb == "start"}
    leaving = {op.arguments["generation"] for op in operations if op.verb == "retire"}
    alive = {each.generation for each in seen.value.alive}
    for operation in operations:
        if operation.verb == "route":
            assert operation.arguments["generation"] in (alive | coming) - leaving


def test_settings_of_a_running_process_are_no_reason_to_replace_it():
    other = desired(wish=wish(log="debug", video=video(sessions=9), admission="drain"))
    assert plan_runtime(other, runtimes(process(3), routed=[3]), view()).operations == ()


def test_nothing_is_planned_on_what_could_not_be_seen():
    assert plan_runtime(desired(), Unknown("no permission", NOW), view()).operations == ()


def test_failing_starts_are_one_difference_whatever_generation_they_come_to():
    first = plan_runtime(desired(), runtimes(dead(3), routed=[3]), view()).operations[0]
    again = plan_runtime(desired(), runtimes(dead(3), routed=[3], last=9), view()).operations[0]
    assert again.arguments["generation"] == 10
    assert first.fingerprint == again.fingerprint


def test_a_generation_is_never_used_twice():
    plan = plan_runtime(desired(), runtimes(last=41), view())
    assert plan.operations[0].arguments["generation"] == 42


def test_the_head_of_a_plan_says_what_runs():
    assert plan_runtime(desired(), runtimes(process(3, sessions=12), routed=[3]), view()).running == (
        "12 video sessions"
    )


def test_a_start_tells_program_and_size():
    (start, _) = plan_runtime(desired(), runtimes(), view()).operations
    assert start.notes == (
        ("program", "0.1.0, Python 3.11.2, code c0de"),
        ("video", "4 sessions on 2 workers, preset veryfast"),
    )


def test_gpus_that_cannot_be_seen_are_said_at_a_start():
    around = Surroundings(gpus=GpusUnknown("NVML does not answer"), cache={})
    wanted = desired(wish=wish(video=video(gpus=None, sessions=None)))
    (start, _) = plan_runtime(wanted, runtimes(around=around), view()).operations
    assert start.notes[1] == ("video", "no workers until GPUs can be observed")


def test_marks_keep_program_and_wish():
    assert Mark.parse(str(Mark("c0de", "2026-11-21T01:40:00Z"))) == Mark("c0de", "2026-11-21T01:40:00Z")
    assert Mark.parse("c0de") == Mark("c0de")


def _conditions(seen, wanted=None):
    found = conditions_runtime(wanted or desired(), seen, view())
    return {each.type: (each.status.value, each.reason, each.message) for each in found}


def test_conditions_of_a_serving_runtime():
    assert _conditions(runtimes(process(3), routed=[3])) == {
        "RuntimeHealthy": ("True", "Serving", "generation 3 serves"),
        "WorkersReady": ("True", "Ready", "1 ready"),
    }


def test_conditions_of_a_dead_runtime():
    assert _conditions(runtimes(dead(3), routed=[3])) == {
        "RuntimeHealthy": ("False", "NotRunning", "generation 3 exited 137"),
        "WorkersReady": ("False", "NotRunning", "no runtime tells of workers"),
    }


def test_a_failed_worker_says_why():
    workers = (WorkerStatus(name="a-0", state="failed", reason="self-test: no NVENC"),)
    ill = replace(process(3), status=RuntimeStatus(workers=workers))
    found = _conditions(runtimes(ill, routed=[3]))
    assert found["WorkersReady"] == ("False", "Failed", "a-0 is failed: self-test: no NVENC")


def test_a_runtime_that_nobody_routes_to_is_not_healthy():
    assert _conditions(runtimes(process(3), routed=[]))["RuntimeHealthy"][1] == "NotRouted"


def test_unseen_is_unknown_in_both():
    assert {each[0] for each in _conditions(Unknown("x", NOW)).values()} == {"Unknown"}


def test_no_worker_is_right_only_where_no_video_is_declared():
    empty = replace(process(3), status=RuntimeStatus())
    assert _conditions(runtimes(empty, routed=[3]))["WorkersReady"][1] == "NoDevice"
    none = desired(wish=wish(video=video(sessions=0)))
    assert _conditions(runtimes(empty, routed=[3]), none)["WorkersReady"][1] == "NoneDeclared"


def test_what_is_remembered_as_applied_does_not_depend_on_generations():
    assert applied_runtime(desired(), runtimes()) == applied_runtime(
        desired(), runtimes(process(9), routed=[9])
    )
    upgraded = plan_runtime(desired(**UPGRADED), runtimes(process(3), routed=[3]), view(applied=APPLIED))
    assert upgraded.operations[0].origin is Origin.DECLARED
    assert PROGRAM.digest != NEW.digest
