"""Decides whether the node's table is written, and says so. Pure.

Where the packet filter is not ours to use, nothing is planned; only a limit that the files ask for is worth
a warning then.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Diagnostic,
    Json,
    Known,
    Observation,
    Operation,
    OperationId,
    Origin,
    Severity,
    TargetId,
)
from reconciler.resources.address_limit.state import KIND, AddressLimitDesired, AddressLimitObserved, Limit

TARGET = TargetId("edge.address.limit")


def plan_address_limit(desired: AddressLimitDesired, observed: Observation, view: View) -> KindPlan:
    if not isinstance(observed, Known) or not isinstance(observed.value, AddressLimitObserved):
        return KindPlan()
    seen = observed.value
    if seen.unavailable:
        return KindPlan(diagnostics=_not_enforced(desired, seen))
    wanted = Limit(desired.port, desired.connections) if desired.connections else None
    if seen.limit == wanted:
        return KindPlan(unchanged=1)
    return KindPlan(operations=(_operation(desired, seen, view),))


def targets(desired: AddressLimitDesired, _observed: Observation) -> Mapping[TargetId, Json]:
    return {TARGET: _value(desired)}


def precondition(seen: AddressLimitObserved) -> Json:
    return {"limit": _text(seen.limit)}


def _operation(desired: AddressLimitDesired, seen: AddressLimitObserved, view: View) -> Operation:
    wanted = Limit(desired.port, desired.connections) if desired.connections else None
    action = Action.UPDATE if seen.limit and wanted else Action.CREATE if wanted else Action.DELETE
    before = f"{_text(seen.limit)} -> " if seen.limit else ""
    origin = view.origin(TARGET, _value(desired))
    return Operation(
        id=OperationId(TARGET),
        kind=KIND,
        verb="remove" if action is Action.DELETE else "limit",
        target=TARGET,
        action=action,
        origin=origin,
        cause=_cause(desired, seen, origin),
        change=Change(before=_text(seen.limit), after=_value(desired), shown=before + _text(wanted)),
        lane=KIND,
        impact_note="open connections stay",
        precondition=precondition(seen),
    )


def _cause(desired: AddressLimitDesired, seen: AddressLimitObserved, origin: Origin) -> Cause:
    if origin is Origin.DRIFT:
        return Cause(f"the packet filter holds {_text(seen.limit)}")
    return Cause("declared" if desired.explicit else "the default", desired.source)


def _not_enforced(desired: AddressLimitDesired, seen: AddressLimitObserved) -> tuple[Diagnostic, ...]:
    if not (desired.explicit and desired.connections):
        return ()
    return (
        Diagnostic(
            Severity.WARNING,
            f"{desired.connections} connections per address cannot be enforced",
            f"{seen.unavailable}; only the total is limited",
            desired.source,
        ),
    )


def _value(desired: AddressLimitDesired) -> Json:
    return {"port": desired.port, "connections": desired.connections}


def _text(limit: Limit | None) -> str:
    if limit is None:
        return "no limit"
    if limit.connections is None:
        return "rules that are not ours"
    return f"{limit.connections} connections per address on port {limit.port}"
