"""Decides what the edge needs, and says why, what it interrupts, and how to go back. Pure.

Not running: one start, which writes every document. Running: each document that differs is replaced in
place; another program (Envoy's version, what only a start can set, a wish by hand) is handed the port by
hot restart. Nothing here ever stops a serving edge.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Condition,
    Diagnostic,
    Impact,
    Json,
    Known,
    Observation,
    Operation,
    OperationId,
    Origin,
    Severity,
    TargetId,
    Truth,
)
from reconciler.resources.edge import config, words
from reconciler.resources.edge.state import KIND, STOPPED, EdgeDesired, EdgeObserved, EdgeProcess

PROCESS = TargetId("edge.process")
TARGETS: Mapping[str, TargetId] = {
    config.LISTENER: TargetId("edge.listener"),
    config.CLUSTER: TargetId("edge.upstream"),
    config.LIMITS: TargetId("edge.limits"),
}
FILES: Mapping[TargetId, str] = {target: name for name, target in TARGETS.items()}
_CERTIFICATE = OperationId("edge.certificate")


def plan_edge(desired: EdgeDesired, observed: Observation, view: View) -> KindPlan:
    if not isinstance(observed, Known) or not isinstance(observed.value, EdgeObserved):
        return KindPlan()
    seen = observed.value
    diagnostics = _diagnostics(desired, seen)
    current = seen.current
    if current is None:
        return KindPlan(operations=(_start(desired, seen, view),), diagnostics=diagnostics)
    changed = [_document(desired, seen, name, view) for name in config.DOCUMENTS]
    operations = [operation for operation in changed if operation]
    if current.program != config.program_digest(desired, view.requests.get(PROCESS, "")):
        operations.append(_upgrade(desired, current, tuple(operations), view, seen))
    return KindPlan(
        operations=tuple(operations),
        unchanged=1 + len(config.DOCUMENTS) - len(operations),
        diagnostics=diagnostics,
    )


def targets(desired: EdgeDesired, _observed: Observation) -> Mapping[TargetId, Json]:
    wanted = config.documents(desired)
    process: dict[TargetId, Json] = {PROCESS: process_value(desired)}
    return process | {target: _value(wanted[name], name) for name, target in TARGETS.items()}


def process_value(desired: EdgeDesired) -> Json:
    return {"envoy": desired.program.version, "program": config.program_digest(desired, "")}


def precondition(target: TargetId, seen: EdgeObserved) -> Json:
    """The part of the world that an operation on this target stands on.

    Failed starts do not move it, so that they are given up in time; a port that gets free does.
    """
    port: dict[str, Json] = {"holder": str(seen.port_holder or ""), "may_bind": seen.may_bind}
    if target == PROCESS:
        current = seen.current
        serving = [current.generation, current.program] if current else None
        return {"serving": serving, "port": port}
    document = seen.document(FILES[target])
    version = document.version if document else None
    return {"version": version, "port": port if FILES[target] == config.LISTENER else None}


def conditions(desired: EdgeDesired, observed: Observation, view: View) -> tuple[Condition, ...]:
    status, reason, message = _standing(desired, observed)
    return (view.condition("EdgeServing", status, reason, message),)


def _as_asked(desired: EdgeDesired, view: View) -> Json:
    """With the wish by hand, if there is one: a new wish is tried again, whatever failed before it."""
    return {"process": process_value(desired), "request": view.requests.get(PROCESS)}


def _start(desired: EdgeDesired, seen: EdgeObserved, view: View) -> Operation:
    meant = seen.last_generation == 0 or seen.last_ending == STOPPED
    return Operation(
        id=OperationId(PROCESS),
        kind=KIND,
        verb="start",
        target=PROCESS,
        action=Action.CREATE if meant else Action.RESTART,
        origin=view.origin(PROCESS, process_value(desired)),
        cause=words.why_start(desired, seen),
        change=Change(after=_as_asked(desired, view), shown=words.program(desired)),
        lane=KIND,
        impact_note="nothing serves on this port now",
        depends_on=(_CERTIFICATE,) if desired.tls else (),
        precondition=precondition(PROCESS, seen),
        arguments={"token": view.requests.get(PROCESS, "")},
    )


def _upgrade(
    desired: EdgeDesired,
    current: EdgeProcess,
    after: tuple[Operation, ...],
    view: View,
    seen: EdgeObserved,
) -> Operation:
    token = view.requests.get(PROCESS, "")
    origin = view.origin(PROCESS, process_value(desired))
    by_hand = bool(token) and origin is Origin.DRIFT
    draining = len(seen.processes) > 1
    return Operation(
        id=OperationId(PROCESS),
        kind=KIND,
        verb="upgrade",
        target=PROCESS,
        action=Action.REPLACE,
        origin=Origin.REQUEST if by_hand else origin,
        cause=Cause("restart asked for by hand" if by_hand else "what only a start can set has changed"),
        change=Change(before=current.program, after=_as_asked(desired, view), shown=words.program(desired)),
        lane=KIND,
        impact=Impact.REPLACE,
        impact_note=words.handed_over(desired),
        depends_on=tuple(operation.id for operation in after),
        precondition=precondition(PROCESS, seen),
        arguments={"token": token},
        # a third process would end the first at once, with what it still serves
        not_before=current.started_at + desired.drain_s + words.AFTER_DRAIN_S if draining else None,
    )


def _document(desired: EdgeDesired, seen: EdgeObserved, name: str, view: View) -> Operation | None:
    wanted = config.documents(desired)[name]
    target, current = TARGETS[name], seen.current
    found = seen.document(name)
    accepted = dict(current.accepted) if current else {}
    version = config.version_of(wanted)
    ignored = name in accepted and accepted[name] != version
    if found and found.version == version and not ignored:
        return None
    return Operation(
        id=OperationId(target),
        kind=KIND,
        verb="update",
        target=target,
        action=Action.UPDATE,
        origin=view.origin(target, _value(wanted, name)),
        cause=words.why_document(desired, found, name, version),
        change=Change(
            before=found.facts if found else None,
            after=_value(wanted, name),
            shown=words.difference(found.facts if found else None, config.facts_of(name, wanted)),
        ),
        lane=KIND,
        impact=Impact.RELOAD if name == config.LISTENER else Impact.NONE,
        impact_note=words.document_impact(desired, found, name),
        precondition=precondition(target, seen),
        timeout_s=30.0,
    )


def _value(document: Mapping[str, Json], name: str) -> Json:
    return {"version": config.version_of(document), "facts": config.facts_of(name, document)}


def _diagnostics(desired: EdgeDesired, seen: EdgeObserved) -> tuple[Diagnostic, ...]:
    found = []
    if seen.port_holder:
        found.append(words.port_in_use(desired, seen.port_holder, shared=seen.current is not None))
    if not desired.is_numeric:
        found.append(words.host_unusable(desired))
    if not seen.may_bind:
        found.append(words.port_forbidden(desired))
    return tuple(Diagnostic(Severity.ERROR, text, rest, desired.listen_source) for text, rest in found)


def _standing(desired: EdgeDesired, observed: Observation) -> tuple[Truth, str, str]:
    if not isinstance(observed, Known) or not isinstance(observed.value, EdgeObserved):
        return Truth.UNKNOWN, "NotObserved", observed.reason if not isinstance(observed, Known) else ""
    seen = observed.value
    current = seen.current
    if seen.port_holder:
        return Truth.FALSE, "PortInUse", f"{seen.port_holder} listens on {desired.address}, too"
    if current is None:
        return Truth.FALSE, "NotRunning", words.ended(seen)
    if current.state == "LIVE":
        return Truth.TRUE, "Live", f"{desired.address}, {current.connections} connections"
    if not current.state:
        return Truth.UNKNOWN, "Silent", f"pid {current.pid} runs and its admin socket does not answer"
    return Truth.FALSE, "NotReady", f"Envoy says {current.state}"
