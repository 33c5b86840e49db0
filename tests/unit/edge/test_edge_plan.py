"""What the edge's planner decides, and how it says it. Pure values."""

import dataclasses
import json
from pathlib import Path

import pytest

from reconciler.core.kind import View
from reconciler.core.values import Action, Impact, Known, Origin, Severity, Source, Truth, Unknown, digest
from reconciler.resources.edge import config
from reconciler.resources.edge.plan import PROCESS, conditions, plan_edge, precondition, targets
from reconciler.resources.edge.state import (
    DocumentSeen,
    EdgeDesired,
    EdgeLimits,
    EdgeObserved,
    EdgeProcess,
    EnvoyProgram,
    PortHolder,
    base_id,
)

DESIRED = EdgeDesired(
    node="fra-1",
    host="0.0.0.0",  # noqa: S104 - the value of a test
    port=8935,
    tls=True,
    limits=EdgeLimits(
        connections=500,
        headers_s=10,
        handshake_s=10,
        idle_connection_s=600,
        idle_stream_s=900,
        heap_bytes=2**31,
    ),
    program=EnvoyProgram(path=Path("/opt/envoy"), version="1.40.0", workers=2),
    directory=Path("/data/edge"),
    sockets=Path("/data/run"),
    identity="0123456789",
    drain_s=60,
    listen_source=Source("orchestrator.yaml", 5),
    limits_source=Source("orchestrator.yaml", 9),
)
NOW = 1_800_000_000.0
NOTHING = EdgeObserved(processes=(), documents=())


def _serving(desired=DESIRED, **changes):
    documents = config.documents(desired)
    process = EdgeProcess(
        generation=3,
        pid=77,
        start_time=1,
        started_at=NOW - 1000,
        program=config.program_digest(desired, ""),
        epoch=0,
        base_id=5,
        state="LIVE",
        accepted=tuple((name, config.version_of(document)) for name, document in documents.items()),
    )
    seen = tuple(
        DocumentSeen(name=name, version=config.version_of(found), facts=config.facts_of(name, found))
        for name, found in documents.items()
    )
    return dataclasses.replace(
        EdgeObserved(processes=(process,), documents=seen, last_generation=3), **changes
    )


def _plan(observed, desired=DESIRED, **view):
    return plan_edge(desired, Known(observed, NOW), View(now=NOW, **view))


def _limits(**changes):
    return dataclasses.replace(DESIRED, limits=dataclasses.replace(DESIRED.limits, **changes))


def test_nothing_is_planned_on_what_could_not_be_observed():
    assert plan_edge(DESIRED, Unknown("no permission", NOW), View(now=NOW)).operations == ()


def test_a_converged_edge_needs_nothing():
    plan = _plan(_serving())
    assert (plan.operations, plan.unchanged, plan.diagnostics) == ((), 4, ())


def test_a_first_start_waits_for_the_certificate_and_names_the_file():
    (start,) = _plan(NOTHING).operations
    assert (start.action, start.verb, start.depends_on) == (Action.CREATE, "start", ("edge.certificate",))
    assert str(start.cause) == "orchestrator.yaml:5 declared, and not running"
    assert start.change.shown == "0.0.0.0:8935, Envoy 1.40.0"
    assert (start.impact, start.interrupts, start.reversible) == (Impact.NONE, 0, True)


def test_without_tls_no_certificate_is_waited_for():
    (start,) = _plan(NOTHING, dataclasses.replace(DESIRED, tls=False)).operations
    assert start.depends_on == ()


def test_a_crashed_edge_is_drift_where_it_was_applied_before():
    applied = {target: digest(value) for target, value in targets(DESIRED, Known(NOTHING, NOW)).items()}
    gone = EdgeObserved(processes=(), documents=(), last_generation=3, last_ending="exited 139")
    (start,) = _plan(gone, applied=applied).operations
    assert (start.origin, start.action, str(start.cause)) == (
        Origin.DRIFT,
        Action.RESTART,
        "the edge exited 139",
    )


def test_a_connection_limit_interrupts_nothing():
    (update,) = _plan(_serving(), _limits(connections=800)).operations
    assert (update.target, update.impact) == ("edge.limits", Impact.NONE)
    assert update.change.shown == "connections 500 -> 800"
    assert str(update.cause) == "orchestrator.yaml:9 changed"


def test_a_new_address_says_what_happens_to_the_old_one():
    (update,) = _plan(_serving(), dataclasses.replace(DESIRED, port=9000)).operations
    assert (update.target, update.impact) == ("edge.listener", Impact.RELOAD)
    assert update.change.shown == "listen 0.0.0.0:8935 -> 0.0.0.0:9000"
    assert update.impact_note.startswith("0.0.0.0:8935 takes no new connections")


def test_another_envoy_is_handed_the_port_after_the_documents():
    newer = dataclasses.replace(
        _limits(connections=800), program=dataclasses.replace(DESIRED.program, version="1.41.0")
    )
    update, upgrade = _plan(_serving(), newer).operations
    assert (update.target, upgrade.target, upgrade.verb) == ("edge.limits", "edge.process", "upgrade")
    assert upgrade.depends_on == (update.id,)
    assert (upgrade.action, upgrade.impact, upgrade.interrupts) == (Action.REPLACE, Impact.REPLACE, 0)


def test_a_wish_by_hand_is_a_request_and_is_fulfilled_once():
    applied = {target: digest(value) for target, value in targets(DESIRED, Known(NOTHING, NOW)).items()}
    wish = {"requests": {PROCESS: "now"}, "applied": applied}
    (upgrade,) = _plan(_serving(), **wish).operations
    assert upgrade.origin is Origin.REQUEST
    fulfilled = dataclasses.replace(_serving().processes[0], program=config.program_digest(DESIRED, "now"))
    assert _plan(_serving(processes=(fulfilled,)), **wish).operations == ()


def test_while_an_older_process_drains_an_upgrade_waits():
    older = dataclasses.replace(_serving().processes[0], generation=2, pid=66)
    newer = dataclasses.replace(DESIRED, program=dataclasses.replace(DESIRED.program, version="1.41.0"))
    (upgrade,) = _plan(_serving(processes=(older, *_serving().processes)), newer).operations
    assert upgrade.not_before == NOW - 1000 + 60 + 10


def test_a_draining_parent_alone_is_no_edge():
    silent = dataclasses.replace(_serving().processes[0], state="")
    orphan = _serving(processes=(silent,), last_generation=4, last_ending="killed by SIGSEGV")
    (start,) = _plan(orphan).operations
    assert start.verb == "start"


def test_after_a_failed_upgrade_the_old_process_is_still_the_edge():
    assert _plan(_serving(last_generation=4, last_ending="exited 1")).operations == ()


def test_a_silent_admin_changes_nothing():
    silent = dataclasses.replace(_serving().processes[0], state="", accepted=())
    assert _plan(_serving(processes=(silent,))).operations == ()
    (condition,) = conditions(DESIRED, Known(_serving(processes=(silent,)), NOW), View(now=NOW))
    assert condition.status is Truth.UNKNOWN


def test_a_port_in_use_is_an_error_with_the_holders_name():
    (said,) = _plan(
        dataclasses.replace(NOTHING, port_holder=PortHolder(pid=9, command="livepeer"))
    ).diagnostics
    assert said.severity is Severity.ERROR
    assert said.summary == "port 8935 is in use by pid 9 (livepeer)"
    assert said.source == Source("orchestrator.yaml", 5)


def test_a_name_is_no_address_to_listen_on():
    (said,) = _plan(NOTHING, dataclasses.replace(DESIRED, host="fra.example.com")).diagnostics
    assert said.summary == "fra.example.com is no address to listen on"


def test_every_address_means_both_families():
    listener = config.listener(dataclasses.replace(DESIRED, host="::"))
    assert listener["address"]["socket_address"]["ipv4_compat"]
    (update,) = _plan(_serving(), dataclasses.replace(DESIRED, host="::")).operations
    assert update.change.shown == "listen 0.0.0.0:8935 -> [::]:8935"


def test_a_forbidden_port_is_an_error():
    (said,) = _plan(dataclasses.replace(NOTHING, may_bind=False)).diagnostics
    assert said.summary == "this user may not listen on port 8935"


@pytest.mark.parametrize(
    ("observed", "status", "reason"),
    [
        (_serving(), Truth.TRUE, "Live"),
        (NOTHING, Truth.FALSE, "NotRunning"),
        (dataclasses.replace(NOTHING, port_holder=PortHolder(pid=9, command="x")), Truth.FALSE, "PortInUse"),
    ],
)
def test_the_condition_says_whether_it_serves(observed, status, reason):
    (condition,) = conditions(DESIRED, Known(observed, NOW), View(now=NOW))
    assert (condition.type, condition.status, condition.reason) == ("EdgeServing", status, reason)


def test_a_precondition_is_the_part_of_the_world_that_was_decided_on():
    (start,) = _plan(NOTHING).operations
    assert precondition(PROCESS, NOTHING) == start.precondition
    assert precondition(PROCESS, _serving()) != start.precondition


def test_equal_wishes_give_equal_bytes_and_no_two_nodes_one_base_id():
    again = dataclasses.replace(DESIRED)
    assert json.dumps(config.documents(again)) == json.dumps(config.documents(DESIRED))
    assert config.bootstrap(again, 1) == config.bootstrap(DESIRED, 1)
    assert len({base_id(identity, attempt) for identity in "abc" for attempt in range(3)}) == 9
    assert all(base_id("x", attempt) * 10 < 2**31 for attempt in range(100))


def test_a_place_of_declaration_is_no_reason_to_restart():
    moved = dataclasses.replace(DESIRED, listen_source=Source("orchestrator.yaml", 50), limits_source=None)
    assert _plan(_serving(), moved).operations == ()
